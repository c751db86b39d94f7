"""Test events: made up, marked as such, and delivered the way a real one is.

One is stored among the events as its account's own: readers of that account and the destination or subscription it is for get
it; no feed, no backtest, no other account and no list of what happened does.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from sqlalchemy import Connection

from integration.domain.catalogue import Trigger
from integration.domain.errors import Conflict, InvalidInput, NotFound
from integration.domain.payload import iso
from integration.service.accounts import account_id
from integration.service.asking import trigger_of
from integration.service.compose import worded
from integration.service.destinations import destination_row
from integration.service.evaluate import unnamed
from integration.service.grouping import bundle
from integration.service.naming import subject_named
from integration.service.repeating import check_open
from integration.service.subscribe import subscription_row
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, deliveries, events, samples, subjects
from integration.store.secrets import new_id

Shown = dict[str, Any]
#: Ids of real events are base32, which has no 0: no test can ever take the id of one.
_PREFIX, _ALPHABET, _LENGTH = "evt_test0", "abcdefghijklmnopqrstuvwxyz234567", 30


def owner_of(gradewire: Gradewire, email: str | None, destination_id: str | None, subscription_id: str | None) -> str:
    """Whose test event it is to be: the account named, the owner of what it is for, else the only account there is."""
    if email:
        return account_id(gradewire, email)
    with gradewire.database.read() as connection:
        if destination_id or subscription_id:
            owner = samples.owner(connection, destination_id, subscription_id)
            if owner is None:
                raise NotFound(f"There is no {'destination' if destination_id else 'subscription'} of that id.")
            return owner
        there = accounts.newest(connection, 2)
    if len(there) == 1:
        return str(there[0].id)
    if there:
        raise InvalidInput("account: There are several; say whose it is: --account you@example.com", field="account")
    raise InvalidInput("account: There is none yet; `gradewire keys create --account you@example.com` makes one", field="account")


def fire(
    gradewire: Gradewire,
    account: str,
    trigger_key: str,
    *,
    subject: str | None = None,
    destination_id: str | None = None,
    subscription_id: str | None = None,
) -> Shown:
    """Make a test event: {"event", "delivery_id"}; the latter is None where it goes to readers of the event list alone.

    Raises InvalidInput naming the field, NotFound for what is not theirs, Conflict where nothing can be told there now.
    """
    trigger = trigger_of(gradewire, trigger_key)
    if destination_id and subscription_id:
        raise InvalidInput("subscription_id: Name a destination or a subscription, not both.", field="subscription_id")
    now = gradewire.now()
    with gradewire.database.write() as connection:
        events.lock(connection)
        event = _event(gradewire, connection, trigger, subject, now)
        target = _target(gradewire, connection, account, trigger, destination_id, subscription_id)
        text = json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        sample = samples.Sample(event["id"], account, trigger.key, event["subject"], now, text)
        seq = samples.add(connection, sample)
        delivery_id = None if target is None else _owe(connection, seq, target, now)
    gradewire.wake()
    return {"event": event, "delivery_id": delivery_id}


def _event(gradewire: Gradewire, connection: Connection, trigger: Trigger, subject: str | None, now: int) -> Shown:
    identity = _PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH - len(_PREFIX)))
    event = {**trigger.sample, "id": identity, "is_sample": True, "sandbox": gradewire.settings.sandbox, "known_at": iso(now)}
    if subject:
        name = subject_named(connection, trigger.subject, subject)
        row = subjects.load(connection, [name]).get(name) or unnamed(name)
        number = int(name.partition(":")[2] or 0) or None
        event |= {"subject": name, "subject_id": number, "subject_name": row.name, "subject_symbol": row.symbol}
    worded(trigger, event)
    return event


def _target(
    gradewire: Gradewire,
    connection: Connection,
    account: str,
    trigger: Trigger,
    destination_id: str | None,
    subscription_id: str | None,
) -> tuple[str, str, str, str] | None:
    """(subscription id, destination id, status, manner) to tell; None for nobody but readers."""
    if destination_id:
        place = destination_row(connection, account, destination_id)
        check_open(place.id, place.status)
        return samples.subscription_at(connection, place, new_id("sub_"), gradewire.now()), place.id, "active", "each"
    if not subscription_id:
        return None
    row = subscription_row(connection, account, subscription_id)
    if row.trigger != trigger.key:
        raise InvalidInput(f"trigger: This subscription is to {row.trigger}; fire that.", field="trigger")
    if row.status in ("ended", "paused"):
        remedy = "resume it first" if row.status == "paused" else "make a new one"
        raise Conflict(f"This subscription is {row.status}: {remedy}.")
    check_open(row.destination_id, row.destination_status)
    return row.id, row.destination_id, row.status, row.manner


def _owe(connection: Connection, seq: int, target: tuple[str, str, str, str], now: int) -> int | None:
    """Owe it as a real event is owed, by itself or in a bundle; a shadow only records it. The delivery's id."""
    subscription_id, destination_id, status, manner = target
    owe = deliveries.record_shadows if status == "shadow" else deliveries.insert_deliveries
    owe(connection, [(seq, subscription_id, destination_id)], now)
    if manner == "bundle" and status != "shadow":
        bundle(connection, {subscription_id: [seq]}, due=now)
    return deliveries.of_event(connection, subscription_id, seq)
