"""What people look at: what happened, what was told to whom, what polling took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from integration.derive.describe import describe_output
from integration.domain.errors import InvalidInput, NotFound
from integration.domain.payload import EventPayload, iso
from integration.service.attempts import show_attempts
from integration.service.destinations import destination_row
from integration.service.noticing import KEPT, latest
from integration.service.unusual import unusual
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, deliveries, events, inbox, overview, rules, subscriptions
from integration.store.queries import owner_notices as told

Shown = dict[str, Any]
#: Larger numbers than this are no ids, and no database need see them.
MOST_ID = 2**53


# -- events and deliveries -------------------------------------------------------------------------------------------


def event_text(gradewire: Gradewire, identity: str, account_id: str) -> str:
    """An event's JSON as stored. Events are facts of the market: whoever has a key may read them, but for others' tests."""
    with gradewire.database.read() as connection:
        row = events.one(connection, identity)
    if row is None or row.account_id not in (None, account_id):
        raise NotFound(f"There is no event {identity[:40]!r}.")
    return str(row.payload)


def event_page(gradewire: Gradewire, identity: str, account_id: str | None) -> Shown:
    """An event with the deliveries of it that the viewer may see (None is the operator, who sees all)."""
    with gradewire.database.read() as connection:
        row = events.one(connection, identity)
        if row is None or (account_id is not None and row.account_id not in (None, account_id)):
            raise NotFound(f"There is no event {identity[:40]!r}.")
        owed = overview.deliveries_of(connection, account_id, row.seq)
        apart = _apart(gradewire, connection, [row])
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
        "rule": apart[row.rule_id],
        "text": json.dumps(payload, indent=2, ensure_ascii=False),
        "deliveries": [_delivery(delivery) for delivery in owed],
    }


def latest_events(gradewire: Gradewire, limit: int = 20) -> list[Shown]:
    """The newest events of all rules, newest first: payloads with the time they were found, and what sets their rules apart."""
    with gradewire.database.read() as connection:
        rows = events.newest(connection, limit=limit)
        apart = _apart(gradewire, connection, rows)
    return [{**json.loads(row.payload), "created_at": row.created_at, "rule": apart[row.rule_id]} for row in rows]


def _apart(gradewire: Gradewire, connection: Connection, rows: Sequence[Any]) -> dict[str, list[str]]:
    """By rule what sets it apart from its trigger as it is by default: several rules may find the same."""
    found = rules.load(connection, sorted({row.rule_id for row in rows}))
    known = gradewire.catalogue.triggers
    return {identity: unusual(known, rule.trigger, json.loads(rule.options)) for identity, rule in found.items()}


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
    gradewire: Gradewire, account_id: str | None, *, limit: int, state: str | None = None, **wanted: Any
) -> list[Shown]:
    """Deliveries, newest first: an account's, or all for the operator (None). See the query for what may be `wanted`."""
    number = next((key for key, name in deliveries.STATES.items() if name == state), None)
    with gradewire.database.read() as connection:
        rows = deliveries.deliveries(connection, account_id, limit=limit, state=number, **wanted)
    return [show_delivery(row) for row in rows]


def get_delivery(gradewire: Gradewire, account_id: str | None, identity: int) -> Shown:
    """One delivery with each attempt; NotFound where it is another account's (None sees all) or none."""
    with gradewire.database.read() as connection:
        row = delivery_row(connection, account_id, identity)
        tried = deliveries.attempts(connection, row.id)
    return {**show_delivery(row), "made": show_attempts(gradewire, row, tried)}


def delivery_row(connection: Connection, account_id: str | None, identity: int) -> Any:
    """One delivery; NotFound where it is another account's (None sees all) or none."""
    row = deliveries.one(connection, account_id, min(identity, MOST_ID))
    if row is None:
        raise NotFound(f"There is no delivery {min(identity, MOST_ID)}.")
    return row


def show_delivery(row: Any) -> Shown:
    """A delivery as its owner sees it."""
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
        "told_with": row.lead_id if row.lead_id != row.id else None,
        "created_at": iso(row.created_at),
        "next_attempt_at": iso(row.next_attempt_at) if pending else None,
        "done_at": iso(row.done_at) if row.done_at is not None else None,
    }


def owner_notices(gradewire: Gradewire, account_id: str | None, limit: int = 5) -> list[Shown]:
    """What an account (None: any) was told of its destinations and rules in the last 90 days, newest first."""
    with gradewire.database.read() as connection:
        rows = told.newest(connection, account_id, since=gradewire.now() - KEPT, limit=limit)
    names = ("kind", "title", "text", "destination_id")
    return [{**{name: getattr(row, name) for name in names}, "at": iso(row.at)} for row in rows]


def destination_rows(gradewire: Gradewire, account_id: str | None, limit: int = 200) -> list[Any]:
    """The newest destinations that the viewer may see, without their settings."""
    with gradewire.database.read() as connection:
        rows = subscriptions.destinations(connection, account_id, limit)
    return [row for row in rows if row.status != "ended"]


def destination_owner(gradewire: Gradewire, account_id: str | None, identity: str) -> str:
    """The account of a destination that the viewer may see; NotFound where there is none."""
    with gradewire.database.read() as connection:
        return str(destination_row(connection, account_id, identity).account_id)


# -- accounts


def account_rows(gradewire: Gradewire, limit: int = 200) -> list[Any]:
    """The newest accounts, for the operator to choose from."""
    with gradewire.database.read() as connection:
        return accounts.newest(connection, limit)


def account_of(gradewire: Gradewire, viewer: str | None, chosen: str) -> str:
    """Whose something is that is made on the page: the viewer's, or the account that the operator (None) chose.

    Raises InvalidInput where the operator chose none.
    """
    if viewer is not None:
        return viewer
    if chosen not in {row.id for row in account_rows(gradewire)}:
        raise InvalidInput("account_id: Choose whose it is to be.", field="account_id")
    return chosen


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
