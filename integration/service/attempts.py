"""Attempts as their owner sees them: what went wrong, and how the answer began, with nothing secret in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from integration.domain.catalogue import Channel
from integration.domain.payload import iso
from integration.domain.redaction import redacted
from integration.service.wiring import Gradewire

#: The class of an address that may not be reached. What answers there is shown to nobody: else an attempt could read it.
REFUSED = "refused"


def show_attempts(gradewire: Gradewire, destination: Any, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Attempts at one delivery, oldest first. Heads are hidden where any attempt met an address that is refused."""
    classes = [error_class(row.status, row.outcome, row.error) for row in rows]
    hidden = REFUSED in classes
    known = [] if hidden else _secrets(gradewire, destination)
    return [
        {
            "at": iso(row.at),
            "duration_ms": row.duration_ms,
            "status": row.status,
            "outcome": row.outcome,
            "error_class": kind,
            "error": None if row.error is None else redacted(row.error, known),
            "head": None if hidden or row.head is None else redacted(_text(row.head), known),
        }
        for row, kind in zip(rows, classes, strict=True)
    ]


def error_class(status: int, outcome: str, error: str | None) -> str | None:
    """What kind of failure it was, None for a success: why no answer came (timeout, resolve …), "status" for an answer that
    says no by its status, "answer" for one that says so in its body."""
    if outcome == "delivered":
        return None
    if status == 0:
        return (error or "failed").partition(":")[0]
    return "answer" if 200 <= status < 300 else "status"


def _text(head: bytes) -> str:
    """The start of an answer as text: what is no text, or would move a terminal's cursor, becomes a mark."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in head.decode(errors="replace"))


def _secrets(gradewire: Gradewire, destination: Any) -> list[str]:
    """What an answer of a destination may repeat and must not be shown; nothing more is known where it cannot be opened."""
    channel = gradewire.channels.get(destination.channel)
    with suppress(Exception):
        return list(secrets_of(channel, gradewire.open_config(destination.config)))
    return []


def secrets_of(channel: Channel | None, config: Mapping[str, Any]) -> Iterator[str]:
    """The secrets in a destination's settings: what its channel marks as secret or does not know, and the paths of addresses."""
    fields = {} if channel is None else channel.config().fields
    for key, value in config.items():
        plain = key in fields and not fields[key].metadata.get("secret") and isinstance(value, str)
        for text in _texts(value):
            if "://" in text:
                parts = urlsplit(text)
                yield from (parts.path + (f"?{parts.query}" if parts.query else ""), parts.path, parts.query)
            if not plain:
                yield text


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for entry in value:
            yield from _texts(entry)
    elif isinstance(value, str):
        yield value
        if value.startswith("{"):  # a key file
            with suppress(ValueError):
                yield from _texts(json.loads(value))
