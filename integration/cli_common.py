"""What several commands share: the settings in force here, and a Gradewire that is closed afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from integration.config import Settings, load


@contextmanager
def opened() -> Iterator[Any]:
    """A Gradewire as the settings here say."""
    from integration.service.wiring import build

    gradewire = build(settings_here())
    try:
        yield gradewire
    finally:
        gradewire.close()


def settings_here() -> Settings:
    """The environment's settings, with the addresses that a running embedded Gradewire left in the data folder."""
    from integration import logs

    settings = load()
    logs.configure(settings, default="error")
    if settings.sandbox:
        note = Path(settings["data"]) / "running.json"
        if note.exists():
            settings = settings.replace(**json.loads(note.read_text(encoding="utf-8")))
    return settings
