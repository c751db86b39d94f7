"""Published example answers of the upstream API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from integration.domain.retry import DAY
from tests.conftest import absent

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "upstream_samples"

#: 2026-01-01T00:00Z, later than any example.
SLOT = 20_454 * DAY


def body(name: str) -> bytes:
    path = FOLDER / f"{name}.json"
    if not path.exists():
        absent(f"the example answer {name} is not here")
    return path.read_bytes()


def rows(name: str) -> list[dict[str, Any]]:
    return list(orjson.loads(body(name))["data"])


def as_v3(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with version 3's spelling: lower case, digits split off by underscores."""
    spelled = {"24H": "24_h", "7D": "7_d", "1M": "1_m"}

    def key(name: str) -> str:
        for old, new in spelled.items():
            name = name.replace(old, new)
        return name.lower()

    return [{key(name): value for name, value in row.items()} for row in rows]
