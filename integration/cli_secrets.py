"""What `gradewire secrets` says."""

from __future__ import annotations

import sys

from rich.console import Console

from integration.service.resealing import rotate
from integration.service.wiring import Gradewire


def rotate_keys(gradewire: Gradewire, console: Console) -> None:
    """Encrypt everything with the newest key, and say which keys can go. Exit status 1 where something could not be opened."""
    vault = gradewire.vault
    before = len(vault.keys)
    with console.status("Encrypting …"):
        result = rotate(gradewire)
    where = "GRADEWIRE_SECRET_KEY" if vault.file is None else str(vault.file)
    if len(vault.keys) > before:
        console.print(f"A new key is now the first in {where}.", soft_wrap=True)
    console.print(f"{result.changed} secrets were encrypted anew; all are encrypted with the first key, {vault.keys[0][:4]}….")
    for number, key in list(enumerate(vault.keys, 1))[1:]:
        place = f"line {number} of" if vault.file else f"number {number} in"
        console.print(f"The old key {key[:4]}… ({place} {where}) can be removed.", soft_wrap=True)
    if len(vault.keys) > 1:
        console.print("Back up the first key before that: without it nothing can be opened.")
    if result.unopened:
        console.print(f"[red]No key opens[/] {', '.join(result.unopened)}: was a key removed too early?", soft_wrap=True)
        sys.exit(1)
