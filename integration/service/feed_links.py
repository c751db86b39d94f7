"""Links to feeds, for what can read an address and send no key: a spreadsheet, a feed reader.

Whoever has the token of a link may read its feed, and nothing else, until the link is revoked. The token is shown once; only
its hash is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from integration.domain.catalogue import Trigger
from integration.domain.errors import NotFound, TooMany
from integration.domain.payload import iso
from integration.service import feeds
from integration.service.asking import ask, scope_of
from integration.service.pricing import check_available
from integration.service.wiring import Gradewire
from integration.store.queries import feed_links, rules
from integration.store.secrets import key_hash, new_feed_token, new_id, token_prefix

Shown = dict[str, Any]
MOST = 200
FORMATS = ("csv", "json", "atom")


class Opened(NamedTuple):
    """What a token opens: a feed and its trigger, and what the link is called."""

    link_id: str
    account_id: str
    label: str
    trigger: Trigger
    feed_id: str


def create_link(
    gradewire: Gradewire,
    account_id: str,
    trigger: str,
    options: Mapping[str, Any],
    scope: Mapping[str, Any],
    label: str = "",
    *,
    key_id: str | None = None,
) -> Shown:
    """A new link to the feed of a rule within a scope, with its token, which is never shown again.

    `key_id` is the key that asks: once it is revoked, the link is too, so that nobody who had it reads on.
    Raises InvalidInput for options or scope, TooMany at 200 live links an account, or as many feeds.
    """
    rule = ask(gradewire, trigger, options)
    check_available(gradewire, rule)
    feeds.enter(gradewire, account_id, trigger, options, scope)
    token, identity, now = new_feed_token(), new_id("lnk_"), gradewire.now()
    with gradewire.database.write() as connection:
        if feed_links.count(connection, account_id) >= MOST:
            raise TooMany(f"You have {MOST} links, the most an account may. Revoke one that you do not use.", retry_after=3_600)
        wanted = scope_of(gradewire, connection, rule, scope)
        rules.ensure(connection, rule.id, trigger, rule.semantics, rule.canonical, now)
        about = {"account_id": account_id, "rule_id": rule.id, "scope": wanted.text, "key_id": key_id, "created_at": now}
        hidden = {"prefix": token_prefix(token), "sha256": key_hash(token)}
        feed_links.add(connection, id=identity, label=label or rule.trigger.label, **about, **hidden)
        row = feed_links.one(connection, account_id, identity)
    base = str(gradewire.settings["public_url"]).rstrip("/")
    return {**_shown(row), "token": token, **{each: f"{base}/feed/{token}.{each}" for each in FORMATS}}


def list_links(gradewire: Gradewire, account_id: str | None, limit: int = MOST) -> list[Shown]:
    """The live links of an account (None: of all), newest first, without their tokens."""
    with gradewire.database.read() as connection:
        return [_shown(row) for row in feed_links.live(connection, account_id, limit)]


def get_link(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """One of the account's links; NotFound once it is revoked."""
    with gradewire.database.read() as connection:
        row = feed_links.one(connection, account_id, identity)
    if row is None:
        raise NotFound(f"There is no link {identity[:40]!r}.", field="link_id")
    return _shown(row)


def revoke_link(gradewire: Gradewire, account_id: str | None, identity: str) -> None:
    """End one of the account's links (None: of any) at once; also fine where it has ended already."""
    with gradewire.database.write() as connection:
        feed_links.revoke(connection, account_id, identity, gradewire.now())


def open_link(gradewire: Gradewire, token: str) -> Opened:
    """The feed that a token opens. Raises NotFound where it is unknown or revoked, or its trigger is no more."""
    now = gradewire.now()
    with gradewire.database.read() as connection:
        row = feed_links.by_token(connection, key_hash(token))
    trigger = None if row is None else gradewire.catalogue.triggers.get(row.trigger)
    if row is None or trigger is None:
        raise NotFound("This feed's address is unknown, or was revoked: ask whoever gave it to you for another.")
    if row.last_used_at is None or row.last_used_at < now - feed_links.TOUCH_EVERY:
        with gradewire.database.write() as connection:
            feed_links.touch(connection, row.id, now)
    scope = scope_as_asked(json.loads(row.scope))
    identity = feeds.enter(gradewire, row.account_id, row.trigger, json.loads(row.options), scope)
    return Opened(row.id, row.account_id, row.label, trigger, identity)


def scope_as_asked(scope: Mapping[str, Any]) -> dict[str, Any]:
    """A stored scope as it is asked for."""
    kind = scope["kind"]
    if kind == "any":
        return {}
    return {kind: [str(number) for number in scope["ids"]] if "ids" in scope else scope.get("slug") or scope["n"]}


def _shown(row: Any) -> Shown:
    return {
        "id": row.id,
        "label": row.label,
        "trigger": row.trigger,
        "options": json.loads(row.options),
        "scope": json.loads(row.scope),
        "prefix": row.prefix,
        "created_at": iso(row.created_at),
        "last_used_at": iso(row.last_used_at) if row.last_used_at else None,
        "account": row.account_email,
    }
