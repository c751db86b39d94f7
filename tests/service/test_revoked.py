"""Hooks end with the key that asked for them, and their receivers are told so; nothing else ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from integration.domain.errors import Conflict, NotFound, Unauthenticated
from integration.service import accounts, destinations, hooks, subscribe
from integration.service.mending import rotate_destination
from integration.store.database import Database
from integration.store.tables import delivery, destination, farewell, subscription
from tests.market import asked, at_once
from tests.service.script import Script, script

URL = "https://hooks.example.com/hooks/standard/1/very-hidden"


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made


def key(here: Script, label: str = "") -> str:
    """A new key of the account: its id."""
    owner = accounts.authenticate(here.gradewire, accounts.create_key(here.gradewire, "grace@example.com", label))
    here.account = owner.account_id
    return str(owner.key_id)


def hook(here: Script, key_id: str | None, url: str = URL, trigger: str = "sharpe_threshold", **more: Any) -> dict[str, Any]:
    how = {"key_id": key_id, **more}
    return hooks.create_hook(here.gradewire, here.account, url, trigger, asked(trigger, {}), {}, **how)[0]


def farewells(here: Script) -> list[tuple[str, str]]:
    """(subscription, address) of each that is to be told."""
    return [(row.subscription_id, here.gradewire.open_config(row.target)["url"]) for row in here.rows(farewell)]


def test_its_hooks_end_and_their_receivers_are_owed_a_farewell_at_once(here: Script) -> None:
    mine = key(here)
    one, two = hook(here, mine), hook(here, mine, URL + "2")
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    accounts.revoke_key(here.gradewire, mine)
    assert sorted(farewells(here)) == sorted([(one["id"], URL), (two["id"], URL + "2")])
    (first, _) = here.rows(farewell)
    assert (first.next_attempt_at, first.created_at, first.attempts) == (here.wall(), here.wall(), 0)
    assert hooks.list_hooks(here.gradewire, here.account) == []
    assert {row.status for row in here.rows(subscription)} == {row.status for row in here.rows(destination)} == {"ended"}
    assert here.rows(delivery) == []
    assert {row.reason for row in here.rows(subscription)} == {"The API key that asked for it was revoked."}
    with pytest.raises(NotFound) as gone:
        hooks.get_hook(here.gradewire, here.account, one["id"])
    assert gone.value.field == "hook_id"


def test_an_address_is_kept_sealed(here: Script) -> None:
    mine = key(here)
    hook(here, mine)
    accounts.revoke_key(here.gradewire, mine)
    (row,) = here.rows(farewell)
    assert b"very-hidden" not in row.target


def test_what_other_keys_asked_for_goes_on(here: Script) -> None:
    mine, other = key(here, "mine"), key(here, "other")
    hook(here, mine)
    theirs, old = hook(here, other, URL + "2"), hook(here, None, URL + "3")
    accounts.revoke_key(here.gradewire, mine)
    assert {row["id"] for row in hooks.list_hooks(here.gradewire, here.account)} == {theirs["id"], old["id"]}
    assert len(farewells(here)) == 1


def test_what_was_subscribed_at_a_destination_goes_on(here: Script) -> None:
    mine = key(here)
    place = destinations.create_destination(here.gradewire, here.account, "webhook", {"url": URL})["id"]
    wanted = ("sharpe_threshold", asked("sharpe_threshold", {}), {}, place)
    made = subscribe.create_subscription(here.gradewire, here.account, *wanted, key_id=mine)
    assert {row.key_id for row in here.rows(subscription)} == {mine}
    accounts.revoke_key(here.gradewire, mine)
    assert subscribe.get_subscription(here.gradewire, here.account, made["id"])["status"] == "active"
    assert farewells(here) == []


def test_a_hook_belongs_to_the_key_that_asked_last(here: Script) -> None:
    old, new = key(here, "old"), key(here, "new")
    first = hook(here, old, corrections=True)
    assert hook(here, new)["id"] == first["id"]
    assert {row.key_id for row in here.rows(subscription)} == {new}
    accounts.revoke_key(here.gradewire, old)
    assert hooks.get_hook(here.gradewire, here.account, first["id"])["status"] == "active"
    accounts.revoke_key(here.gradewire, new)
    assert {row.status for row in here.rows(subscription)} == {"ended"}
    assert farewells(here) == [(first["id"], URL)]  # for the hook, not for its corrections


def test_an_address_that_another_hook_still_uses_is_not_told(here: Script) -> None:
    mine, other = key(here, "mine"), key(here, "other")
    hook(here, mine)
    left = hook(here, other, URL, "grade_changed")
    accounts.revoke_key(here.gradewire, mine)
    assert [row["id"] for row in hooks.list_hooks(here.gradewire, here.account)] == [left["id"]]
    assert farewells(here) == []


def test_a_hook_is_not_made_with_a_key_that_was_just_revoked(here: Script) -> None:
    mine = key(here)
    accounts.revoke_key(here.gradewire, mine)
    with pytest.raises(Unauthenticated):
        hook(here, mine)
    assert here.rows(subscription) == []


def test_revoked_while_hooks_are_made_none_is_left(here: Script) -> None:
    mine = key(here)
    workers = [here.worker() for _ in range(3)]

    def make(worker: Script, number: int) -> None:
        worker.account = here.account
        with contextlib.suppress(Unauthenticated):
            hook(worker, mine, f"{URL}{number}")

    at_once(*[partial(make, worker, n) for n, worker in enumerate(workers)], partial(accounts.revoke_key, here.gradewire, mine))
    assert hooks.list_hooks(here.gradewire, here.account) == []
    assert len(farewells(here)) == len(here.rows(subscription))
    for worker in workers:
        worker.gradewire.close()


# -- what hooks take and show ----------------------------------------------------------------------------------------


def test_the_secret_is_shown_where_it_is_new_and_never_again(here: Script) -> None:
    first = hook(here, None)
    assert first["secret"].startswith("whsec_")
    assert hook(here, None)["secret"] is None
    assert len(here.rows(destination)) == 1


def test_a_secret_of_ones_own_is_the_one_that_signs(here: Script) -> None:
    secret, other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "A" * 32
    given = hook(here, None, secret=secret)
    assert given["secret"] == secret
    assert hook(here, None, secret=secret)["id"] == hook(here, None)["id"] == given["id"]
    with pytest.raises(Conflict, match="another secret") as refused:
        hook(here, None, secret=other)
    assert (refused.value.field, len(here.rows(subscription))) == ("secret", 1)
    rotate_destination(here.gradewire, here.account, given["destination_id"], 24)
    assert hook(here, None, secret=secret)["id"] == given["id"]  # it signs still
    here.go_to(2)
    with pytest.raises(Conflict):
        hook(here, None, secret=secret)


def test_corrections_are_told_to_hooks_that_ask_for_them(here: Script) -> None:
    plain = hook(here, None)
    assert (plain["corrections"], len(here.rows(subscription))) == (False, 1)
    asked_for = hook(here, None, corrections=True)
    assert (asked_for["id"], asked_for["corrections"], len(here.rows(subscription))) == (plain["id"], True, 2)
    assert hook(here, None)["corrections"]
    with pytest.raises(Conflict):
        hook(here, None, corrections=False)
    hooks.delete_hook(here.gradewire, here.account, plain["id"])
    assert {row.status for row in here.rows(subscription)} == {"ended"}
