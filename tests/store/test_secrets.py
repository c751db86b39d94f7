from __future__ import annotations

import stat
from functools import partial
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken

from integration.domain.errors import Misconfigured
from integration.store.secrets import Vault, key_hash, key_prefix, new_api_key, new_id, new_key, put_new_first, vault_of
from tests.market import at_once


def test_what_is_sealed_is_opened_by_the_same_key_and_by_no_other() -> None:
    one, two = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = Vault([one]).seal({"url": "https://example.com/ü", "n": 1})
    assert b"example" not in sealed
    assert Vault([one]).open(sealed) == {"url": "https://example.com/ü", "n": 1}
    with pytest.raises(InvalidToken):
        Vault([two]).open(sealed)


def test_keys_are_rotated_by_putting_a_new_one_first() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = Vault([old]).seal({"a": 1})
    both = vault_of(f"{new}, {old}", Path("unused"))
    assert both.open(sealed) == {"a": 1}
    assert Vault([new]).open(both.seal({"b": 2})) == {"b": 2}


@pytest.mark.parametrize("key", ["short", "x" * 44, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE"])
def test_what_is_no_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        Vault([key])
    assert key not in raised.value.message


def test_a_key_of_ones_own_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    sealed = vault_of("", folder).seal({"a": 1})
    assert vault_of("", folder).open(sealed) == {"a": 1}
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600


def test_a_key_that_is_made_by_two_at_once_is_one(tmp_path: Path) -> None:
    vaults = at_once(*[partial(vault_of, "", tmp_path) for _ in range(8)])
    assert len({tuple(vault.keys) for vault in vaults}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def test_a_key_that_is_put_first_seals_here_too_and_the_old_one_still_opens(tmp_path: Path) -> None:
    running, other = vault_of("", tmp_path), vault_of("", tmp_path)
    before, (old,) = running.seal({"a": 1}), running.keys
    put_new_first(tmp_path / "secret.key")
    new, kept = (tmp_path / "secret.key").read_text().split()
    assert (kept, new != old) == (old, True)
    assert other.open(running.seal({"b": 2})) == {"b": 2}
    assert Vault([new]).open(running.seal({"b": 2})) == {"b": 2}
    assert (running.keys, running.open(before)) == ([new, old], {"a": 1})
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def test_what_another_process_sealed_with_a_newer_key_is_opened(tmp_path: Path) -> None:
    running = vault_of("", tmp_path)
    put_new_first(tmp_path / "secret.key")
    new = (tmp_path / "secret.key").read_text().split()[0]
    assert running.open(Vault([new]).seal({"a": 1})) == {"a": 1}
    with pytest.raises(InvalidToken):
        running.open(Vault([new_key()]).seal({"a": 1}))


def test_of_rotations_that_begin_at_once_only_one_puts_a_key(tmp_path: Path) -> None:
    (old,) = vault_of("", tmp_path).keys
    at_once(*[partial(put_new_first, tmp_path / "secret.key") for _ in range(8)])
    keys = (tmp_path / "secret.key").read_text().split()
    assert (len(keys), keys[1]) == (2, old)


@pytest.mark.parametrize("spoil", ["", "half a ke", None])
def test_a_file_that_is_being_edited_leaves_the_keys_as_they_were(tmp_path: Path, spoil: str | None) -> None:
    running = vault_of("", tmp_path)
    sealed, file = running.seal({"a": 1}), tmp_path / "secret.key"
    file.unlink() if spoil is None else file.write_text(spoil)
    assert running.open(running.seal({"b": 2})) == {"b": 2}
    assert running.open(sealed) == {"a": 1}
    if spoil is not None:
        with pytest.raises(Misconfigured, match="one a line"):
            vault_of("", tmp_path)


def test_what_is_resealed_needs_the_old_key_no_more() -> None:
    old, new = new_key(), new_key()
    sealed = Vault([old]).seal({"a": 1})
    fresh = Vault([new, old]).resealed(sealed)
    assert fresh != sealed
    assert Vault([new]).open(fresh) == {"a": 1}
    assert Vault([new, old]).resealed(fresh) == fresh
    with pytest.raises(InvalidToken):
        Vault([new]).resealed(sealed)


def test_api_keys_are_long_random_and_shown_by_their_beginning() -> None:
    keys = {new_api_key() for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        assert len(key) == 51
        assert key.startswith("gw_live_")
        assert key_prefix(key) == key[:12] + "…"
        assert len(key_hash(key)) == 32
    assert len({new_id("sub_") for _ in range(50)}) == 50
