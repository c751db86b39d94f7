"""Replays: what failed, is held or is missing since a time is sent again, in small batches, as a job that can be cancelled.

A batch is made due only once the one before was tried, so that a long replay holds up no new event. Deliveries keep their
events' ids. A worker that dies loses nothing: what is due is due, and the next worker goes on from there.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from integration.domain.errors import Conflict, GradewireError, InvalidInput, NotFound
from integration.domain.payload import iso
from integration.domain.retry import DAY, MINUTE
from integration.service import missing
from integration.service.destinations import Shown, destination_row
from integration.service.repeating import check_open
from integration.service.subscribe import subscription_row
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, deliveries, replays, subscriptions
from integration.store.queries.replays import MISSING, Span
from integration.store.secrets import new_id

KINDS = ("failed", "held", MISSING)
#: How far back a replay may go: as long as what is held is kept.
LONGEST = 14 * DAY
#: Deliveries made due in one transaction.
BATCH = 500
#: How long a worker that has a replay may be silent before another goes on with it.
LEASE = 2 * MINUTE


class _Taken(Exception):
    """The replay was cancelled, or went to another worker: what this one did of the step is not kept."""


# -- asking ----------------------------------------------------------------------------------------------------------


def ask(
    gradewire: Gradewire,
    account_id: str,
    kind: str,
    *,
    destination_id: str | None = None,
    subscription_id: str | None = None,
    since: int | None = None,
    until: int | None = None,
    dry_run: bool = False,
) -> Shown:
    """Wish that what failed, is held or is missing be sent again; with `dry_run`, only say how many there are.

    Times are in ms; `since` may be left out for what is held. Raises InvalidInput for a period, NotFound for a destination
    or subscription that is not theirs, Conflict where it takes nothing now or another replay runs there.
    """
    start, end = _period(gradewire, kind, since, until)
    with gradewire.database.read() as connection:
        place = _place(connection, account_id, destination_id, subscription_id)
        span = Span(kind, place, subscription_id, start, end)
        counted = _count(gradewire, connection, span)
    now = gradewire.now()
    values = {**span._asdict(), "id": new_id("rpl_"), "account_id": account_id, "counted": counted}
    if dry_run:
        return {**_show_span(span, counted), "id": None, "status": "dry_run", "created_at": iso(now)}
    with gradewire.database.write() as connection:
        accounts.lock(connection, account_id)
        _check(connection, account_id, place)
        replays.add(connection, **values, created_at=now, changed_at=now)
        row = replays.one(connection, account_id, str(values["id"]))
    return show(row)


def _period(gradewire: Gradewire, kind: str, since: int | None, until: int | None) -> tuple[int, int]:
    if kind not in KINDS:
        raise InvalidInput(f"kind must be one of {', '.join(KINDS)}.", field="kind")
    now = gradewire.now()
    end = now + 1 if until is None else min(until, now + 1)
    if since is None and kind != "held":
        raise InvalidInput("since: Say since when, such as 2024-01-31T12:00:00Z.", field="since")
    start = now - LONGEST if since is None else since
    if start < now - LONGEST:
        text = f"A replay goes back {LONGEST // DAY} days at most: begin at {iso(now - LONGEST)} or later."
        raise InvalidInput(f"since: {text}", field="since")
    if start >= end:
        field = "since" if until is None or start >= now else "until"
        raise InvalidInput(f"{field}: The period ends before it begins; nothing after now can be sent again.", field=field)
    return start, end


def _place(connection: Connection, account_id: str, destination_id: str | None, subscription_id: str | None) -> str:
    """The destination that is meant."""
    if subscription_id is None:
        if destination_id is None:
            raise InvalidInput("Name a destination_id or a subscription_id.", field="destination_id")
        return str(destination_row(connection, account_id, destination_id).id)
    row = subscription_row(connection, account_id, subscription_id)
    if row.status == "ended":
        raise Conflict("This subscription has ended; make a new one.")
    if row.status == "shadow":
        raise Conflict("A shadow only records what it would send; resume it to be told from the next event on.")
    if destination_id not in (None, row.destination_id):
        raise InvalidInput("This subscription is at another destination; leave destination_id out.", field="destination_id")
    return str(row.destination_id)


def _count(gradewire: Gradewire, connection: Connection, span: Span) -> int:
    if span.kind == MISSING:
        return missing.count(gradewire, connection, span)
    return replays.count_undone(connection, span)


def _check(connection: Connection, account_id: str, destination_id: str) -> None:
    check_open(destination_id, destination_row(connection, account_id, destination_id).status)
    running = replays.open_at(connection, destination_id)
    if running is not None:
        raise Conflict(f"The replay {running} runs at this destination; wait for it, or POST /v1/replays/{running}/cancel.")


# -- looking ---------------------------------------------------------------------------------------------------------


def _show_span(row: Any, counted: int) -> Shown:
    return {
        "kind": row.kind,
        "destination_id": row.destination_id,
        "subscription_id": row.subscription_id,
        "since": iso(row.since),
        "until": iso(row.until),
        "counted": counted,
        "done": 0,
        "error": None,
        "ended_at": None,
    }


def show(row: Any) -> Shown:
    """A replay as its owner sees it."""
    told = {"id": row.id, "status": row.status, "done": row.done, "error": row.error, "created_at": iso(row.created_at)}
    return {**_show_span(row, row.counted), **told, "ended_at": None if row.ended_at is None else iso(row.ended_at)}


def list_replays(gradewire: Gradewire, account_id: str | None, *, limit: int, destination_id: str | None = None) -> list[Shown]:
    """An account's replays (all for the operator, None), newest first; of one destination."""
    with gradewire.database.read() as connection:
        rows = replays.newest(connection, account_id, limit=limit, destination_id=destination_id)
    return [show(row) for row in rows]


def undone_of(gradewire: Gradewire, destination_id: str) -> tuple[int, int]:
    """How many of a destination's deliveries failed in the time that a replay may go back, and how many are held since then."""
    now = gradewire.now()
    with gradewire.database.read() as connection:
        spans = (Span(kind, destination_id, None, now - LONGEST, now + 1) for kind in ("failed", "held"))
        failed, held = (replays.count_undone(connection, span) for span in spans)
    return failed, held


def get_replay(gradewire: Gradewire, account_id: str | None, identity: str) -> Shown:
    """One replay, and how far it is."""
    with gradewire.database.read() as connection:
        return show(_row(connection, account_id, identity))


def cancel(gradewire: Gradewire, account_id: str | None, identity: str) -> Shown:
    """End a replay; what it has made due so far is still sent. Not an error where it is over."""
    with gradewire.database.write() as connection:
        _row(connection, account_id, identity)
        replays.cancel(connection, identity, gradewire.now())
        return show(_row(connection, account_id, identity))


def _row(connection: Connection, account_id: str | None, identity: str) -> Any:
    row = replays.one(connection, account_id, identity)
    if row is None:
        raise NotFound(f"There is no replay {identity[:40]!r}.")
    return row


# -- working off -----------------------------------------------------------------------------------------------------


def work_off(gradewire: Gradewire) -> int:
    """Go on with every replay as far as it can go now; how many deliveries that made due."""
    made, seen = 0, list[str]()
    while True:
        with gradewire.database.read() as connection:
            if not replays.any_open(connection, seen):
                return made
        with gradewire.database.write() as connection:
            job = replays.claim(connection, gradewire.now(), LEASE, seen)
        if job is None:
            return made
        seen.append(job.id)
        made += _go_on(gradewire, job)


def _go_on(gradewire: Gradewire, job: Any) -> int:
    """Batches of one replay, until the last of one still waits to be tried, or there are no more."""
    done = job.done
    try:
        if job.kind == MISSING and job.position == 0:
            job = _store_missing(gradewire, job)
        while job.status == replays.RUNNING:
            with gradewire.database.write() as connection:
                job = _batch(gradewire, connection, job)
            if job.status == replays.RUNNING:
                gradewire.wake()
    except _Taken:
        pass
    except Exception as error:
        said = error.message if isinstance(error, GradewireError) else f"Gradewire failed ({type(error).__name__})."
        with gradewire.database.write() as connection:
            replays.step(connection, job, gradewire.now(), status=replays.FAILED, error=said[:500])
        if not isinstance(error, GradewireError):
            raise
    return int(job.done - done)


def _batch(gradewire: Gradewire, connection: Connection, job: Any) -> Any:
    """Make the next deliveries due, in this transaction; the replay as it is then."""
    place = subscriptions.destination_of(connection, job.account_id, job.destination_id)
    check_open(job.destination_id, "ended" if place is None else place.status)
    if job.position and replays.is_untried(connection, job):
        return _step(gradewire, connection, job, status=replays.WAITING)
    position, made = (_owe_missing if job.kind == MISSING else _set_back)(gradewire, connection, job)
    if position is None:
        return _step(gradewire, connection, job, status=replays.DONE)
    return _step(gradewire, connection, job, position=position, done=job.done + made)


def _step(gradewire: Gradewire, connection: Connection, job: Any, **values: Any) -> Any:
    row = replays.step(connection, job, gradewire.now(), **values)
    if row is None:
        raise _Taken
    return row


def _set_back(gradewire: Gradewire, connection: Connection, job: Any) -> tuple[int | None, int]:
    ids, looked = replays.next_undone(connection, job, BATCH)
    return (ids[-1], replays.set_back(connection, job, ids, gradewire.now())) if ids else (looked, 0)


def _owe_missing(gradewire: Gradewire, connection: Connection, job: Any) -> tuple[int | None, int]:
    wanting = replays.wanting(connection, job.destination_id, job.subscription_id)
    found = missing.events_of(connection, wanting, job, BATCH)
    if not found:
        return None, 0
    owed = missing.unowed(connection, wanting, found)
    deliveries.insert_deliveries(connection, owed, gradewire.now())
    return found[-1].seq, len(owed)


def _store_missing(gradewire: Gradewire, job: Any) -> Any:
    """Store as events what nobody wanted when it happened: afterwards all that is missing is among the events."""
    with gradewire.database.read() as connection:
        wanting = replays.wanting(connection, job.destination_id, job.subscription_id)
        for part in missing.unstored(gradewire, connection, wanting, job):
            with gradewire.database.write() as writing:
                missing.store(gradewire, writing, part)
                job = _step(gradewire, writing, job)
    return job
