"""REST hooks: a webhook destination and its one subscription, made and ended in one call."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from integration.domain.catalogue import Channel
from integration.domain.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from integration.domain.payload import iso
from integration.domain.signing import still_signing
from integration.service.asking import ask, scope_of
from integration.service.destinations import Shown, channel_of, check_config, store_destination
from integration.service.evaluate import ActiveRule
from integration.service.pricing import check_available, cost
from integration.service.subscribe import agree_on_corrections, end, wish
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, farewells, subscriptions


def create_hook(
    gradewire: Gradewire,
    account_id: str,
    target_url: str,
    trigger: str,
    options: Mapping[str, Any],
    scope: Mapping[str, Any],
    secret: str | None = None,
    *,
    corrections: bool | None = None,
    bundle: bool | None = None,
    key_id: str | None = None,
) -> tuple[Shown, bool]:
    """Subscribe an address to a trigger: (hook, whether it is new). The same address, trigger and filters is the same hook.

    Its secret is in the answer where it is new, and never again. Raises Conflict where one is given that does not sign there.
    With `corrections` it is told of those too (None: as it is, which begins without). With a `bundle` what a
    poll brings comes as one (None likewise). `key_id` is the key that asks: once it is revoked, the hook ends.
    """
    channel = channel_of(gradewire, "webhook")
    rule, config = _checked(gradewire, channel, target_url, trigger, options, secret)
    with gradewire.database.read() as connection:
        wanted = scope_of(gradewire, connection, rule, scope)
        price = cost(gradewire, connection, rule, wanted)
    with gradewire.database.write() as connection:
        accounts.lock(connection, account_id)
        if key_id is not None and not accounts.is_live(connection, key_id):
            raise Unauthenticated
        there = _place(gradewire, connection, account_id, trigger, config["url"], secret)
        place = there or store_destination(gradewire, connection, account_id, channel, config, "Hook")
        manner = "bundle" if bundle else "each"
        identity, fresh = wish(gradewire, connection, account_id, rule, wanted, place, "hook", manner=manner, key_id=key_id)
        if bundle is not None and not fresh:
            subscriptions.change(connection, identity, manner=manner)
        if corrections is not None:
            agree_on_corrections(gradewire, connection, account_id, identity, rule, wanted, wished=corrections)
        row = subscriptions.subscription_of(connection, account_id, identity)
    shown = {**show_hook(gradewire, row), "secret": None if there else config["secret"], "cost": price.shown()}
    return shown, fresh


def _checked(
    gradewire: Gradewire, channel: Channel, target_url: str, trigger: str, options: Mapping[str, Any], secret: str | None
) -> tuple[ActiveRule, dict[str, Any]]:
    """The rule and the destination's settings; InvalidInput names fields as a hook does."""
    try:
        rule = ask(gradewire, trigger, options)
        check_available(gradewire, rule)
        return rule, check_config(gradewire, channel, {"url": target_url, **({"secret": secret} if secret else {})})
    except InvalidInput as error:
        name = {"url": "target_url", "trigger": "event"}.get(error.field or "", error.field)
        raise InvalidInput(error.message.replace("url:", "target_url:"), field=name) from error


def _place(
    gradewire: Gradewire, connection: Connection, account_id: str, trigger: str, url: str, secret: str | None
) -> str | None:
    """The destination of the hooks of a trigger at an address. Raises Conflict where another secret signs there."""
    for row in subscriptions.subscriptions(connection, account_id, origin="hook", trigger=trigger):
        keys = gradewire.open_config(row.config)
        if keys["url"] != url:
            continue
        known = [keys["secret"], *(key["secret"] for key in still_signing(keys, gradewire.now()))]
        if secret and secret not in known:
            text = f"This address is subscribed with another secret: rotate that of {row.destination_id}."
            raise Conflict(text, field="secret")
        return str(row.destination_id)
    return None


def show_hook(gradewire: Gradewire, row: Any) -> Shown:
    """A hook as its owner sees it."""
    return {
        "id": row.id,
        "event": row.trigger,
        "target_url": gradewire.open_config(row.config)["url"],
        "destination_id": row.destination_id,
        "options": json.loads(row.options),
        "scope": json.loads(row.scope),
        "status": row.status,
        "reason": row.reason,
        "corrections": bool(row.corrections),
        "bundle": row.manner == "bundle",
        "created_at": iso(row.created_at),
    }


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
        raise NotFound(f"There is no hook {identity[:40]!r}.", field="hook_id")
    return show_hook(gradewire, row)


def delete_hook(gradewire: Gradewire, account_id: str, identity: str) -> None:
    """Unsubscribe; idempotent, so that a second DELETE is fine too."""
    with gradewire.database.write() as connection:
        row = subscriptions.subscription_of(connection, account_id, identity)
        if row is not None and row.origin == "hook" and row.status != "ended":
            _end(gradewire, connection, row, "deleted")


def end_hooks_of(gradewire: Gradewire, connection: Connection, key_ids: Sequence[str]) -> None:
    """End the hooks that revoked keys asked for. Their receivers are told so by a DELETE of their address, unless another
    hook still uses it."""
    ended = subscriptions.hooks_of(connection, key_ids)
    for row in ended:
        _end(gradewire, connection, row, "The API key that asked for it was revoked.")
    left = {
        gradewire.open_config(row.config)["url"]
        for account_id in {row.account_id for row in ended}
        for row in subscriptions.subscriptions(connection, account_id, origin="hook")
    }
    now = gradewire.now()
    for row in ended:
        url = gradewire.open_config(row.config)["url"]
        if url not in left:
            farewells.add(connection, row.id, gradewire.vault.seal({"url": url}), now)


def _end(gradewire: Gradewire, connection: Connection, row: Any, reason: str) -> None:
    end(gradewire, connection, row.id, reason)
    if not subscriptions.others(connection, row.destination_id):
        subscriptions.change_destination(connection, row.destination_id, gradewire.now(), status="ended")
