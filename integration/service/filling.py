"""The past of a source, fetched from its history endpoint: so that what is derived from it says something at once.

A reading from before its subject's first live one counts as known when it was true (origin `backfill`). One that was
missed later is marked `reconstructed`: it serves charts and backtests, never a feed or a delivery.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Batch, Source
from integration.domain.errors import BudgetSpent
from integration.domain.retry import DAY
from integration.service.deriving import PAST, Changed, derive, needed_past, wanted
from integration.service.evaluate import polled
from integration.service.newest import New
from integration.service.tick import evaluate
from integration.service.wanting import wanted_subjects
from integration.service.wiring import Gradewire
from integration.store.queries import events, past, readings
from integration.tokenmetrics.asks import LONGEST_SPAN, calls

#: Filling unasked takes at most this share of the calls that are left in the plan's month.
SHARE = 0.25
#: Subjects whose derived past is computed in one transaction: few enough that no delivery waits long for it.
AT_ONCE = 25


def fill(gradewire: Gradewire, source: Source, subjects: Sequence[str] | None, since: int, until: int) -> int:
    """Fetch and store what is missing of a source's days between two as_of, newest first; how many calls that took.

    `subjects` None means all of them. Each 29 days are kept once they are whole: BudgetSpent and UpstreamError leave them,
    and doing it again goes on from there.
    """
    made = 0
    names = [past.ALL] if subjects is None else sorted(subjects)
    for first, last in _windows(source, names, gradewire, since, until):
        made += _fetch(gradewire, source, subjects, first, last)
        if first > since:
            _note(gradewire, source, names, first)
    _derive(gradewire, source, subjects, since, until)
    _note(gradewire, source, names, since)
    return made


def _windows(source: Source, names: Sequence[str], gradewire: Gradewire, since: int, until: int) -> Iterator[tuple[int, int]]:
    """Stretches of at most 29 days, newest first, that were not asked for yet."""
    with gradewire.database.read() as connection:
        noted = past.filled(connection, source.key)
    done = max((noted.get(name, noted.get(past.ALL, until + DAY)) for name in names), default=until + DAY)
    last = min(until, done - DAY)
    while since <= last:
        first = max(since, last - (LONGEST_SPAN - 1) * DAY)
        yield first, last
        last = first - DAY


def _fetch(gradewire: Gradewire, source: Source, subjects: Sequence[str] | None, first: int, last: int) -> int:
    slot = gradewire.clock.slot(gradewire.now(), source.cadence)
    fetched = gradewire.client.fetch(source, ids=_ids(subjects), start=_date(first), end=_date(last), slot=slot)
    with gradewire.database.write() as connection:
        events.lock(connection)
        now = readings.moment(connection, gradewire.now())
        readings.add(connection, list(_missing(connection, source, fetched.batch, now)))
    return fetched.calls


def _ids(subjects: Sequence[str] | None) -> list[int] | None:
    return None if subjects is None else [int(name.partition(":")[2]) for name in subjects]


def _date(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def _missing(connection: Connection, source: Source, batch: Batch, now: int) -> Iterator[readings.Row]:
    """The rows of a batch that are not stored, each with what it counts as."""
    times = [int(time) for time in np.asarray(batch.as_of).tolist()]
    there = past.present(connection, source.key, times)
    live = past.first_live(connection, source.key)
    for position, (subject, as_of) in enumerate(zip(batch.subjects, times, strict=True)):
        if (subject, as_of) in there:
            continue
        before = as_of < live.get(subject, as_of + 1)
        origin, known_at, later = ("backfill", min(as_of, now - 1), now) if before else ("reconstructed", now, None)
        values = np.ascontiguousarray(batch.values[position], dtype=np.float64) + 0.0
        packed = np.where(np.isfinite(values), values, np.nan).tobytes()
        yield readings.Row(source.key, subject, as_of, 0, known_at, origin, None, packed, batch.texts[position], later)


def _note(gradewire: Gradewire, source: Source, names: Sequence[str], since: int) -> None:
    with gradewire.database.write() as connection:
        past.note(connection, source.key, names, since, gradewire.now())


def _derive(gradewire: Gradewire, source: Source, subjects: Sequence[str] | None, since: int, until: int) -> None:
    """Compute what follows from the past, a few subjects at a time. Only where it changes what was live is it evaluated."""
    with gradewire.database.read() as connection:
        want = wanted(gradewire.catalogue, gradewire.asked.sources(connection))
        stored = readings.settled(connection, source.key, since=since, until=until, subjects=subjects)
    names, times = sorted({row[0] for row in stored}), sorted({row[1] for row in stored})
    for start in range(0, len(names), AT_ONCE):
        with gradewire.database.write() as connection:
            events.lock(connection)
            now = readings.moment(connection, gradewire.now())
            last = start + AT_ONCE >= len(names)
            changed = Changed(names[start : start + AT_ONCE], times)
            derived = derive(connection, gradewire.catalogue, source, changed, want=want, now=now, whole=last)
            for new in [New(*each, now) for each in derived]:
                evaluate(connection, gradewire.catalogue, gradewire.asked, new, due=gradewire.now())
    gradewire.wake()


def fill_due(gradewire: Gradewire) -> int:
    """Fill what derived sources that are wanted need of the past; how many calls that took.

    Only after the first live poll, and only where it takes no more than a share of the calls that are left: what it
    would cost else is in `shortfalls`. What is stored already is derived from where that was not wanted before.
    """
    made = 0
    for source, subjects, since, until in _underived(gradewire):
        _derive(gradewire, source, subjects, since, until)
    for source, subjects, since, until in _due(gradewire):
        if _price(gradewire, source, subjects, since, until) <= SHARE * left(gradewire):
            with contextlib.suppress(BudgetSpent):
                made += fill(gradewire, source, subjects, since, until)
    return made


def _underived(gradewire: Gradewire) -> Iterator[tuple[Source, None, int, int]]:
    """The past of polled sources that something newly wanted is derived from."""
    catalogue = gradewire.catalogue
    with gradewire.database.read() as connection:
        want = wanted(catalogue, gradewire.asked.sources(connection))
        silent = [key for key in sorted(want) if readings.newest_as_of(connection, key) is None]
        bases = {(base, key) for key in silent for base in polled(catalogue, key)}
        newest = {(base, key): readings.newest_as_of(connection, base) for base, key in sorted(bases)}
    for (base, key), until in newest.items():
        if until is not None and (base, key, until) not in _settled(gradewire):
            _settled(gradewire).add((base, key, until))  # where nothing follows from it, nothing does until there is more
            yield catalogue.sources[base], None, until - PAST, until


def _settled(gradewire: Gradewire) -> set[tuple[str, str, int]]:
    """The pasts that this process need not look for again."""
    found: set[tuple[str, str, int]] = gradewire.memory.setdefault("settled pasts", set())
    return found


def left(gradewire: Gradewire) -> int:
    """Calls that the plan's month still has."""
    used = gradewire.budget.used(gradewire.now())
    return max(0, used.per_month - used.month)


def shortfalls(gradewire: Gradewire) -> list[tuple[Source, int]]:
    """Sources whose past would take too many calls to be fetched unasked, and how many."""
    found = []
    for source, subjects, since, until in _due(gradewire):
        price = _price(gradewire, source, subjects, since, until)
        if price > SHARE * left(gradewire):
            found.append((source, price))
    return found


def _price(gradewire: Gradewire, source: Source, subjects: Sequence[str] | None, since: int, until: int) -> int:
    with gradewire.database.read() as connection:
        known = len(past.first_live(connection, source.key)) if subjects is None else 0
    return calls(source, _ids(subjects), _date(since), _date(until), known)


def _due(gradewire: Gradewire) -> Iterator[tuple[Source, list[str] | None, int, int]]:
    """(source, subjects, since, until) of every past that is needed and was not asked for."""
    catalogue = gradewire.catalogue
    with gradewire.database.read() as connection:
        needed = needed_past(catalogue, wanted(catalogue, gradewire.asked.sources(connection)))
    for key, days in needed.items():
        source = catalogue.sources[key]
        if not source.ranged or not days:
            continue
        with gradewire.database.read() as connection:
            whose = wanted_subjects(gradewire, connection, source)
            names = {past.ALL} if whose is None else whose
            names = {name for name in names if (key, name, days) not in _settled(gradewire)}
            live = past.first_live(connection, key, None if whose is None else sorted(names)) if names else {}
            noted = past.filled(connection, key) if live else {}
        firsts = {past.ALL: min(live.values())} if whose is None and live else live
        missing: dict[int, list[str]] = defaultdict(list)
        for name in sorted(names & firsts.keys()):
            first = firsts[name]
            if noted.get(name, noted.get(past.ALL, first)) > first - days * DAY:
                missing[first].append(name)
            else:
                _settled(gradewire).add((key, name, days))
        for first, subjects in sorted(missing.items()):
            yield source, None if whose is None else subjects, first - days * DAY, first - DAY
