"""How the page spells times and texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any


def clock(milliseconds: int) -> str:
    """The time of day, UTC."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%H:%M:%S}"


def stamp(milliseconds: int) -> str:
    """Date and time, UTC."""
    return f"{day(milliseconds)}, {clock(milliseconds)} UTC"


def day(when: int | str) -> str:
    """A date, from milliseconds or from ISO 8601."""
    moment = datetime.fromisoformat(when) if isinstance(when, str) else datetime.fromtimestamp(when / 1000, UTC)
    return f"{moment.day} {moment:%b %Y}"


def summary_of(body: str) -> str:
    """The summary that an event's JSON carries, empty where it is no such thing."""
    event = _decoded(body)
    return str(event.get("summary", "")) if isinstance(event, dict) else ""


def pretty(body: str) -> str:
    """JSON with line breaks; any other text as it is."""
    value = _decoded(body)
    return body if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def _decoded(body: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


FILTERS: dict[str, Callable[..., str]] = {
    "clock": clock, "stamp": stamp, "day": day, "summary_of": summary_of, "pretty": pretty,
}  # fmt: skip
