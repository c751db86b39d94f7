"""Deleting an account: first it falls silent, then its rows go a few at a time. Events and rules stay: they are nobody's."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

from sqlalchemy import Connection

from integration.service.accounts import account_id, forget_owners
from integration.service.retention import Broom
from integration.service.wiring import Gradewire
from integration.store.queries import closing, farewells

#: Rows for one transaction.
BATCH = 1_000
#: How often it is looked whether what is under way has come to its end, in seconds; that takes a lease at the most.
LOOK_S = 0.5


def belongings(gradewire: Gradewire, email: str) -> dict[str, int]:
    """How much an account has, by kind. NotFound where there is none with this address."""
    identity = account_id(gradewire, email)
    with gradewire.database.read() as connection:
        return closing.size(connection, identity)


def delete_account(gradewire: Gradewire, email: str, *, sleep: Callable[[float], None] = time.sleep) -> dict[str, int]:
    """Delete an account and all that is its own; how many rows of each kind went. NotFound where there is no such account.

    Its keys end at once, and nothing new is sent, but that its REST hooks are told that they have ended. What is being sent at
    this moment is waited for: a minute at the most. Where this is broken off it can be begun again.
    """
    identity, broom = account_id(gradewire, email), Broom(gradewire.database, math.inf)
    with gradewire.database.write() as connection:
        closing.shut(connection, identity, gradewire.now())
    forget_owners(gradewire)
    _take_leave(gradewire, broom, identity)
    while broom.sweep(closing.end_subscriptions, identity, gradewire.now(), BATCH):
        pass
    gone: Counter[str] = Counter()
    while _take_all(gradewire, broom, identity, gone):
        sleep(LOOK_S)
    with gradewire.database.write() as connection:
        closing.drop(connection, identity)
    return dict(gone)


def _take_leave(gradewire: Gradewire, broom: Broom, identity: str) -> None:
    """Owe a farewell to the address of every REST hook, one each."""
    last, told = "", set[str]()
    while True:
        with gradewire.database.read() as connection:
            rows = closing.hooks(connection, identity, last, BATCH)
        if not rows:
            return
        first: dict[str, str] = {}
        for row in rows:
            with suppress(Exception):  # settings that cannot be opened tell no address, and keep no account alive
                first.setdefault(str(gradewire.open_config(row.config)["url"]), row.id)
        broom.sweep(_owe_farewells, gradewire, {url: which for url, which in first.items() if url not in told})
        told |= first.keys()
        last = rows[-1].id


def _owe_farewells(connection: Connection, gradewire: Gradewire, first: Mapping[str, str]) -> None:
    for url, subscription_id in first.items():
        farewells.add(connection, subscription_id, gradewire.vault.seal({"url": url}), gradewire.now())


def _take_all(gradewire: Gradewire, broom: Broom, identity: str, gone: Counter[str]) -> bool:
    """Take every subscription with what is owed to it; whether some are left, for something is under way."""
    last, left = "", False
    while True:
        with gradewire.database.read() as connection:
            ids = closing.subscriptions(connection, identity, last, BATCH)
        if not ids:
            return left
        empty = [each for each in ids if _take(gradewire, broom, each, gone)]
        left = left or len(empty) < len(ids)
        with gradewire.database.write() as connection:
            gone["subscriptions"] += closing.drop_subscriptions(connection, empty)
        last = ids[-1]


def _take(gradewire: Gradewire, broom: Broom, subscription_id: str, gone: Counter[str]) -> bool:
    """Take all that is owed to a subscription; False if something had to stay."""
    position: int | None = -1
    clean = True
    while position is not None:
        taken = broom.sweep(closing.take, subscription_id, position, gradewire.now(), BATCH)
        gone.update(deliveries=taken.deliveries, attempts=taken.attempts)
        clean, position = clean and not taken.left, taken.position
    return clean
