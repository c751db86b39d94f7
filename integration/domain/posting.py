"""Texts ready to post in a chat that knows Discord's markdown: an event, what is known of a token or index, a poll's events."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from integration.domain.payload import day_and_month

#: The characters that Discord takes in one message.
MOST = 2_000
#: What Discord's markdown gives a meaning; a mention is broken by a character that nobody sees.
_MARKS = re.compile(r"([\\*_~`|>#\[\]<])")
_MENTION = re.compile("@(?=everyone|here)", re.IGNORECASE)
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_NOTES = (("sandbox", "sandbox data"), ("is_sample", "made-up sample"), ("restated", "corrected data"))

Event = Mapping[str, Any]


def _plain(value: float) -> str:
    return f"{Decimal(f'{value:.6g}').normalize():,f}"


def _percent(value: float) -> str:
    return f"{value * 100:.4g} %"


def _points(value: float) -> str:
    return f"{value:.4g} of 100"


#: How people call a snapshot's metrics, and say their values.
METRICS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "tm_trader_grade": ("Trader grade", _points),
    "tm_investor_grade": ("Investor grade", _points),
    "tm_grade": ("TM grade", _points),
    "valuation_grade": ("Valuation grade", _points),
    "momentum": ("Momentum", _plain),
    "sharpe": ("Sharpe ratio", _plain),
    "sortino": ("Sortino ratio", _plain),
    "volatility": ("Volatility", _percent),
    "max_drawdown": ("Largest drawdown", _percent),
    "daily_value_at_risk": ("Value at risk, 1 day", _percent),
    "price": ("Price in USD", _plain),
    "index_grade": ("Index grade", _points),
}


def escaped(text: object) -> str:
    """Text that a chat shows as it is, on one line: nothing of it is markup, and nobody is mentioned by it."""
    return _MENTION.sub("@\u200b", _MARKS.sub(r"\\\1", _UNSHOWN.sub(" ", str(text)).strip()))


def event_text(event: Event) -> str:
    """What happened, and the subject's main metrics beside it."""
    return _fitting([f"**{_title(event)}**", escaped(event["summary"]), *snapshot_lines(event["snapshot"])], _note(event))


def subject_text(name: str, symbol: str, snapshot: Mapping[str, Any], *, sandbox: bool) -> str:
    """What is known of a token or an index; that nothing is, where that is so."""
    lines = snapshot_lines(snapshot) or ["Nothing is known of it yet."]
    return _fitting([f"**{escaped(_called(name, symbol))}**", *lines], _note({"sandbox": sandbox}))


def bundle_text(summary: str, events: Sequence[Event]) -> str:
    """What a poll brought: a line for each event, and how many more there are where not all fit."""
    return _fitting([f"**{escaped(summary)}**", *(f"• {escaped(event['summary'])}" for event in events)], _note(events[0]))


def snapshot_lines(snapshot: Mapping[str, Any]) -> list[str]:
    """A line for each metric that is known, in the order of METRICS, with its date where that is not the newest one's."""
    known = {key: shot for key, shot in snapshot.items() if key in METRICS and shot["value"] is not None}
    newest = max((shot["as_of"] for shot in known.values()), default="")
    lines = []
    for key, (label, said) in METRICS.items():
        if key in known:
            shot = known[key]
            when = "" if shot["as_of"][:10] == newest[:10] else f" ({day_and_month(shot['as_of'])})"
            lines.append(f"{label}: **{escaped(shot.get('text') or said(shot['value']))}**{when}")
    return [*lines, f"As of {day_and_month(newest)}"] if lines else []


def _title(event: Event) -> str:
    label = str(event["label"]).removeprefix("New ")
    return escaped(f"{label}: {_called(event['subject_name'], event['subject_symbol'])}")


def _called(name: str, symbol: str) -> str:
    return f"{name} ({symbol})" if symbol else name


def _note(event: Event) -> str:
    notes = ", ".join(text for key, text in _NOTES if event.get(key))
    return f"_{notes.capitalize()}. Facts, not advice._" if notes else "_Facts, not advice._"


def _fitting(lines: Sequence[str], last: str) -> str:
    """As many lines as fit, and the last one; how many are left out is said."""
    room, kept = MOST - len(last) - 30, list[str]()
    for place, line in enumerate(lines):
        cut = line if len(line) <= room else ""
        if not cut:
            kept.append(f"… and {len(lines) - place} more")
            break
        kept.append(line)
        room -= len(line) + 1
    return "\n".join([*kept, last])
