from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken

from integration.domain.errors import Misconfigured
from integration.store.secrets import Vault, key_hash, key_prefix, new_api_key, new_id, vault_of


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


def test_api_keys_are_long_random_and_shown_by_their_beginning() -> None:
    keys = {new_api_key() for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        assert len(key) == 51
        assert key.startswith("gw_live_")
        assert key_prefix(key) == key[:12] + "…"
        assert len(key_hash(key)) == 32
    assert len({new_id("sub_") for _ in range(50)}) == 50
