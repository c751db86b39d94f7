"""What people look at: what happened, what was told to whom, what polling took."""

from __future__ import annotations

import json
from typing import Any

from integration.derive.describe import describe_output
from integration.domain.errors import NotFound
from integration.domain.payload import EventPayload, iso
from integration.service.destinations import destination_row
from integration.service.noticing import latest
from integration.service.wiring import Gradewire
from integration.store.queries import deliveries, events, inbox, overview, subscriptions

Shown = dict[str, Any]
#: Larger numbers than this are no ids, and no database need see them.
MOST_ID = 2**53


# -- events and deliveries -------------------------------------------------------------------------------------------


def event_text(gradewire: Gradewire, identity: str) -> str:
    """An event's JSON as stored. Events are facts of the market: whoever has a key may read them."""
    with gradewire.database.read() as connection:
        row = events.one(connection, identity)
    if row is None:
        raise NotFound(f"There is no event {identity[:40]!r}.")
    return str(row.payload)


def event_page(gradewire: Gradewire, identity: str, account_id: str | None) -> Shown:
    """An event with the deliveries of it that the viewer may see (None is the operator, who sees all)."""
    with gradewire.database.read() as connection:
        row = events.one(connection, identity)
        if row is None:
            raise NotFound(f"There is no event {identity[:40]!r}.")
        told = overview.deliveries_of(connection, account_id, row.seq)
    trigger = gradewire.catalogue.triggers.get(row.trigger)
    payload = json.loads(row.payload)
    fields = describe_output(trigger.payload) if trigger else []
    about = ("subject_name", "subject_symbol", "subject_id", "as_of", "known_at")
    return {
        "event": payload,
        "facts": [
            (field, payload[field["key"]]) for field in fields if field["key"] in payload.keys() - EventPayload().fields.keys()
        ],
        "about": [(field, payload[field["key"]]) for field in fields if field["key"] in about],
        "created_at": row.created_at,
        "text": json.dumps(payload, indent=2, ensure_ascii=False),
        "deliveries": [_delivery(told_row) for told_row in told],
    }


def latest_events(gradewire: Gradewire, limit: int = 20) -> list[Shown]:
    """The newest events of all rules, newest first: payloads with the time they were found."""
    with gradewire.database.read() as connection:
        rows = events.newest(connection, limit=limit)
    return [{**json.loads(row.payload), "created_at": row.created_at} for row in rows]


def latest_deliveries(gradewire: Gradewire, account_id: str | None, limit: int = 20) -> Shown:
    """The newest deliveries that the viewer may see, and how many there are in each state."""
    with gradewire.database.read() as connection:
        rows = overview.newest_deliveries(connection, account_id, limit=limit)
        return {"rows": [_delivery(row) for row in rows], "counts": deliveries.counts(connection, account_id)}


def _delivery(row: Any) -> Shown:
    event = json.loads(row.payload)
    state = deliveries.STATES[row.state]
    if state == "pending" and "paused" in (row.destination_status, row.subscription_status):
        state = "paused"
    elif state == "pending" and row.destination_status == "disabled":
        state = "held"
    elif state == "pending" and row.attempts:
        state = "retrying"
    return {**row._mapping, "state": state, "summary": event["summary"], "trigger_label": event["label"]}


def list_deliveries(
    gradewire: Gradewire,
    account_id: str,
    *,
    limit: int,
    state: str | None = None,
    subscription_id: str | None = None,
    before: int | None = None,
) -> list[Shown]:
    """An account's deliveries, newest first; `before` is the last id of the page before."""
    number = next((key for key, name in deliveries.STATES.items() if name == state), None)
    with gradewire.database.read() as connection:
        rows = deliveries.deliveries(
            connection, account_id, limit=limit, before=before, state=number, subscription_id=subscription_id
        )
    return [_shown(row) for row in rows]


def get_delivery(gradewire: Gradewire, account_id: str, identity: int) -> Shown:
    """One of the account's deliveries with each attempt; NotFound where it is another's or none."""
    identity = min(identity, MOST_ID)
    with gradewire.database.read() as connection:
        rows = deliveries.deliveries(connection, account_id, limit=1, before=identity + 1)
        if not rows or rows[0].id != identity:
            raise NotFound(f"There is no delivery {identity}.")
        tried = deliveries.attempts(connection, account_id, identity)
    made = [
        {"at": iso(a.at), "duration_ms": a.duration_ms, "status": a.status, "outcome": a.outcome, "error": a.error} for a in tried
    ]
    return {**_shown(rows[0]), "made": made}


def _shown(row: Any) -> Shown:
    pending = row.state == deliveries.PENDING
    return {
        "id": row.id,
        "event_id": row.event_id,
        "trigger": row.trigger,
        "subject": row.subject,
        "summary": json.loads(row.payload)["summary"],
        "subscription_id": row.subscription_id,
        "destination_id": row.destination_id,
        "channel": row.channel,
        "destination": row.hint,
        "state": deliveries.STATES[row.state],
        "attempts": row.attempts,
        "reason": row.reason,
        "created_at": iso(row.created_at),
        "next_attempt_at": iso(row.next_attempt_at) if pending else None,
        "done_at": iso(row.done_at) if row.done_at is not None else None,
    }


def destination_rows(gradewire: Gradewire, account_id: str | None, limit: int = 200) -> list[Any]:
    """The newest destinations that the viewer may see, without their settings."""
    with gradewire.database.read() as connection:
        rows = subscriptions.destinations(connection, account_id, limit)
    return [row for row in rows if row.status != "ended"]


def destination_owner(gradewire: Gradewire, account_id: str | None, identity: str) -> str:
    """The account of a destination that the viewer may see; NotFound where there is none."""
    with gradewire.database.read() as connection:
        return str(destination_row(connection, account_id, identity).account_id)


# -- the installation ------------------------------------------------------------------------------------------------


def upstream(gradewire: Gradewire) -> Shown:
    """The plan's calls that are used, how the last poll of each source ended, and what the operator was told of late."""
    now = gradewire.now()
    with gradewire.database.read() as connection:
        rows = {row.source: row for row in overview.last_polls(connection)}
    sources = gradewire.catalogue.sources.values()
    return {
        "sped_up": gradewire.clock.speed != 1,
        "usage": gradewire.budget.used(now),
        "notices": latest(gradewire),
        "polls": [{"label": source.label, "poll": rows.get(source.key)} for source in sources if source.key in rows],
    }


def market(gradewire: Gradewire) -> Shown:
    """Where the market's clock stands, and how many events there are."""
    with gradewire.database.read() as connection:
        count = overview.newest_seq(connection)
    return {"market_at": gradewire.clock.at(gradewire.now()), "events": count, "sandbox": gradewire.settings.sandbox}


def mails(gradewire: Gradewire, recipient: str | None, limit: int = 10) -> list[Any]:
    """The newest caught mails; `recipient` is the viewer's address, None for the operator."""
    with gradewire.database.read() as connection:
        return inbox.mails(connection, limit=limit, recipient=recipient)


def mail(gradewire: Gradewire, identity: int, recipient: str | None) -> Any:
    """A caught mail; NotFound where it was sent to another."""
    with gradewire.database.read() as connection:
        row = inbox.mail(connection, identity, recipient)
    if row is None:
        raise NotFound("There is no such mail (any more).")
    return row


def hooks(gradewire: Gradewire, limit: int = 10) -> list[Any]:
    """The newest webhooks that the built-in receiver got."""
    with gradewire.database.read() as connection:
        return inbox.hooks(connection, limit=limit)


def hook(gradewire: Gradewire, identity: int) -> Any:
    """A webhook that the built-in receiver got."""
    with gradewire.database.read() as connection:
        row = inbox.hook(connection, identity)
    if row is None:
        raise NotFound("There is no such webhook (any more).")
    return row
