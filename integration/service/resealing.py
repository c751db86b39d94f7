"""Everything that is kept encrypted, encrypted anew with the newest key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryptography.fernet import InvalidToken

from integration.domain.errors import Misconfigured
from integration.service.wiring import Gradewire
from integration.store.queries import sealed
from integration.store.secrets import new_key, put_new_first

#: Rows written in one transaction, so that nothing waits for long.
BATCH = 100
#: How what is encrypted begins: version 0x80, and a time that is far from filling its eight bytes.
_TOKEN = b"gAAAA"


@dataclass
class Resealed:
    """How many were encrypted anew, and which no key opens ("table key")."""

    changed: int = 0
    unopened: list[str] = field(default_factory=list)


def rotate(gradewire: Gradewire) -> Resealed:
    """Encrypt all that is kept encrypted with the first key. Can be broken off and begun again; nothing stops meanwhile.

    Where the keys are in the data folder, a new one is put before the one there is; more than one are a rotation that was
    broken off, or whose old keys are still there, and is gone on with. Where they are set, the operator puts the new one first:
    raises Misconfigured where there is only one.
    """
    vault = gradewire.vault
    if len(vault.keys) == 1:
        if vault.file is None:
            raise Misconfigured(
                "Only one key is set. Put a new one before it, a comma between them, in GRADEWIRE_SECRET_KEY or the file that "
                "GRADEWIRE_SECRET_KEY_FILE names; restart every process; then run this again. Here is a new one: " + new_key(),
                field="secret_key",
            )
        put_new_first(vault.file)
    result = _round(gradewire)
    while (again := _round(gradewire)).changed:  # what a process that did not know the new key wrote meanwhile
        result = Resealed(result.changed + again.changed, again.unopened)
    return result


def _round(gradewire: Gradewire) -> Resealed:
    result = Resealed()
    for place in sealed.PLACES:
        after: Any = None
        while rows := _page(gradewire, place, after):
            after = rows[-1][0]
            _reseal(gradewire, place, rows, result)
    return result


def _page(gradewire: Gradewire, place: sealed.Place, after: Any) -> list[tuple[Any, bytes]]:
    with gradewire.database.read() as connection:
        return sealed.page(connection, place, after, BATCH)


def _reseal(gradewire: Gradewire, place: sealed.Place, rows: list[tuple[Any, bytes]], result: Resealed) -> None:
    changes = []
    for key, old in rows:
        if not old.startswith(_TOKEN):
            continue
        try:
            new = gradewire.vault.resealed(old)
        except InvalidToken:
            result.unopened.append(f"{place.table.name} {key}")
            continue
        if new != old:
            changes.append((key, old, new))
    if changes:
        with gradewire.database.write() as connection:
            result.changed += sealed.replace(connection, place, changes)
