"""Accounts and keys: found by hash, shown by prefix, gone when revoked."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from integration.domain.errors import InvalidInput, NotFound, Unauthenticated
from integration.domain.retry import MINUTE, SECOND
from integration.service import accounts
from integration.store.database import Database
from integration.store.secrets import key_prefix
from integration.store.tables import account, api_key
from tests.market import at_once
from tests.service.script import Script, script


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        yield made


def test_a_key_opens_its_account_and_is_not_kept_itself(here: Script) -> None:
    key = accounts.create_key(here.gradewire, " Grace@Example.com ", "laptop")
    owner = accounts.authenticate(here.gradewire, key)
    assert (owner.email, owner.account_id) == ("grace@example.com", accounts.account_id(here.gradewire, "grace@example.com"))
    assert key not in str(here.rows(api_key))
    assert [(row["label"], row["active"]) for row in accounts.list_keys(here.gradewire, "grace@example.com")] == [
        ("laptop", True)
    ]


def test_two_keys_of_an_address_are_one_account(here: Script) -> None:
    keys = [accounts.create_key(here.gradewire, "grace@example.com") for _ in range(2)]
    assert len({accounts.authenticate(here.gradewire, key).account_id for key in keys}) == 1


def test_first_keys_of_a_new_account_made_at_once_share_it(database: Database, tmp_path: Path) -> None:
    with script(database, tmp_path) as here:
        workers = [here.worker() for _ in range(4)]
        made = at_once(*[partial(accounts.create_key, worker.gradewire, "new@example.com") for worker in workers])
        assert len({accounts.authenticate(here.gradewire, key).account_id for key in made}) == 1
        assert len(here.rows(account, account.c.email == "new@example.com")) == 1
        for worker in workers:
            worker.gradewire.close()


@pytest.mark.parametrize("key", [None, "", "gw_live_wrong", "\x00", "ü" * 60])
def test_what_is_no_key_opens_nothing(here: Script, key: str | None) -> None:
    with pytest.raises(Unauthenticated):
        accounts.authenticate(here.gradewire, key)


@pytest.mark.parametrize("by", ["id", "prefix"])
def test_a_revoked_key_opens_nothing_and_cannot_be_revoked_again(here: Script, by: str) -> None:
    key = accounts.create_key(here.gradewire, "grace@example.com")
    (shown,) = accounts.list_keys(here.gradewire, "grace@example.com")
    assert accounts.revoke_key(here.gradewire, shown[by]) == [shown["id"]]
    with pytest.raises(Unauthenticated):
        accounts.authenticate(here.gradewire, key)
    with pytest.raises(NotFound):
        accounts.revoke_key(here.gradewire, shown[by])
    assert not accounts.list_keys(here.gradewire, "grace@example.com")[0]["active"]


def test_use_is_written_down_at_most_once_a_minute(here: Script) -> None:
    key = accounts.create_key(here.gradewire, "grace@example.com")
    began, seen = here.wall(), []
    for wait in (0, MINUTE, SECOND, MINUTE):
        here.wall.ms += wait  # type: ignore[attr-defined]
        accounts.authenticate(here.gradewire, key)
        seen.append(here.rows(api_key, api_key.c.prefix == key_prefix(key))[0].last_used_at - began)
    assert seen == [0, 0, MINUTE + SECOND, MINUTE + SECOND]


@pytest.mark.parametrize("address", ["", "x", "a b@example.com", "a@b", "@example.com", "a" * 250 + "@example.com"])
def test_what_is_no_address_makes_no_account(here: Script, address: str) -> None:
    with pytest.raises(InvalidInput):
        accounts.create_key(here.gradewire, address)


def test_an_account_that_never_was_is_not_found(here: Script) -> None:
    with pytest.raises(NotFound):
        accounts.account_id(here.gradewire, "nobody@example.com")
