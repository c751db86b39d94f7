"""How people read an event: title, facts, dates, notes. The same words in every channel, for any trigger."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from integration.domain.payload import EventPayload, day_and_month

Event = Mapping[str, Any]

#: What every event carries, and the text for one chat that another has no use for.
_COMMON = frozenset(EventPayload().fields) | {"discord_text"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")
#: Control characters, what turns the reading direction around, and half characters that no encoding can carry.
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SPELLINGS = {"tm": "TM", "id": "ID", "usd": "USD", "roi": "ROI", "var": "VaR", "ath": "ATH", "ai": "AI"}


def clean(text: object) -> str:
    """Text on one line, without characters that are not shown or that reorder what is around them."""
    return _UNSHOWN.sub(" ", str(text)).strip()


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; an ellipsis says that there was more."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def spelled(key: str) -> str:
    """A field's name for people.

    >>> spelled("tm_trader_grade")
    'TM Trader Grade'
    """
    return " ".join(_SPELLINGS.get(word, word.capitalize()) for word in key.split("_"))


def moment(iso: str) -> str:
    """A time for people: "14 May 2021", with the time of day unless it is midnight."""
    clock = datetime.fromisoformat(iso).strftime("%H:%M")
    return day_and_month(iso) + ("" if clock == "00:00" else f" {clock} UTC")


def shown(value: object) -> str:
    """A value for people; numbers with six digits at least, and never as powers of ten."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        if abs(value) >= 1000:
            return f"{value:,.2f}"
        return np.format_float_positional(value, precision=6, fractional=False, trim="-")
    if isinstance(value, str) and _TIME.match(value):
        return moment(value)
    return "–" if value is None else clean(value)


def title(event: Event) -> str:
    """What happened to whom: "Sharpe Ratio Crossing: Bitcoin (BTC)"."""
    label, name = clean(event["label"]).removeprefix("New "), cut(clean(event["subject_name"]), 80)
    symbol = cut(clean(event["subject_symbol"]), 20)
    return f"{label}: {name} ({symbol})" if symbol else f"{label}: {name}"


def lines(digest: Event, room: int, escape: Callable[[str], str] = str) -> list[str]:
    """A digest's events, a summary each, as many as fit into so many characters; a last line counts the others."""
    shown: list[str] = []
    events = digest["events"]
    for place, event in enumerate(events):
        marks = "".join(f" ({note})" for note in notes(event))
        line = escape(f"• {cut(clean(event['summary']), 300)}{marks}")
        rest = f"… and {len(events) - place} more"
        if len(line) + 1 > room - (len(rest) + 1 if place + 1 < len(events) else 0):
            return [*shown, rest]
        shown.append(line)
        room -= len(line) + 1
    return shown


def notes(event: Event) -> list[str]:
    """What a reader must know before acting on it."""
    marks = (("sandbox", "sandbox data"), ("is_sample", "made-up sample"), ("restated", "corrected data"))
    return [note for key, note in marks if event.get(key)]


def own(event: Event) -> dict[str, Any]:
    """The trigger's own fields, in its order."""
    return {key: value for key, value in event.items() if key not in _COMMON}


def facts(event: Event) -> list[tuple[str, str]]:
    """(label, value) of the trigger's own fields that say something, 20 at most.

    Lists are left out, for the flat fields beside them say the same.
    """
    telling = [
        (spelled(key), cut(shown(value), 300))
        for key, value in own(event).items()
        if not isinstance(value, list | dict) and value not in (None, "") and not (key.endswith("_count") and value == 0)
    ]
    return telling[:20]


def snapshot(event: Event) -> list[tuple[str, str, str]]:
    """(label, value, date) of the subject's main metrics."""
    return [
        (spelled(key), shown(metric["value"]), moment(metric["as_of"]))
        for key, metric in event.get("snapshot", {}).items()
        if metric["value"] is not None
    ]


def change(event: Event) -> tuple[Any, Any]:
    """The values before and after: the first field named `previous_…` or `old_…` that has its counterpart, else nothing."""
    fields = own(event)
    for key, value in fields.items():
        for before, after in (("previous_", ""), ("old_", "new_")):
            counterpart = after + key.removeprefix(before)
            if key.startswith(before) and counterpart in fields:
                return value, fields[counterpart]
    return None, None
