"""Watches: a rule's events within a scope are found and kept in a feed, whether anybody reads it or not.

A watch sends nothing: it is a subscription whose channel is the feed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from integration.domain.errors import NotFound
from integration.domain.payload import iso
from integration.domain.scope import Scope
from integration.service import feeds
from integration.service.asking import ask, scope_of
from integration.service.pricing import check_available, cost
from integration.service.wiring import Gradewire
from integration.store.queries import watches

Shown = dict[str, Any]


def create_watch(
    gradewire: Gradewire, account_id: str, trigger: str, options: Mapping[str, Any], scope: Mapping[str, Any]
) -> tuple[Shown, bool]:
    """Keep the feed of a rule within a scope: (watch with its cost, whether it is new). The same again is the same one.

    Raises InvalidInput for options or scope, TooMany at 200 live feeds an account.
    """
    rule = ask(gradewire, trigger, options)
    check_available(gradewire, rule)
    with gradewire.database.read() as connection:
        price = cost(gradewire, connection, rule, scope_of(gradewire, connection, rule, scope))
    identity = feeds.enter(gradewire, account_id, trigger, options, scope)
    with gradewire.database.write() as connection:
        fresh = watches.keep(connection, account_id, identity, gradewire.now())
    return {**get_watch(gradewire, account_id, identity), "cost": price.shown()}, fresh


def list_watches(gradewire: Gradewire, account_id: str) -> list[Shown]:
    """The account's watches, newest first."""
    with gradewire.database.read() as connection:
        return [_shown(gradewire, row) for row in watches.kept(connection, account_id)]


def get_watch(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """One of the account's watches; NotFound where it is none."""
    with gradewire.database.read() as connection:
        row = watches.one(connection, account_id, identity)
    if row is None:
        raise NotFound(f"There is no watch {identity[:40]!r}.", field="watch_id")
    return _shown(gradewire, row)


def delete_watch(gradewire: Gradewire, account_id: str, identity: str) -> None:
    """End a watch; also fine where there is none. Its feed sleeps unless somebody else keeps or reads it."""
    with gradewire.database.write() as connection:
        watches.forget(connection, account_id, identity)
    gradewire.memory.pop(feeds.MEMORY, None)


def _shown(gradewire: Gradewire, row: Any) -> Shown:
    trigger = gradewire.catalogue.triggers.get(row.trigger)
    options, scope = json.loads(row.options), json.loads(row.scope)
    return {
        "id": row.id,
        "trigger": row.trigger,
        "label": trigger.label if trigger else row.trigger,
        "options": options,
        "scope": scope,
        "feed": f"/v1/triggers/{row.trigger}{query_of(options, Scope.parse(row.scope))}",
        "created_at": iso(row.kept_at),
    }


def query_of(options: Mapping[str, Any], scope: Scope) -> str:
    """Options and scope as the query of a feed, with its question mark; empty where there is nothing to say."""
    said = {name: _text(value) for name, value in options.items() if value is not None and value != ""}
    if scope.kind in ("tokens", "indices"):
        said[scope.kind] = ",".join(map(str, scope.ids))
    elif scope.kind != "any":
        said[scope.kind] = scope.slug or str(scope.n)
    return f"?{urlencode(said)}" if said else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
