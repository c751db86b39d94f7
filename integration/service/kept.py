"""Values that an installation makes once and keeps: addresses that must not be guessed, secrets, sealed."""

from __future__ import annotations

from collections.abc import Callable

from integration.service.wiring import Gradewire
from integration.store.queries import installation


def kept(gradewire: Gradewire, name: str, make: Callable[[], str]) -> str:
    """The installation's value of that name, made at first use; every process gets the same one."""
    with gradewire.database.read() as connection:
        sealed = installation.get(connection, name)
    if sealed is None:
        fresh = gradewire.vault.seal({"value": make()}).decode()
        with gradewire.database.write() as connection:
            sealed = installation.bind(connection, name, fresh)
    return str(gradewire.vault.open(sealed.encode())["value"])
