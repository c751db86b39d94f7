"""Polling whatever is due, in an order that starves nobody."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import replace

from integration.domain.catalogue import Source
from integration.domain.errors import InvalidInput
from integration.service.agenda import Entry, agenda, note_asked
from integration.service.needing import awaited
from integration.service.noticing import keep_notices
from integration.service.observe import Observed, observe
from integration.service.selecting import EVERYTHING, Selection
from integration.service.wanting import obstacle, selections
from integration.service.wiring import Gradewire
from integration.store.queries import polls

#: How long (s) a look takes polls in one order: where polling cannot keep up, what is due meanwhile is weighed anew.
PASS = 5.0

_polling = threading.Lock()


def poll_due(gradewire: Gradewire, only: Source | None = None) -> list[Observed]:
    """Poll whatever is due, of one source or of all, whoever has waited longest for its weight first. Most of the time there
    is nothing to do.

    It ends where the minute's calls do, and after `PASS`: what is left comes with the next look, in a new order. A poll that
    breaks holds up no other: what broke first is raised at the end.
    """
    until = time.monotonic() + PASS
    plan = agenda(gradewire)
    keep_notices(gradewire, plan)
    waiting = awaited(gradewire)
    ended, broken = list[Observed](), list[Exception]()
    for entry in plan.entries:
        if only is not None and entry.source.key != only.key:
            continue
        selection = ready(entry.selection, waiting.get(entry.source.key, set()))
        slot = _free_slot(gradewire, entry)
        if selection is None or (slot is None and not (entry.unread and entry.interval and selection == entry.selection)):
            continue
        usage = gradewire.budget.used(gradewire.now())
        if usage.minute >= usage.per_minute or usage.month >= usage.per_month or (ended and time.monotonic() > until):
            break
        try:
            ended.append(observe(gradewire, entry.source, selection, slot=slot, again=slot is None))
        except Exception as error:
            broken.append(error)
        else:
            if ended[-1].status != "waiting":
                note_asked(gradewire, entry.source, selection)
    if broken:
        raise broken[0]
    return ended


def ready(selection: Selection, waiting: Collection[int] | None) -> Selection | None:
    """What of a selection is to be polled while some ids (None: all) wait for their past; None where nothing is."""
    if waiting is None or (waiting and selection.ids is None):
        return None
    rest = selection.ids if selection.ids is None else tuple(number for number in selection.ids if number not in waiting)
    return replace(selection, ids=rest) if rest is None or rest else None


def _free_slot(gradewire: Gradewire, entry: Entry) -> int | None:
    """The slot of a poll that is due and that nobody makes or has made; None where there is none."""
    slot = entry.slot(gradewire.clock.at(gradewire.now()))
    if slot is None:
        return None
    with gradewire.database.read() as connection:
        state = polls.state(connection, entry.source.key, entry.selection.name, slot, gradewire.now())
    return slot if state is None else None


def poll_now(gradewire: Gradewire, only: Source | None = None) -> Iterator[Observed]:
    """Poll all that is wanted, or a source, whether due or not: for people who want to look now.

    Raises InvalidInput where the source cannot be polled.
    """
    for source in [only] if only else gradewire.catalogue.sources.values():
        chosen = selections(gradewire, source)
        if only and not chosen:
            chosen = [_unasked(gradewire, source)]
        for selection in chosen:
            yield observe(gradewire, source, selection, again=True)


def _unasked(gradewire: Gradewire, source: Source) -> Selection:
    reason = obstacle(gradewire, source)
    if not reason and source.selection == "ids":
        reason = f"{source.label}: nobody wants a {source.subject} of it yet; subscribe to one first."
    if reason:
        raise InvalidInput(reason)
    return EVERYTHING


def observe_due(gradewire: Gradewire, source: Source) -> list[Observed]:
    """Poll whatever of a source is due."""
    return poll_due(gradewire, source)


def run(gradewire: Gradewire) -> list[Observed]:
    """Poll whatever is due, one run at a time in a process: a second one has nothing to do, and does not wait."""
    if not _polling.acquire(blocking=False):
        return []
    try:
        return poll_due(gradewire)
    finally:
        _polling.release()
