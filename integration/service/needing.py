"""The past that something derived needs and nobody has asked for, and what waits for it.

The first live reading of a subject waits until the past that is needed of it is there: so the first that is evaluated has
its history before it. It does not wait for what would take too many calls, for what failed, or where nothing comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import Connection

from integration.domain.catalogue import Source
from integration.domain.retry import DAY, MINUTE
from integration.service.deriving import needed_past, wanted
from integration.service.selecting import size
from integration.service.wanting import wanted_subjects
from integration.service.wiring import Gradewire
from integration.store.queries import past
from integration.tokenmetrics.asks import calls

#: Filling unasked takes at most this share of the calls that are left in the plan's month.
SHARE = 0.25
#: After a fetch that failed nothing waits for that past, and it is not tried again, for so long (ms).
PAUSE = MINUTE
#: Longer than this (ms) without any of it having come, nothing waits for a past: longer than 29 days of all tokens take.
PATIENCE = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Needed:
    """Days of a source between two as_of (ms, both included), of some subjects (None: all); `is_first` says that none of
    them was read live yet."""

    source: Source
    subjects: tuple[str, ...] | None
    since: int
    until: int
    is_first: bool

    @property
    def ids(self) -> list[int] | None:
        """The upstream's ids of the subjects."""
        return ids_of(self.subjects)


def ids_of(subjects: Sequence[str] | None) -> list[int] | None:
    """The upstream's ids of some subjects; None of all."""
    return None if subjects is None else [int(name.partition(":")[2]) for name in subjects]


def day_of(milliseconds: int) -> date:
    """The UTC date of a time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def newest_day(gradewire: Gradewire, source: Source) -> int:
    """The newest as_of (ms) of a day that upstream gives of a source now."""
    withheld = gradewire.settings.withheld_days if source.by_plan else 0
    return gradewire.clock.slot(gradewire.now(), DAY) - (withheld + source.lag) * DAY


def first_live(gradewire: Gradewire, connection: Connection, source: Source, names: Sequence[str]) -> dict[str, int]:
    """The first as_of (ms) that was read live of some subjects ("all": of any), where there is one. It never changes."""
    known: dict[str, int] = gradewire.memory.setdefault(f"first live of {source.key}", {})
    unknown = [name for name in names if name not in known]
    if past.ALL in unknown:
        known.update({past.ALL: min(found.values())} if (found := past.first_live(connection, source.key)) else {})
    elif unknown:
        known.update(past.first_live(connection, source.key, unknown))
    return {name: known[name] for name in names if name in known}


def needed(gradewire: Gradewire) -> Iterator[Needed]:
    """Every past that is needed and was not asked for."""
    catalogue = gradewire.catalogue
    with gradewire.database.read() as connection:
        days_of = needed_past(catalogue, wanted(catalogue, gradewire.asked.sources(connection)))
        for key, days in days_of.items():
            source = catalogue.sources[key]
            if source.ranged and days:
                yield from _missing(gradewire, connection, source, days)


def _missing(gradewire: Gradewire, connection: Connection, source: Source, days: int) -> Iterator[Needed]:
    settled: set[tuple[str, str, int]] = gradewire.memory.setdefault("settled pasts", set())
    whose = wanted_subjects(gradewire, connection, source)
    names = sorted(name for name in ({past.ALL} if whose is None else whose) if (source.key, name, days) not in settled)
    if not names or (whose is None and not size(connection, source)):
        return  # where nobody knows how many there are, it cannot be said what they cost
    live, noted = first_live(gradewire, connection, source, names), past.filled(connection, source.key)
    newest = newest_day(gradewire, source)
    missing: dict[tuple[int, bool], list[str]] = defaultdict(list)
    for name in names:
        seam = live.get(name, newest)
        if noted.get(name, noted.get(past.ALL, seam)) > seam - days * DAY:
            missing[seam, name not in live].append(name)
        else:
            settled.add((source.key, name, days))
    for (seam, is_first), subjects in sorted(missing.items()):
        yield Needed(source, None if whose is None else tuple(subjects), seam - days * DAY, seam - DAY, is_first)


# -- what it costs -----------------------------------------------------------------------------------------------------


def left(gradewire: Gradewire) -> int:
    """Calls that the plan's month still has."""
    used = gradewire.budget.used(gradewire.now())
    return max(0, used.per_month - used.month)


def price(gradewire: Gradewire, past_: Needed) -> int:
    """The calls that fetching a past takes at most."""
    with gradewire.database.read() as connection:
        everyone = size(connection, past_.source) if past_.subjects is None else 0
    return calls(past_.source, past_.ids, day_of(past_.since), day_of(past_.until), everyone)


def shortfalls(gradewire: Gradewire) -> list[tuple[Source, int]]:
    """Sources whose past would take too many calls to be fetched unasked, and how many."""
    priced = [(past_.source, price(gradewire, past_)) for past_ in needed(gradewire)]
    return [(source, dear) for source, dear in priced if dear > SHARE * left(gradewire)]


# -- what is to be fetched, and what waits for it ----------------------------------------------------------------------


def due(gradewire: Gradewire) -> list[Needed]:
    """The pasts that are to be fetched now: those that are within the share of the calls, and did not fail just now."""
    failed = _failed(gradewire)
    found = [past_ for past_ in needed(gradewire) if gradewire.now() - failed.get(past_.source.key, -PAUSE) >= PAUSE]
    return [past_ for past_ in found if price(gradewire, past_) <= SHARE * left(gradewire)]


def note_failed(gradewire: Gradewire, source: Source) -> None:
    """The past of a source could not be fetched."""
    _failed(gradewire)[source.key] = gradewire.now()


def _failed(gradewire: Gradewire) -> dict[str, int]:
    failed: dict[str, int] = gradewire.memory.setdefault("failed pasts", {})
    return failed


def awaited(gradewire: Gradewire) -> dict[str, set[int] | None]:
    """The ids of each source, None for all, whose first live reading waits for a past that is on its way."""
    found: dict[str, set[int] | None] = {}
    for past_ in due(gradewire):
        if past_.is_first:
            ids, others = past_.ids, found.get(past_.source.key, set())
            found[past_.source.key] = None if ids is None or others is None else {*ids, *others}
    waiting: dict[str, int] = gradewire.memory.setdefault("awaited pasts", {})
    for key in waiting.keys() - found.keys():
        del waiting[key]
    now = gradewire.now()
    with gradewire.database.read() as connection:
        moved = {key: max(waiting.setdefault(key, now), past.last_filled(connection, key)) for key in found}
    return {key: ids for key, ids in found.items() if now - moved[key] < PATIENCE}
