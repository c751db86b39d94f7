"""How the page spells times and texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

When = int | str


def clock(when: When) -> str:
    """The time of day, UTC, from milliseconds or from ISO 8601."""
    return f"{_moment(when):%H:%M:%S}"


def stamp(when: When) -> str:
    """Date and time, UTC."""
    return f"{day(when)}, {clock(when)} UTC"


def day(when: When) -> str:
    """A date."""
    moment = _moment(when)
    return f"{moment.day} {moment:%b %Y}"


def _moment(when: When) -> datetime:
    return datetime.fromisoformat(when) if isinstance(when, str) else datetime.fromtimestamp(when / 1000, UTC)


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
