"""REST hooks: a webhook destination and its one subscription, made and ended in one call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from integration.domain.errors import InvalidInput, NotFound
from integration.domain.payload import iso
from integration.service.asking import ask, scope_of
from integration.service.destinations import Shown, channel_of, check_config, store_destination
from integration.service.pricing import check_available, cost
from integration.service.subscribe import end, wish
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, subscriptions


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
        check_available(gradewire, rule)
        config = check_config(gradewire, channel, {"url": target_url, **({"secret": secret} if secret else {})})
    except InvalidInput as error:
        name = {"url": "target_url", "trigger": "event"}.get(error.field or "", error.field)
        raise InvalidInput(error.message.replace("url:", "target_url:"), field=name) from error
    with gradewire.database.read() as connection:
        wanted = scope_of(gradewire, connection, rule, scope)
        price = cost(gradewire, connection, rule, wanted)
    with gradewire.database.write() as connection:
        accounts.lock(connection, account_id)
        mine = subscriptions.subscriptions(connection, account_id, origin="hook", trigger=trigger)
        there = [row.destination_id for row in mine if gradewire.vault.open(row.config)["url"] == config["url"]]
        place = there[0] if there else store_destination(gradewire, connection, account_id, channel, config, "Hook")
        identity, fresh = wish(gradewire, connection, account_id, rule, wanted, place, "hook")
        row = subscriptions.subscription_of(connection, account_id, identity)
    return {**show_hook(gradewire, row, with_secret=True), "cost": price.shown()}, fresh


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
        end(gradewire, connection, identity, "deleted")
        if not subscriptions.others(connection, row.destination_id):
            subscriptions.change_destination(connection, row.destination_id, gradewire.now(), status="ended")
