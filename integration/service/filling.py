"""The past of a source, fetched from its history endpoint: so that what is derived from it says something at once.

A reading from before its subject's first live one counts as known when it was true (origin `backfill`). One that was
missed later is marked `reconstructed`: it serves charts and backtests, never a feed or a delivery.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Batch, Source
from integration.domain.errors import BudgetSpent, UpstreamError
from integration.domain.retry import DAY
from integration.service.deriving import PAST, Changed, derive, wanted
from integration.service.evaluate import polled
from integration.service.needing import day_of, due, first_live, ids_of, newest_day, note_failed
from integration.service.newest import New
from integration.service.storing import portions
from integration.service.tick import evaluate
from integration.service.wiring import Gradewire
from integration.store.queries import events, past, readings
from integration.tokenmetrics.asks import LONGEST_SPAN

#: Subjects whose derived past is computed in one transaction, and times of what is derived from all subjects at once: few
#: enough that no delivery waits long for it.
SUBJECTS_AT_ONCE, TIMES_AT_ONCE = 10, 10


def fill(gradewire: Gradewire, source: Source, subjects: Sequence[str] | None, since: int, until: int) -> int:
    """Fetch and store what is missing of a source's days between two as_of, newest first; how many calls that took.

    `subjects` None means all of them. Each 29 days are kept once they are whole: BudgetSpent and UpstreamError leave them,
    and doing it again goes on from there.
    """
    made = 0
    names = [past.ALL] if subjects is None else sorted(subjects)
    last, is_joined = _last(gradewire, source, names, until)
    for first, end in _windows(since, last):
        made += _fetch(gradewire, source, subjects, first, end)
        if is_joined and first > since:
            _note(gradewire, source, names, first)
    _derive(gradewire, source, subjects, since, until)
    if is_joined:
        _note(gradewire, source, names, since)
    return made


def _last(gradewire: Gradewire, source: Source, names: Sequence[str], until: int) -> tuple[int, bool]:
    """(the last day to fetch, whether nothing is left open between it and what was asked for or is read live)."""
    with gradewire.database.read() as connection:
        noted, live = past.filled(connection, source.key), first_live(gradewire, connection, source, names)
    asked = {name: noted.get(name, noted.get(past.ALL)) for name in names}
    done = max((until + DAY if each is None else each for each in asked.values()), default=until + DAY)
    last = min(until, done - DAY)
    newest = newest_day(gradewire, source)
    seam = max((live.get(name, newest) if each is None else each for name, each in asked.items()), default=until)
    return last, last >= seam - DAY


def _windows(since: int, last: int) -> Iterator[tuple[int, int]]:
    """Stretches of at most 29 days, newest first."""
    while since <= last:
        first = max(since, last - (LONGEST_SPAN - 1) * DAY)
        yield first, last
        last = first - DAY


def _fetch(gradewire: Gradewire, source: Source, subjects: Sequence[str] | None, first: int, last: int) -> int:
    slot = gradewire.clock.slot(gradewire.now(), source.cadence)
    fetched = gradewire.client.fetch(source, ids=ids_of(subjects), start=day_of(first), end=day_of(last), slot=slot)
    for part in portions(fetched.batch):
        with gradewire.database.write() as connection:
            events.lock(connection)
            now = readings.moment(connection, gradewire.now())
            live = first_live(gradewire, connection, source, sorted(set(part.subjects)))
            readings.add(connection, list(_missing(connection, source, part, live, now)))
    return fetched.calls


def _missing(connection: Connection, source: Source, batch: Batch, live: Mapping[str, int], now: int) -> Iterator[readings.Row]:
    """The rows of a batch that are not stored, each with what it counts as."""
    times = [int(time) for time in np.asarray(batch.as_of).tolist()]
    there = past.present(connection, source.key, times)
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
    """Compute what follows from the past, a part at a time. Only where it changes what was live is it evaluated."""
    with gradewire.database.read() as connection:
        want = wanted(gradewire.catalogue, gradewire.asked.sources(connection))
        stored = readings.settled(connection, source.key, since=since, until=until, subjects=subjects)
    names, times = sorted({row[0] for row in stored}), sorted({row[1] for row in stored})
    for changed, whole in _parts(names, times):
        with gradewire.database.write() as connection:
            events.lock(connection)
            now = readings.moment(connection, gradewire.now())
            derived = derive(connection, gradewire.catalogue, source, changed, want=want, now=now, whole=whole)
            for new in [New(*each, now) for each in derived]:
                evaluate(connection, gradewire.catalogue, gradewire.asked, new, clock=gradewire.now)
    gradewire.wake()


def _parts(names: Sequence[str], times: Sequence[int]) -> Iterator[tuple[Changed, bool]]:
    """What is computed in one transaction each: of some subjects all times, then of all subjects at once some times."""
    for start in range(0, len(names), SUBJECTS_AT_ONCE):
        yield Changed(names[start : start + SUBJECTS_AT_ONCE], times), False
    for start in range(0, len(times), TIMES_AT_ONCE):
        part = times[start : start + TIMES_AT_ONCE]
        yield Changed(names, part, None if part[-1] == times[-1] else part[-1]), True


def fill_due(gradewire: Gradewire) -> int:
    """Fill what derived sources that are wanted need of the past; how many calls that took.

    Only where it takes no more than a share of the calls that are left: what it would cost else is in `shortfalls`. What is
    stored already is derived from where that was not wanted before. Where fetching fails, the others are fetched all the
    same, and it is raised at the end.
    """
    made, broken = 0, list[UpstreamError]()
    for source, subjects, since, until in _underived(gradewire):
        _derive(gradewire, source, subjects, since, until)
    for needed in due(gradewire):
        try:
            made += fill(gradewire, needed.source, needed.subjects, needed.since, needed.until)
        except UpstreamError as error:
            note_failed(gradewire, needed.source)
            if not isinstance(error, BudgetSpent):
                broken.append(error)
    if broken:
        raise broken[0]
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
        derived: set[tuple[str, str, int]] = gradewire.memory.setdefault("derived pasts", set())
        if until is not None and (base, key, until) not in derived:
            derived.add((base, key, until))  # where nothing follows from it, nothing does until there is more
            yield catalogue.sources[base], None, until - PAST, until
