"""One event from the upstream calls that brought it to the attempts that told of it: what the operator asks when asked."""

from __future__ import annotations

from typing import Any

from integration.domain.errors import NotFound
from integration.domain.payload import iso
from integration.service.journal import failure
from integration.service.wiring import Gradewire
from integration.store.queries import calls, deliveries, events, overview, polls

Shown = dict[str, Any]


def trace(gradewire: Gradewire, event_id: str) -> Shown:
    """An event with its poll and calls, and its first 100 deliveries with their attempts. NotFound where it is not stored."""
    with gradewire.database.read() as connection:
        event = events.one(connection, event_id)
        if event is None:
            raise NotFound(f"There is no event {event_id[:40]!r}; `gradewire events` shows the newest.")
        poll = None if event.poll_id is None else polls.one(connection, event.poll_id)
        made = calls.of_poll(connection, poll.id, poll.started_at, poll.finished_at or gradewire.now()) if poll else []
        owed = overview.deliveries_of(connection, None, event.seq)
        tried = deliveries.attempts_at(connection, [_led_by(row) for row in owed])
    times = {"as_of": iso(event.as_of), "known_at": iso(event.known_at), "created_at": iso(event.created_at)}
    told = {"id": event.id, "seq": event.seq, "trigger": event.trigger, "subject": event.subject, "rule_id": event.rule_id}
    return {
        "event": {**told, **times, "poll_id": event.poll_id},
        "poll": _poll(poll) if poll else None,
        "calls": [
            {"at": iso(c.at), "endpoint": c.endpoint, "status": c.status, "took_ms": c.duration_ms, "rows": c.rows} for c in made
        ],
        "deliveries": [{**_delivery(row), "made": [_attempt(a) for a in tried if a.delivery_id == _led_by(row)]} for row in owed],
    }


def _led_by(row: Any) -> int:
    """The delivery whose attempts tell of this one: it may be told with another, as a digest."""
    return int(row.id if row.lead_id is None else row.lead_id)


def _poll(row: Any) -> Shown:
    """A poll. Its slot is market time, the others are wall time."""
    counts = {"rows": row.rows, "fresh": row.fresh, "late": row.late, "events": row.events}
    about = {"id": row.id, "source": row.source, "selection": row.selection, "slot": iso(row.slot), "status": row.status}
    ended = iso(row.finished_at) if row.finished_at else None
    return {**about, "started_at": iso(row.started_at), "finished_at": ended, **counts, "error": row.error}


def _delivery(row: Any) -> Shown:
    about = {"id": row.id, "subscription_id": row.subscription_id, "destination_id": row.destination_id, "channel": row.channel}
    done = iso(row.done_at) if row.done_at is not None else None
    return {**about, "state": deliveries.STATES[row.state], "attempts": row.attempts, "done_at": done, "reason": row.reason}


def _attempt(row: Any) -> Shown:
    told = {"at": iso(row.at), "outcome": row.outcome, "status": row.status, "took_ms": row.duration_ms}
    return {**told, "error": failure(row.status, row.error)}
