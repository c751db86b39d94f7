"""Polling a source: claim the slot, fetch every page, then store, evaluate and owe in one transaction."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Batch, Source, SubjectRow
from integration.domain.errors import BudgetSpent, UpstreamError
from integration.domain.retry import DAY, MINUTE
from integration.service.deriving import Changed, derive, wanted
from integration.service.tick import New, evaluate
from integration.service.wanting import ALL, selections
from integration.service.wiring import Gradewire
from integration.store.queries import events, polls, readings, subjects
from integration.tokenmetrics import Fetched

#: A poll's lease: far longer than fetching every page of the largest source takes.
LEASE = 30 * MINUTE
#: A poll with fewer rows than this share of the one before changes nothing …
ENOUGH = 0.7
#: … until so many of them in a row agree within this share of each other: then that is how many there are.
AGREEING, AGREE_WITHIN = 3, 0.05


@dataclass(frozen=True, slots=True)
class Observed:
    """How a poll ended. `status` is done, partial, failed; or waiting (not to be done now, or being done elsewhere)."""

    source: str
    selection: str
    slot: int
    status: str
    rows: int = 0
    events: int = 0
    owed: int = 0
    error: str = ""


def observe(gradewire: Gradewire, source: Source, selection: str = ALL, *, again: bool = False) -> Observed:
    """Poll one source for the slot that market time is in. Another worker's poll, or one that is done, is left alone.

    `again` polls a slot of its own at the present moment, for people who want to look now.
    """
    now = gradewire.now()
    slot = gradewire.clock.at(now) if again else gradewire.clock.slot(now, source.cadence)
    lease = secrets.token_hex(8)
    with gradewire.database.write() as connection:
        poll_id = polls.claim(connection, source.key, selection, slot, lease=lease, now=now, until=now + LEASE)
        first = readings.newest_as_of(connection, source.key)
    if poll_id is None:
        return Observed(source.key, selection, slot, "waiting")
    try:
        fetched = _fetch(gradewire, source, selection, slot, first, poll_id)
        result = _commit(gradewire, source, selection, slot, poll_id, lease, fetched)
    except UpstreamError as error:
        result = _failed(gradewire, source, selection, slot, poll_id, lease, error)
    except Exception as error:
        unforeseen = UpstreamError(f"{source.label}: Gradewire failed ({type(error).__name__}); nothing was changed.")
        _failed(gradewire, source, selection, slot, poll_id, lease, unforeseen)
        raise
    if result.owed:
        gradewire.wake()
    return result


def _fetch(gradewire: Gradewire, source: Source, selection: str, slot: int, newest: int | None, poll_id: int) -> Fetched:
    start, end = span(source, slot, newest, gradewire.settings.withheld_days if source.by_plan else 0)
    ids = None if selection == ALL else [int(selection)]
    return gradewire.client.fetch(source, ids=ids, start=start, end=end, slot=slot, poll_id=poll_id)


def span(source: Source, slot: int, newest: int | None, withheld_days: int) -> tuple[date | None, date | None]:
    """The dates to ask a ranged source for: from the newest day that is stored (it may have been restated) to the newest
    that can be had, so that a gap is filled before newer days are evaluated. At first, two days."""
    if not source.ranged:
        return None, None
    last = slot - (withheld_days + source.lag) * DAY
    begin = min(newest, last) if newest is not None else last - DAY
    return _date(begin), _date(last)


def _date(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def _commit(
    gradewire: Gradewire, source: Source, selection: str, slot: int, poll_id: int, lease: str, fetched: Fetched
) -> Observed:
    """Store what was fetched, find what fired, write events and what they owe: all of it or nothing."""
    rows = size(source, fetched)
    with gradewire.database.write() as connection:
        if not polls.is_mine(connection, poll_id, lease):
            return Observed(source.key, selection, slot, "waiting")
        events.lock(connection)
        wall = gradewire.now()
        now = max(wall, readings.newest_known_at(connection) + 1)
        if not trusted(rows, polls.recent(connection, source.key, selection, limit=20)):
            error = f"Only {rows} rows came, far fewer than before; nothing was changed."
            polls.settle(
                connection,
                poll_id,
                lease,
                "partial",
                now=now,
                rows=rows,
                error=error,
                lease_until=wall + _pause(gradewire, source),
            )
            return Observed(source.key, selection, slot, "partial", rows, error=error)
        _keep_names(connection, fetched.names, now)
        names, oldest = store_batch(connection, source, fetched.batch, poll_id, now=now)
        found, owed = evaluate(connection, gradewire.catalogue, gradewire.asked, New(source, names, oldest, now), due=wall)
        times = sorted({int(time) for time in fetched.batch.as_of.tolist() if time >= oldest})
        changed = Changed(names, times if names else [])
        want = wanted(gradewire.catalogue, gradewire.asked.sources(connection))
        for derived, its_names, its_oldest in derive(connection, gradewire.catalogue, source, changed, want=want, now=now):
            new = New(derived, its_names, its_oldest, now)
            more = evaluate(connection, gradewire.catalogue, gradewire.asked, new, due=wall)
            found, owed = found + more[0], owed + more[1]
        polls.settle(connection, poll_id, lease, "done", now=now, rows=rows, events=found)
    return Observed(source.key, selection, slot, "done", rows, found, owed)


def size(source: Source, fetched: Fetched) -> int:
    """How many rows an answer has; of a source that is asked for days, rows a day, for some polls ask for more days."""
    rows = fetched.batch.rows or len(fetched.batch.subjects) or len(fetched.names)
    days = len(np.unique(fetched.batch.as_of)) if source.ranged else 1
    return math.ceil(rows / max(days, 1))


def trusted(rows: int, recent: Sequence[tuple[str, int]]) -> bool:
    """Whether so many rows are a whole answer, given the (status, rows) of earlier polls, newest first.

    The first answer ever must have some; after that, three short ones in a row that agree are believed.
    """
    last = next((count for status, count in recent if status == "done"), None)
    if rows >= ENOUGH * last if last is not None else rows > 0:
        return True
    short = []
    for status, count in recent[: AGREEING - 1]:
        if status != "partial":
            return False
        short.append(count)
    return len(short) == AGREEING - 1 and all(abs(count - rows) <= AGREE_WITHIN * max(rows, 1) for count in short)


def _keep_names(connection: Connection, names: Sequence[SubjectRow], now: int) -> None:
    subjects.keep(connection, names, now)
    ranked = [row.subject for row in names if row.market_rank is not None]
    if ranked:
        subjects.forget_ranks(connection, ranked)


def store_batch(connection: Connection, source: Source, batch: Batch, poll_id: int | None, *, now: int) -> tuple[list[str], int]:
    """Store the readings of a batch that say something new: (subjects with new readings, oldest new as_of in ms).

    An identical (subject, as_of, values) adds none; a different one is a new version. Of a subject that this source
    never told of before, all but the newest reading are history from before its first live one (origin backfill).
    """
    times = [int(t) for t in np.asarray(batch.as_of).tolist()]
    values = np.where(np.isfinite(batch.values), batch.values, np.nan) + 0.0 if len(times) else batch.values
    there = readings.newest_versions(connection, source.key, times)
    newest: dict[str, int] = {}
    for subject, as_of in zip(batch.subjects, times, strict=True):
        newest[subject] = max(as_of, newest.get(subject, as_of))
    fresh = []
    for position, (subject, as_of) in enumerate(zip(batch.subjects, times, strict=True)):
        packed, text = np.ascontiguousarray(values[position], dtype=np.float64).tobytes(), batch.texts[position]
        before = there.get((subject, as_of))
        if before is not None and before.values == packed and before.text == text:
            continue
        version = before.version + 1 if before is not None else 0
        fresh.append(readings.Row(source.key, subject, as_of, version, now, "live", poll_id, packed, text))
    earlier = sorted({row.subject for row in fresh if row.as_of < newest[row.subject]})
    unseen = set(earlier) - readings.known_subjects(connection, source.key, earlier) if earlier else set()
    live = [row for row in fresh if row.subject not in unseen or row.as_of == newest[row.subject]]
    before_live = [row for row in fresh if row.subject in unseen and row.as_of < newest[row.subject]]
    past = [row._replace(origin="backfill", known_at=min(row.as_of, now - 1)) for row in before_live]
    readings.add(connection, live + past)
    return sorted({row.subject for row in live}), min((row.as_of for row in live), default=0)


def _pause(gradewire: Gradewire, source: Source) -> int:
    """How long a failed poll waits before it is repeated: a twenty-fourth of the cadence, in wall ms."""
    return max(200, round(gradewire.clock.wall_length(source.cadence) / 24))


def _failed(
    gradewire: Gradewire, source: Source, selection: str, slot: int, poll_id: int, lease: str, error: UpstreamError
) -> Observed:
    now = gradewire.now()
    wait = now + _pause(gradewire, source)
    if isinstance(error, BudgetSpent):
        wait = max(wait, error.retry_at)
    with gradewire.database.write() as connection:
        polls.settle(connection, poll_id, lease, "failed", now=now, error=error.message[:500], lease_until=wait)
    return Observed(source.key, selection, slot, "failed", error=error.message)


def observe_due(gradewire: Gradewire, source: Source) -> list[Observed]:
    """Poll whatever of a source is due: what beat asks for. Most of the time there is nothing to do."""
    slot, now = gradewire.clock.slot(gradewire.now(), source.cadence), gradewire.now()
    due = []
    for selection in selections(gradewire, source):
        with gradewire.database.read() as connection:
            if polls.state(connection, source.key, selection, slot, now) is None:
                due.append(selection)
    return [observe(gradewire, source, selection) for selection in due]
