"""Secrets at rest: destination settings are encrypted as a whole; API keys are only hashed."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, MultiFernet

from integration.domain.errors import Misconfigured

KEY_PREFIX = "gw_live_"
_ALPHABET = string.ascii_letters + string.digits


class Vault:
    """Seals and opens settings. The first key seals; every key opens, so keys can be rotated."""

    def __init__(self, keys: list[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise Misconfigured(
                "GRADEWIRE_SECRET_KEY must hold keys of 32 bytes in URL-safe base64, comma separated.", field="secret_key"
            ) from error

    def seal(self, value: Mapping[str, Any]) -> bytes:
        """The encrypted JSON of a mapping."""
        return self._fernet.encrypt(json.dumps(value, sort_keys=True).encode())

    def open(self, sealed: bytes) -> dict[str, Any]:
        """What `seal` was given; raises cryptography.fernet.InvalidToken for another key."""
        value: dict[str, Any] = json.loads(self._fernet.decrypt(sealed))
        return value


def vault_of(keys: str, folder: Path) -> Vault:
    """A vault with the keys set, else with the key in the data folder, which is made at first use, readable by its owner."""
    if keys:
        return Vault([key.strip() for key in keys.split(",")])
    file = folder / "secret.key"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return Vault([file.read_text(encoding="ascii").strip()])
    with os.fdopen(handle, "w", encoding="ascii") as out:
        key = Fernet.generate_key().decode()
        out.write(key + "\n")
    return Vault([key])


def new_api_key() -> str:
    """A fresh API key: `gw_live_` and 43 random characters (256 bits)."""
    return KEY_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(43))


def key_prefix(key: str) -> str:
    """What may be shown of a key."""
    return key[: len(KEY_PREFIX) + 4] + "…"


def key_hash(key: str) -> bytes:
    """SHA-256: enough for a key of 256 random bits, and fast enough for each request."""
    return hashlib.sha256(key.encode()).digest()


def new_id(prefix: str) -> str:
    """A random id for a private thing: prefix and 20 characters."""
    return prefix + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(20))
