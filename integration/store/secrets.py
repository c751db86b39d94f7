"""Secrets at rest: destination settings are encrypted as a whole; API keys are only hashed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import string
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from integration.domain.errors import Misconfigured

KEY_PREFIX = "gw_live_"
FEED_PREFIX = "gw_feed_"
_ALPHABET = string.ascii_letters + string.digits


class Vault:
    """Seals and opens settings. The first key seals; every key opens, so keys can be rotated.

    Keys of a `file`, one a line, are those that it holds at the moment: what another process writes there holds here too.
    """

    def __init__(self, keys: Sequence[str] = (), file: Path | None = None) -> None:
        self._file = file
        self._seen: tuple[int, ...] | None = None
        if file is None:
            self._use(keys)
        else:
            self._look()

    @property
    def keys(self) -> list[str]:
        """The keys, the one that seals first."""
        self._look()
        return self._keys

    @property
    def file(self) -> Path | None:
        """Where the keys are kept, unless they are set."""
        return self._file

    def seal(self, value: Mapping[str, Any]) -> bytes:
        """The encrypted JSON of a mapping."""
        self._look()
        return self._fernet.encrypt(json.dumps(value, sort_keys=True).encode())

    def open(self, sealed: bytes) -> dict[str, Any]:
        """What `seal` was given; raises cryptography.fernet.InvalidToken where no key opens it."""
        try:
            text = self._fernet.decrypt(sealed)
        except InvalidToken:
            if not self._look():
                raise
            text = self._fernet.decrypt(sealed)
        value: dict[str, Any] = json.loads(text)
        return value

    def resealed(self, sealed: bytes) -> bytes:
        """The same, sealed with the first key; as it is where it is so already. Raises InvalidToken where no key opens it."""
        self._look()
        with suppress(InvalidToken):
            self._first.decrypt(sealed)
            return sealed
        return self._fernet.rotate(sealed)

    def _look(self) -> bool:
        """Read the file where it has changed; whether it has. While it is away or being edited, the keys stay as they were."""
        if self._file is None:
            return False
        try:
            about = self._file.stat()
            seen = (about.st_ino, about.st_mtime_ns, about.st_size)
            if seen == self._seen:
                return False
            self._use(self._file.read_text(encoding="ascii").split())
        except (OSError, Misconfigured):
            if self._seen is None:
                raise
            return False
        self._seen = seen
        return True

    def _use(self, keys: Sequence[str]) -> None:
        try:
            fernets = [Fernet(key) for key in keys]
            self._fernet = MultiFernet(fernets)
        except ValueError as error:
            name = "GRADEWIRE_SECRET_KEY" if self._file is None else str(self._file)
            remedy = "comma separated" if self._file is None else "one a line"
            raise Misconfigured(f"{name} must hold keys of 32 bytes in URL-safe base64, {remedy}.", field="secret_key") from error
        self._first, self._keys = fernets[0], list(keys)


def vault_of(keys: str, folder: Path) -> Vault:
    """A vault with the keys set, else with those in the data folder; one is made there at first use, readable by its owner."""
    if keys:
        return Vault([key.strip() for key in keys.split(",")])
    file = folder / "secret.key"
    folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with suppress(FileExistsError), _written(file, [new_key()]) as fresh:
            os.link(fresh, file)  # of two that are made at once, the first one stays
    return Vault(file=file)


def put_new_first(file: Path) -> None:
    """Put a new key before the one in a file, in one step: whoever reads it sees the old key or both. Where there are several
    already, a rotation has begun, and they stay; of two that begin one at once, only the first puts a key."""
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        keys = file.read_text(encoding="ascii").split()
        if len(keys) == 1:
            with _written(file, [new_key(), *keys]) as fresh:
                fresh.replace(file)
    finally:
        os.close(folder)


@contextmanager
def _written(file: Path, keys: Sequence[str]) -> Iterator[Path]:
    """A file with keys beside another, readable by its owner alone and safe on the disk; gone at the end."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write("\n".join(keys) + "\n")
            out.flush()
            os.fsync(out.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def new_key() -> str:
    """A fresh key to seal with."""
    return Fernet.generate_key().decode()


def new_api_key() -> str:
    """A fresh API key: `gw_live_` and 43 random characters (256 bits)."""
    return KEY_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(43))


def key_prefix(key: str) -> str:
    """What may be shown of a key."""
    return key[: len(KEY_PREFIX) + 4] + "…"


def new_feed_token() -> str:
    """A token that opens one feed: a prefix that says what it is, and 238 random bits."""
    return FEED_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(40))


def token_prefix(token: str) -> str:
    """What may be shown of a feed's token."""
    return token[: len(FEED_PREFIX) + 4] + "…"


def key_hash(key: str) -> bytes:
    """SHA-256: enough for a key of 256 random bits, and fast enough for each request."""
    return hashlib.sha256(key.encode()).digest()


def new_id(prefix: str) -> str:
    """A random id for a private thing: prefix and 20 characters."""
    return prefix + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(20))
