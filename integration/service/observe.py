"""Polling a source: claim the slot, fetch every page, then store, evaluate and owe in one transaction."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from integration.domain.catalogue import Batch, Source, SubjectRow
from integration.domain.errors import BudgetSpent, UpstreamError
from integration.domain.retry import DAY
from integration.service import journal
from integration.service.deriving import Changed, derive, wanted
from integration.service.newest import New
from integration.service.noticing import baseline
from integration.service.selecting import EVERYTHING, Selection
from integration.service.storing import newest_of, portions, store_batch
from integration.service.tick import evaluate
from integration.service.trusting import expected, judge, reached, size
from integration.service.wiring import Gradewire
from integration.store.queries import events, polls, readings, subjects
from integration.tokenmetrics import Fetched


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


@dataclass(frozen=True, slots=True)
class Poll:
    """A poll that is ours: its row and the lease that makes it so."""

    source: Source
    selection: Selection
    slot: int
    id: int
    lease: str

    def ended(self, status: str, **more: Any) -> Observed:
        """How it ended."""
        return Observed(self.source.key, self.selection.name, self.slot, status, **more)


def observe(
    gradewire: Gradewire, source: Source, selection: Selection = EVERYTHING, *, slot: int | None = None, again: bool = False
) -> Observed:
    """Poll a selection of a source for a slot (market time), by default the one that the market is in.

    Another worker's poll, or one that is done, is left alone. `again` polls a slot of its own at the present moment, for
    people who want to look now.
    """
    now = gradewire.now()
    if again or slot is None:
        slot = gradewire.clock.at(now) if again else gradewire.clock.slot(now, source.cadence)
    lease = secrets.token_hex(8)
    with gradewire.database.write() as connection:
        poll_id = polls.claim(connection, source.key, selection.name, slot, lease=lease, now=now, until=now + polls.LEASE)
        first = readings.newest_as_of(connection, source.key)
    if poll_id is None:
        return Observed(source.key, selection.name, slot, "waiting")
    poll, began = Poll(source, selection, slot, poll_id, lease), time.monotonic()
    result = poll.ended("failed")
    try:
        result = _commit(gradewire, poll, _fetch(gradewire, poll, first))
    except UpstreamError as error:
        result = _failed(gradewire, poll, error)
    except Exception as error:
        unforeseen = UpstreamError(f"{source.label}: Gradewire failed ({type(error).__name__}); nothing was changed.")
        result = _failed(gradewire, poll, unforeseen)
        raise
    finally:
        journal.polled(poll.id, result, round((time.monotonic() - began) * 1000))
    if result.owed:
        gradewire.wake()
    return result


def _fetch(gradewire: Gradewire, poll: Poll, newest: int | None) -> Fetched:
    source = poll.source
    start, end = span(source, poll.slot, newest, gradewire.settings.withheld_days if source.by_plan else 0)
    dated = poll.slot - poll.slot % source.cadence
    return gradewire.client.fetch(source, ids=poll.selection.ids, start=start, end=end, slot=dated, poll_id=poll.id)


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


def _commit(gradewire: Gradewire, poll: Poll, fetched: Fetched) -> Observed:
    """Store what was fetched, find what fired, write events and what they owe: all of it or nothing, if it is a whole answer.

    Of a long time that was missed, each portion of it is one transaction, oldest first, so that none is long.
    """
    rows = size(poll.source, poll.selection, fetched)
    parts, newest = portions(fetched.batch), newest_of(fetched.batch)
    taken = Taken()
    for number, part in enumerate(parts):
        with gradewire.database.write() as connection:
            if not polls.is_mine(connection, poll.id, poll.lease):
                return poll.ended("waiting")
            events.lock(connection)
            if not number and (refused := _refused(gradewire, connection, poll, fetched, rows)):
                return refused
            now = readings.moment(connection, gradewire.now())
            if not number:
                _keep_names(connection, fetched.names, now)
            taken += _take_in(gradewire, connection, poll, part, newest, now=now)
            if number == len(parts) - 1:
                seen = {"rows": rows, "fresh": taken.fresh, "late": taken.late, "events": taken.events}
                told = {**seen, "calls": fetched.calls, "newest": reached(fetched.batch)}
                polls.settle(connection, poll.id, poll.lease, "done", now=now, **told)
    return poll.ended("done", rows=rows, events=taken.events, owed=taken.owed)


def _refused(gradewire: Gradewire, connection: Connection, poll: Poll, fetched: Fetched, rows: int) -> Observed | None:
    """How the poll ends where the answer is not whole; None where it is, or is believed."""
    source, wall = poll.source, gradewire.now()
    recent = polls.recent(connection, source.key, poll.selection.name, limit=20)
    judgement = judge(rows, recent, expected(connection, source, poll.selection))
    if judgement == "believed":
        baseline(connection, source, poll.slot, rows, wall)
    if judgement != "short":
        return None
    error = f"Only {rows} rows came, far fewer than before; nothing was changed."
    told = {"rows": rows, "calls": fetched.calls, "error": error}
    polls.settle(connection, poll.id, poll.lease, "partial", now=wall, lease_until=wall + _pause(gradewire, poll), **told)
    return poll.ended("partial", rows=rows, error=error)


class Taken(NamedTuple):
    """What came of readings: how many were new, how many of these late; events, deliveries owed."""

    fresh: int = 0
    late: int = 0
    events: int = 0
    owed: int = 0

    def __add__(self, other: object) -> Taken:
        if not isinstance(other, Taken):
            return NotImplemented
        return Taken(*(mine + more for mine, more in zip(self, other, strict=True)))


def _take_in(
    gradewire: Gradewire, connection: Connection, poll: Poll, batch: Batch, newest: Mapping[str, int], *, now: int
) -> Taken:
    """Store and derive, then evaluate. `newest` is each subject's newest as_of of the whole answer.

    What is derived from a reading is known when that is, so it is there before anything is evaluated beside it.
    """
    catalogue, asked = gradewire.catalogue, gradewire.asked
    names, oldest, fresh, late = store_batch(connection, poll.source, batch, poll.id, now=now, newest=newest)
    times = sorted({int(time) for time in batch.as_of.tolist() if time >= oldest})
    changed, want = Changed(names, times if names else []), wanted(catalogue, asked.sources(connection))
    derived = [New(*each, now, poll.id) for each in derive(connection, catalogue, poll.source, changed, want=want, now=now)]
    taken = Taken(fresh, late)
    for new in (New(poll.source, names, oldest, now, poll.id), *derived):
        taken += Taken(0, 0, *evaluate(connection, catalogue, asked, new, clock=gradewire.now))
    return taken


def _keep_names(connection: Connection, names: Sequence[SubjectRow], now: int) -> None:
    subjects.keep(connection, names, now)
    ranked = [row.subject for row in names if row.market_rank is not None]
    if ranked:
        subjects.forget_ranks(connection, ranked)


def _pause(gradewire: Gradewire, poll: Poll) -> int:
    """How long (wall ms) what did not end well waits before it is repeated: a twenty-fourth of the cadence, then as long as it
    has been waited for, so that a long outage costs few calls."""
    cadence, clock = poll.source.cadence, gradewire.clock
    since = min(clock.at(gradewire.now()) - poll.slot, cadence)
    return max(200, round(clock.wall_length(max(cadence // 24, since))))


def _failed(gradewire: Gradewire, poll: Poll, error: UpstreamError) -> Observed:
    now = gradewire.now()
    wait = now + _pause(gradewire, poll)
    if error.retry_at is not None:  # the plan's next calls come at a known time; others may ask for more than our pause
        wait = error.retry_at if isinstance(error, BudgetSpent) else max(wait, error.retry_at)
    with gradewire.database.write() as connection:
        polls.settle(connection, poll.id, poll.lease, "failed", now=now, error=error.message[:500], lease_until=wait)
    return poll.ended("failed", error=error.message)
