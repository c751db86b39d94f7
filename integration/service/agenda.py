"""What is wanted and when it is due; how often the plan lets each source be polled until its calls are reset."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from integration.domain.catalogue import Source
from integration.domain.pacing import KEPT, Bracket, Habit, Look, Watch, brackets, ladder, learn
from integration.domain.rationing import Need, Ration, ration
from integration.domain.retry import DAY, SECOND
from integration.service.selecting import NAMED, Selection, calls_a_look, selected, size
from integration.service.wanting import named, wanted
from integration.service.wiring import Gradewire
from integration.store.budget import Usage
from integration.store.queries import polls, readings

#: Looks lie no closer together than this in wall time (ms), however fast a sandbox runs.
CLOSEST = SECOND
#: Polls that are learnt from go back so many cadences, and at least so long.
BACK, AT_LEAST = KEPT + 15, 12 * DAY


@dataclass(frozen=True, slots=True)
class Entry:
    """A selection of a source that is wanted: when it is looked at, in what interval, and when anyone last tried.

    `interval` is the one in force (ms of market time), None where the plan leaves no calls for it; `freely` the shortest.
    `unread` says that people have named ids that were never read: they need not wait for the next look.
    """

    source: Source
    selection: Selection
    watch: Watch
    interval: int | None
    freely: int
    tried: int | None
    unread: bool = False

    def slot(self, market: int) -> int | None:
        """The slot (market time) of a poll that is due now; None where none is."""
        if self.interval is None:
            return None
        due = self.watch.next(self.interval)
        begun = market - market % self.watch.cadence
        if due is None:
            return begun
        return max(due, begun) if due <= market else None

    def turn(self, market: int) -> tuple[bool, float, bool, float, str, str]:
        """Its place among all that is due, the lowest first: who was never read comes before who was, then who has waited for
        most of its intervals. What has twice the weight waits half as long."""
        source, step = self.source, max(self.interval or 0, self.watch.cadence)
        waited = 0.0 if self.tried is None else source.weight * (market - self.tried) / step
        return self.tried is not None, -waited, not source.always, -source.weight, source.key, self.selection.name


@dataclass(frozen=True, slots=True)
class Agenda:
    """Everything that is wanted, in the order in which it is polled, and how far the plan goes; `now` and `until` are market
    time."""

    now: int
    until: int
    usage: Usage
    allowed: int
    shared: Ration
    entries: tuple[Entry, ...]


def agenda(gradewire: Gradewire) -> Agenda:
    """What is wanted now, and the interval of each that makes the calls last until the reset, less the reserve for people."""
    wall = gradewire.now()
    now, usage = gradewire.clock.at(wall), gradewire.budget.used(wall)
    until = gradewire.clock.at(usage.month_ends)
    reserve = math.ceil(usage.per_month * gradewire.settings["reserve_percent"] / 100)
    allowed = max(0, usage.per_month - usage.month - reserve)
    needs, seen = [], []
    with gradewire.database.read() as connection:
        by_name = named(gradewire, connection)
        for key, ids in wanted(gradewire, connection).items():
            source = gradewire.catalogue.sources[key]
            everyone = size(connection, source)
            past = past_of(gradewire, connection, source, now)
            for selection in selected(connection, source, ids):
                watch, tried = past.of(selection)
                unread = selection.name == NAMED and _unread(gradewire, connection, source, by_name.get(key) or set())
                needs.append(need(gradewire, source, selection, watch, everyone, now, until))
                seen.append((source, selection, watch, tried, unread))
    shared = ration(needs, allowed)
    entries = [
        Entry(source, selection, watch, shared.intervals.get(each.key), each.rungs[0][0], tried, unread)
        for each, (source, selection, watch, tried, unread) in zip(needs, seen, strict=True)
    ]
    entries.sort(key=lambda entry: entry.turn(now))
    return Agenda(now, until, usage, allowed, shared, tuple(entries))


def _unread(gradewire: Gradewire, connection: Connection, source: Source, ids: set[int]) -> bool:
    """Whether ids of a source have been named that were never asked for, and have no live readings either."""
    asked_for: set[int] = gradewire.memory.setdefault(f"asked for of {source.key}", set())
    if ids <= asked_for:
        return False
    newest = readings.newest_as_of(connection, source.key)
    if newest is not None:
        there = readings.told_of(connection, source.key, newest - source.cadence, live=True)
        asked_for.update(int(name.partition(":")[2]) for name in there)
    return not ids <= asked_for


def note_asked(gradewire: Gradewire, source: Source, selection: Selection) -> None:
    """These ids have been asked for."""
    gradewire.memory.setdefault(f"asked for of {source.key}", set()).update(selection.ids or ())


def need(gradewire: Gradewire, source: Source, selection: Selection, watch: Watch, everyone: int, now: int, until: int) -> Need:
    """The calls that polling a selection takes until a time, at each interval that it may be polled in."""
    rungs = intervals(gradewire, source)
    rungs = rungs[:1] if source.always else rungs
    took = [(each, math.ceil(watch.looks(each, now, until) * calls_a_look(source, selection, everyone, each))) for each in rungs]
    return Need((source.key, selection.name), tuple(took), source.weight, source.always)


def intervals(gradewire: Gradewire, source: Source) -> tuple[int, ...]:
    """The intervals (ms of market time) that a source may be polled in, shortest first."""
    floor = math.floor(CLOSEST * gradewire.clock.speed)
    return ladder(source.cadence, dated=source.dated, floor=floor)


# -- what the past polls tell ----------------------------------------------------------------------------------------


class Past:
    """What the polls of a source tell: its habit, from all of them, and where each selection stands."""

    def __init__(self, source: Source, grain: int, looks: dict[str, list[Look]], tried: dict[str, int]) -> None:
        self.source, self.grain, self.looks, self.tried = source, grain, looks, tried
        found: Iterable[Bracket] = (bracket for each in looks.values() for bracket in brackets(each))
        self.habit: Habit | None = learn(found) if source.dated else None

    def of(self, selection: Selection) -> tuple[Watch, int | None]:
        """(when it is looked at, the last time that anyone tried)."""
        looks = self.looks.get(selection.name, [])
        tried = self.tried.get(selection.name)
        cadence, dated = self.source.cadence, self.source.dated
        if not looks:
            return Watch(cadence, dated, self.grain, self.habit), tried
        newest = max(look.newest for look in looks)
        since = next(look.at for look in looks if look.newest == newest)
        return Watch(cadence, dated, self.grain, self.habit, looks[-1].at, newest, since), tried


def past_of(gradewire: Gradewire, connection: Connection, source: Source, now: int) -> Past:
    """The polls of a source of late, at a market time."""
    grain = min(intervals(gradewire, source)[0], source.cadence)
    looks, tried = defaultdict[str, list[Look]](list), dict[str, int]()
    for row in polls.tried(connection, source.key, now - max(BACK * source.cadence, AT_LEAST)):
        at = gradewire.clock.at(row.started_at)
        at = max(row.slot, at - at % grain)  # a poll may have had to wait
        tried[row.selection] = max(at, tried.get(row.selection, at))
        if row.status == "done" and (row.newest is not None or not source.dated):
            looks[row.selection].append(Look(at, row.newest or 0))
    for each in looks.values():
        each.sort()
    return Past(source, grain, looks, tried)
