"""Destinations and subscriptions of an account: made, looked at, paused, ended."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import RAISE, ValidationError
from sqlalchemy import Connection

from integration.channels._settings import Operator
from integration.domain.catalogue import Channel
from integration.domain.errors import Conflict, InvalidInput, NotFound
from integration.domain.payload import iso
from integration.domain.scope import Scope
from integration.service.asking import ask, cost, first_problem, scope_of
from integration.service.evaluate import ActiveRule
from integration.service.trying import send_test
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, deliveries, rules, subscriptions
from integration.store.secrets import new_id
from integration.wire.addresses import may_dial

Shown = dict[str, Any]


def channel_of(gradewire: Gradewire, key: str) -> Channel:
    """A channel of the catalogue."""
    if key not in gradewire.channels:
        raise InvalidInput(f"Unknown channel {key[:40]!r}. There are: {', '.join(gradewire.channels)}.", field="channel")
    return gradewire.channels[key]


# -- destinations ----------------------------------------------------------------------------------------------------


def create_destination(gradewire: Gradewire, account_id: str, channel_key: str, raw: Mapping[str, Any], label: str = "") -> Shown:
    """A new way out. A webhook's signing secret is in the answer, and never shown again."""
    channel = channel_of(gradewire, channel_key)
    config = check_config(gradewire, channel, raw)
    with gradewire.database.write() as connection:
        identity = _store_destination(gradewire, connection, account_id, channel, config, label)
        shown = show_destination(subscriptions.destination_of(connection, account_id, identity))
    return {**shown, "secret": config["secret"]} if "secret" in config and channel.key == "webhook" else shown


def check_config(gradewire: Gradewire, channel: Channel, raw: Mapping[str, Any]) -> dict[str, Any]:
    """A destination's settings, loaded; InvalidInput names the field and the remedy."""
    try:
        with Operator({"allow_private": bool(gradewire.settings["allow_private"])}):
            config: dict[str, Any] = channel.config(unknown=RAISE).load(dict(raw))
    except ValidationError as error:
        name, text = first_problem(error)
        raise InvalidInput(f"{name}: {text}", field=name) from error
    if "url" in config and not gradewire.settings["allow_private"]:
        refuse_private(config["url"])
    return config


def refuse_private(url: str) -> None:
    """Raise InvalidInput for an address that leads somewhere private now. The socket is checked again when it opens: a
    name may lead elsewhere by then, and one that leads nowhere yet is let pass here."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        return
    if not any(may_dial(str(address[4][0])) for address in found):
        raise InvalidInput("url: This address is private; use one that can be reached from the internet.", field="url")


def _store_destination(
    gradewire: Gradewire, connection: Connection, account_id: str, channel: Channel, config: Mapping[str, Any], label: str
) -> str:
    now, identity = gradewire.now(), new_id("dst_")
    subscriptions.add_destination(
        connection,
        id=identity,
        account_id=account_id,
        channel=channel.key,
        label=label or channel.label,
        hint=channel.hint(config),
        config=gradewire.vault.seal(config),
        status="active",
        created_at=now,
        changed_at=now,
    )
    return identity


def destination_row(connection: Connection, account_id: str, identity: str) -> Any:
    """One of the account's destinations; NotFound where it is another's or none."""
    row = subscriptions.destination_of(connection, account_id, identity)
    if row is None or row.status == "ended":
        raise NotFound(f"There is no destination {identity[:40]!r}.")
    return row


def show_destination(row: Any) -> Shown:
    """A destination as its owner sees it; settings stay hidden but for a hint."""
    return {
        "id": row.id,
        "channel": row.channel,
        "label": row.label,
        "hint": row.hint,
        "status": row.status,
        "reason": row.reason,
        "created_at": iso(row.created_at),
    }


def list_destinations(gradewire: Gradewire, account_id: str) -> list[Shown]:
    """The account's destinations, newest first."""
    with gradewire.database.read() as connection:
        rows = subscriptions.destinations(connection, account_id)
    return [show_destination(row) for row in rows if row.status != "ended"]


def get_destination(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """One of the account's destinations."""
    with gradewire.database.read() as connection:
        return show_destination(destination_row(connection, account_id, identity))


def test_destination(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """Send one made-up event, marked as one, and say what became of it: outcome, status, detail."""
    with gradewire.database.read() as connection:
        row = destination_row(connection, account_id, identity)
    return send_test(gradewire, row)


def set_destination(gradewire: Gradewire, account_id: str, identity: str, status: str) -> Shown:
    """Pause or resume a destination. While it is paused its deliveries wait; a disabled one is resumed once mended."""
    with gradewire.database.write() as connection:
        destination_row(connection, account_id, identity)
        subscriptions.change_destination(connection, identity, status=status, reason=None, changed_at=gradewire.now())
        if status == "active":
            deliveries.wake_destination(connection, identity, gradewire.now())
        shown = show_destination(destination_row(connection, account_id, identity))
    gradewire.wake()
    return shown


def delete_destination(gradewire: Gradewire, account_id: str, identity: str) -> None:
    """Remove a destination with its subscriptions. Not an error where it is gone already."""
    with gradewire.database.write() as connection:
        if subscriptions.destination_of(connection, account_id, identity) is not None:
            subscriptions.drop_destination(connection, identity)


# -- subscriptions ---------------------------------------------------------------------------------------------------


def create_subscription(
    gradewire: Gradewire,
    account_id: str,
    trigger: str,
    options: Mapping[str, Any],
    scope: Mapping[str, Any],
    destination_id: str,
    *,
    origin: str = "api",
) -> Shown:
    """The account wants a rule's events at a destination, from the next reading on. The same wish again is the same one."""
    rule = ask(gradewire, trigger, options)
    with gradewire.database.write() as connection:
        accounts.lock(connection, account_id)
        destination = destination_row(connection, account_id, destination_id)
        wanted = scope_of(gradewire, connection, rule, scope)
        price = cost(gradewire, connection, rule, wanted)
        identity, _ = _wish(gradewire, connection, account_id, rule, wanted, destination.id, origin)
        shown = show_subscription(subscriptions.subscription_of(connection, account_id, identity))
    return {**shown, "cost": {"calls_a_month": price.calls_a_month, "added_calls_a_month": price.added}}


def _wish(
    gradewire: Gradewire,
    connection: Connection,
    account_id: str,
    rule: ActiveRule,
    scope: Scope,
    destination_id: str,
    origin: str,
) -> tuple[str, bool]:
    """The subscription that wants just this, and whether it is new. The caller holds the account, so that it stays one."""
    same = subscriptions.same(connection, destination_id, rule.id, scope.text)
    if same is not None:
        return same, False
    now, identity = gradewire.now(), new_id("sub_")
    rules.ensure(connection, rule.id, rule.trigger.key, rule.trigger.semantics, rule.canonical, now)
    subscriptions.add(
        connection,
        id=identity,
        account_id=account_id,
        rule_id=rule.id,
        scope=scope.text,
        destination_id=destination_id,
        origin=origin,
        status="active",
        created_at=now,
        changed_at=now,
    )
    return identity, True


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
    """Pause or resume. Evaluation goes on silently, so resuming brings no backlog of what happened meanwhile."""
    with gradewire.database.write() as connection:
        row = subscription_row(connection, account_id, identity)
        if row.status == "ended":
            raise Conflict("This subscription has ended; make a new one.")
        if row.status != status:
            subscriptions.change(connection, identity, status=status, reason=None, changed_at=gradewire.now())
            if status == "active":
                deliveries.wake_subscription(connection, identity, gradewire.now())
        shown = show_subscription(subscription_row(connection, account_id, identity))
    gradewire.wake()
    return shown


def delete_subscription(gradewire: Gradewire, account_id: str, identity: str) -> None:
    """End a subscription. Not an error where it has ended already or never was."""
    with gradewire.database.write() as connection:
        if subscriptions.subscription_of(connection, account_id, identity) is not None:
            _end(gradewire, connection, identity, "deleted")


def _end(gradewire: Gradewire, connection: Connection, identity: str, reason: str) -> None:
    subscriptions.change(connection, identity, status="ended", reason=reason, changed_at=gradewire.now())
    subscriptions.pending_dropped(connection, identity)


# -- hooks: a webhook destination and its one subscription, in one call ------------------------------------------------


def create_hook(
    gradewire: Gradewire,
    account_id: str,
    target_url: str,
    trigger: str,
    options: Mapping[str, Any],
    scope: Mapping[str, Any],
    secret: str | None = None,
) -> tuple[Shown, bool]:
    """Subscribe an address to a trigger: (hook, whether it is new). The same address, trigger and filters is the same hook."""
    channel = channel_of(gradewire, "webhook")
    try:
        rule = ask(gradewire, trigger, options)
        config = check_config(gradewire, channel, {"url": target_url, **({"secret": secret} if secret else {})})
    except InvalidInput as error:
        name = {"url": "target_url", "trigger": "event"}.get(error.field or "", error.field)
        raise InvalidInput(error.message.replace("url:", "target_url:"), field=name) from error
    with gradewire.database.write() as connection:
        accounts.lock(connection, account_id)
        wanted = scope_of(gradewire, connection, rule, scope)
        mine = subscriptions.subscriptions(connection, account_id, origin="hook", trigger=trigger)
        there = [row.destination_id for row in mine if gradewire.vault.open(row.config)["url"] == config["url"]]
        place = there[0] if there else _store_destination(gradewire, connection, account_id, channel, config, "Hook")
        identity, fresh = _wish(gradewire, connection, account_id, rule, wanted, place, "hook")
        row = subscriptions.subscription_of(connection, account_id, identity)
    return show_hook(gradewire, row, with_secret=True), fresh


def show_hook(gradewire: Gradewire, row: Any, *, with_secret: bool = False) -> Shown:
    """A hook as its owner sees it; the secret only in the answer that makes it."""
    config = gradewire.vault.open(row.config)
    hook = {
        "id": row.id,
        "event": row.trigger,
        "target_url": config["url"],
        "options": json.loads(row.options),
        "scope": json.loads(row.scope),
        "status": row.status,
        "reason": row.reason,
        "created_at": iso(row.created_at),
    }
    return {**hook, "secret": config["secret"]} if with_secret else hook


def list_hooks(gradewire: Gradewire, account_id: str, *, target_url: str | None = None, event: str | None = None) -> list[Shown]:
    """The account's hooks, newest first; of one address or one trigger."""
    with gradewire.database.read() as connection:
        rows = subscriptions.subscriptions(connection, account_id, origin="hook", trigger=event)
    shown = [show_hook(gradewire, row) for row in rows]
    return [hook for hook in shown if target_url is None or hook["target_url"] == target_url]


def get_hook(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """One of the account's hooks; NotFound once it has ended."""
    with gradewire.database.read() as connection:
        row = subscriptions.subscription_of(connection, account_id, identity)
    if row is None or row.origin != "hook" or row.status == "ended":
        raise NotFound(f"There is no hook {identity[:40]!r}.")
    return show_hook(gradewire, row)


def delete_hook(gradewire: Gradewire, account_id: str, identity: str) -> None:
    """Unsubscribe; idempotent, so that a second DELETE is fine too."""
    with gradewire.database.write() as connection:
        row = subscriptions.subscription_of(connection, account_id, identity)
        if row is None or row.origin != "hook" or row.status == "ended":
            return
        _end(gradewire, connection, identity, "deleted")
        if not subscriptions.others(connection, row.destination_id):
            subscriptions.change_destination(connection, row.destination_id, status="ended", changed_at=gradewire.now())
