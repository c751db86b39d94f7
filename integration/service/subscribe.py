"""Subscriptions of an account: made, looked at, paused, ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from integration.domain.errors import Conflict, InvalidInput, NotFound
from integration.domain.payload import iso
from integration.domain.scope import Scope
from integration.service.asking import ask, scope_of
from integration.service.destinations import Shown, destination_row
from integration.service.evaluate import ActiveRule
from integration.service.fitting import check_fit
from integration.service.pricing import check_available, cost
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, deliveries, rules, subscriptions
from integration.store.secrets import new_id

#: The trigger of corrections to another rule's events.
CORRECTIONS = "data_corrected"


def create_subscription(
    gradewire: Gradewire,
    account_id: str,
    trigger: str,
    options: Mapping[str, Any],
    scope: Mapping[str, Any],
    destination_id: str,
    *,
    origin: str = "api",
    shadow: bool = False,
    corrections: bool | None = None,
    manner: str | None = None,
    key_id: str | None = None,
) -> Shown:
    """The account wants a rule's events at a destination, from the next reading on. The same wish again is the same one.

    `key_id` is the API key that asks. With `corrections` it is also told where an event would not have fired, or would
    differ, on restated data; None means at a webhook and nowhere else. `manner` is "each", "grouped" or "bundle"; None means
    what the channel is used to.

    What a `shadow` would send is only recorded, until it is wished for without that. Raises Conflict where a shadow is wished
    for of what is told already.
    """
    rule = ask(gradewire, trigger, options)
    check_available(gradewire, rule)
    with gradewire.database.read() as connection:
        wanted = scope_of(gradewire, connection, rule, scope)
        price = cost(gradewire, connection, rule, wanted)
    with gradewire.database.write() as connection:
        accounts.lock(connection, account_id)
        destination = destination_row(connection, account_id, destination_id)
        told, what = manner_of(gradewire, destination.channel, manner), (rule, wanted, destination.id, origin)
        identity, fresh = wish(gradewire, connection, account_id, *what, shadow=shadow, manner=told, key_id=key_id)
        if manner is not None and not fresh:
            subscriptions.change(connection, identity, manner=told)
        if corrections is not None or destination.channel == "webhook":
            wished = corrections is not False
            agree_on_corrections(gradewire, connection, account_id, identity, rule, wanted, wished=wished)
        shown = show_subscription(subscriptions.subscription_of(connection, account_id, identity))
    return {**shown, "cost": price.shown()}


def preview_subscription(gradewire: Gradewire, trigger: str, options: Mapping[str, Any], scope: Mapping[str, Any]) -> Shown:
    """What a subscription would be and cost; nothing is made. Raises what making it would raise for the same."""
    rule = ask(gradewire, trigger, options)
    check_available(gradewire, rule)
    with gradewire.database.read() as connection:
        wanted = scope_of(gradewire, connection, rule, scope)
        price = cost(gradewire, connection, rule, wanted)
    return {
        "trigger": trigger,
        "options": json.loads(rule.canonical),
        "scope": json.loads(wanted.text),
        "cost": price.shown(),
    }


def wish(
    gradewire: Gradewire,
    connection: Connection,
    account_id: str,
    rule: ActiveRule,
    scope: Scope,
    destination_id: str,
    origin: str,
    *,
    shadow: bool = False,
    manner: str = "each",
    key_id: str | None = None,
) -> tuple[str, bool]:
    """The subscription that wants just this, and whether it is new. The caller holds the account, so that it stays one.

    It belongs to the key that asked last: whoever changes keys asks again with the new one before the old one is revoked.
    """
    same = subscriptions.same(connection, destination_id, rule.id, scope.text)
    if same is not None:
        _agree(gradewire, connection, account_id, same, shadow=shadow)
        if key_id is not None:
            subscriptions.claim(connection, same, key_id)
        return same, False
    now, identity = gradewire.now(), new_id("sub_")
    rules.ensure(connection, rule.id, rule.trigger.key, rule.semantics, rule.canonical, now)
    subscriptions.add(
        connection,
        id=identity,
        account_id=account_id,
        rule_id=rule.id,
        scope=scope.text,
        destination_id=destination_id,
        origin=origin,
        status="shadow" if shadow else "active",
        shadow=int(shadow),
        key_id=key_id,
        created_at=now,
        changed_at=now,
        manner=manner,
    )
    return identity, True


def manner_of(gradewire: Gradewire, channel: str, manner: str | None) -> str:
    """How a subscription at a channel is told: as wished for, else as the channel is used to. Raises InvalidInput where the
    channel cannot."""
    can = gradewire.channels[channel].manners
    if manner is not None and manner not in can:
        text = f"manner: {gradewire.channels[channel].label} can be told {' or '.join(can)}; choose that, or leave it out."
        raise InvalidInput(text, field="manner")
    return manner or can[0]


def agree_on_corrections(
    gradewire: Gradewire, connection: Connection, account_id: str, identity: str, rule: ActiveRule, scope: Scope, *, wished: bool
) -> None:
    """Let a subscription tell of corrections where that is wished. Raises Conflict where it does and is not to."""
    if wished:
        accompany(gradewire, connection, account_id, identity, rule, scope)
    elif subscriptions.companion(connection, identity) is not None:
        raise Conflict("This tells of corrections already; end it first to have it without them.")


def accompany(
    gradewire: Gradewire, connection: Connection, account_id: str, identity: str, rule: ActiveRule, scope: Scope
) -> None:
    """Give a subscription a companion, a subscription to corrections of its rule's events, unless it has one or is one."""
    if rule.trigger.tell is not None or subscriptions.companion(connection, identity) is not None:
        return
    of = ask(gradewire, CORRECTIONS, {"of": {"trigger": rule.trigger.key, "options": json.loads(rule.canonical)}})
    row = subscription_row(connection, account_id, identity)
    rules.ensure(connection, of.id, of.trigger.key, of.semantics, of.canonical, gradewire.now())
    subscriptions.add(
        connection,
        id=new_id("sub_"),
        account_id=account_id,
        rule_id=of.id,
        scope=scope.text,
        destination_id=row.destination_id,
        origin=subscriptions.companion_of(identity),
        status=row.status,
        shadow=row.shadow,
        key_id=row.key_id,
        created_at=gradewire.now(),
        changed_at=gradewire.now(),
        manner=row.manner,
    )
    subscriptions.change(connection, identity, corrections=1)


def _agree(gradewire: Gradewire, connection: Connection, account_id: str, identity: str, *, shadow: bool) -> None:
    """Let a subscription that is there already be as it is now wished for: a shadow goes live, never the other way round."""
    row = subscription_row(connection, account_id, identity)
    if shadow and not row.shadow:
        raise Conflict("This is subscribed to already and is no shadow; end it first to try it as one.")
    if row.shadow and not shadow:
        status = "active" if row.status == "shadow" else row.status
        subscriptions.change(connection, identity, shadow=0, status=status, changed_at=gradewire.now())


def show_subscription(row: Any) -> Shown:
    """A subscription as its owner sees it."""
    return {
        "id": row.id,
        "trigger": row.trigger,
        "options": json.loads(row.options),
        "scope": json.loads(row.scope),
        "destination_id": row.destination_id,
        "channel": row.channel,
        "destination": row.hint,
        "status": row.status,
        "reason": row.reason,
        "shadow": bool(row.shadow),
        "corrections": bool(row.corrections),
        "manner": row.manner,
        "created_at": iso(row.created_at),
    }


def subscription_row(connection: Connection, account_id: str, identity: str) -> Any:
    """One of the account's subscriptions; NotFound where it is another's or none."""
    row = subscriptions.subscription_of(connection, account_id, identity)
    if row is None:
        raise NotFound(f"There is no subscription {identity[:40]!r}.")
    return row


def list_subscriptions(gradewire: Gradewire, account_id: str) -> list[Shown]:
    """The account's subscriptions, newest first."""
    with gradewire.database.read() as connection:
        return [show_subscription(row) for row in subscriptions.subscriptions(connection, account_id)]


def get_subscription(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """One of the account's subscriptions."""
    with gradewire.database.read() as connection:
        return show_subscription(subscription_row(connection, account_id, identity))


def set_subscription(gradewire: Gradewire, account_id: str, identity: str, status: str) -> Shown:
    """Pause or resume. Evaluation goes on silently, so resuming brings no backlog of what happened meanwhile.

    Resumed, a shadow is a shadow again.
    """
    with gradewire.database.write() as connection:
        row = subscription_row(connection, account_id, identity)
        if row.status == "ended":
            raise Conflict("This subscription has ended; make a new one.")
        if status == "active" and row.shadow:
            status = "shadow"
        if row.status != status:
            subscriptions.change(connection, identity, status=status, reason=None, changed_at=gradewire.now())
            if status == "active":
                deliveries.wake_subscription(connection, identity, gradewire.now())
        shown = show_subscription(subscription_row(connection, account_id, identity))
    gradewire.wake()
    return shown


def edit_subscription(
    gradewire: Gradewire,
    account_id: str,
    identity: str,
    options: Mapping[str, Any] | None = None,
    scope: Mapping[str, Any] | None = None,
    *,
    shadow: bool | None = None,
    manner: str | None = None,
) -> Shown:
    """Point a subscription at another rule or scope, from the next event on, or tell it in another manner; what is None stays
    as it is.

    It keeps its id, and what it is owed. Not to be a `shadow` any more makes one tell. Raises Conflict where it has ended,
    where there is one that wants just that, or where what is told already is to become a shadow.
    """
    with gradewire.database.read() as connection:
        row = subscription_row(connection, account_id, identity)
    rule = ask(gradewire, row.trigger, json.loads(row.options) if options is None else options)
    check_available(gradewire, rule)
    with gradewire.database.read() as connection:
        if scope is None:
            check_fit(gradewire, connection, rule, wanted := Scope.parse(row.scope))
        else:
            wanted = scope_of(gradewire, connection, rule, scope)
        price = cost(gradewire, connection, rule, wanted)
    with gradewire.database.write() as connection:
        accounts.lock(connection, account_id)
        row = subscription_row(connection, account_id, identity)
        if row.status == "ended":
            raise Conflict("This subscription has ended; make a new one.")
        same = subscriptions.same(connection, row.destination_id, rule.id, wanted.text)
        if same not in (None, identity):
            raise Conflict(f"The subscription {same} wants just that already; end one of the two.")
        if same is None:
            rules.ensure(connection, rule.id, rule.trigger.key, rule.semantics, rule.canonical, gradewire.now())
            subscriptions.point_elsewhere(connection, identity, rule.id, wanted.text, gradewire.now())
            if row.corrections:
                accompany(gradewire, connection, account_id, identity, rule, wanted)
        if manner is not None:
            subscriptions.change(connection, identity, manner=manner_of(gradewire, row.channel, manner))
        if shadow is not None:
            _agree(gradewire, connection, account_id, identity, shadow=shadow)
        shown = show_subscription(subscription_row(connection, account_id, identity))
    return {**shown, "cost": price.shown()}


def delete_subscription(gradewire: Gradewire, account_id: str, identity: str) -> None:
    """End a subscription. Not an error where it has ended already or never was."""
    with gradewire.database.write() as connection:
        if subscriptions.subscription_of(connection, account_id, identity) is not None:
            end(gradewire, connection, identity, "deleted")


def end(gradewire: Gradewire, connection: Connection, identity: str, reason: str) -> None:
    """End a subscription for good, and forget what it is still owed."""
    subscriptions.change(connection, identity, status="ended", reason=reason, changed_at=gradewire.now())
    subscriptions.pending_dropped(connection, identity)
