"""Fires when a token's hourly trading signal turns bullish or bearish.

It can be told only where it agrees with the daily trend. The first signal of a token fires nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import fields

from integration.domain.catalogue import Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import Crossing
from integration.domain.history import Firing, Floats, History
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.triggers._levels import (
    DOWN,
    UP,
    crossed,
    crossed_at_field,
    crossing_fields,
    direction_field,
    holding,
    kept,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import TriggerOptions, confirmations
from integration.triggers._signals import NAMES, TURNS, state_field, trends, turn
from integration.triggers._values import number, usd

CLOCK, DAILY = "hourly_signals", "trading_signals"
METRIC = "signal"


class HourlySignalOptions(TriggerOptions):
    """Which flips are told."""

    min_observations = confirmations(2)
    direction = turn("Tell when it turns bullish, bearish, or either")
    agree_with_daily = fields.Boolean(
        load_default=False,
        metadata=described("Agree With Daily", "Tell only flips to what the daily trend is at that time"),
    )


class HourlySignalPayload(EventPayload):
    """A flip."""

    direction = direction_field()
    signal = state_field("Signal", "bullish or bearish")
    previous_signal = state_field("Previous Signal", "bullish or bearish")
    daily_trend = fields.String(
        required=True,
        allow_none=True,
        metadata=described("Daily Trend", "bullish or bearish; empty where it was not asked about"),
    )
    close = fields.Float(required=True, allow_none=True, metadata=described("Price", "Close of that hour", unit="USD"))
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """Hourly signals; daily ones beside them where they must agree."""
    return (CLOCK, DAILY) if options["agree_with_daily"] else (CLOCK,)


def lookback(options: Options) -> Lookback:
    """The signal is remembered like a side."""
    return level_lookback(options)


def _daily(history: History, options: Options) -> Floats:
    """The daily trend beside each hour; none where it is not asked about."""
    return trends(history.of(DAILY)) if options["agree_with_daily"] else np.zeros(len(history.as_of))


def scan(history: History, options: Options) -> list[Firing]:
    """Flips that are told."""
    signal = np.sign(history.column(METRIC))
    seen, sides = history.take(np.flatnonzero(~np.isnan(signal))), signal[~np.isnan(signal)].astype(np.int8)
    daily, close = _daily(seen, options), seen.column("close")

    def fits(flip: Crossing) -> bool:
        return not options["agree_with_daily"] or bool(daily[flip.at] == flip.side)

    return [
        Firing(
            int(seen.as_of[flip.at]),
            {
                "signal": NAMES[flip.side],
                "previous_signal": NAMES[flip.previous],
                "daily_trend": NAMES[flip.side] if options["agree_with_daily"] else None,
                "close": number(close[flip.at]),
                **crossing_fields(flip, seen.as_of),
            },
        )
        for flip in crossed(history, seen.as_of, sides, options, TURNS[options["direction"]], fits)
    ]


def holds(history: History, options: Options) -> States:
    """Whether the signal is bullish, and the daily trend too where they must agree; for `bearish`, whether it is bearish."""
    signal = np.sign(history.column(METRIC))
    side = DOWN if options["direction"] == "bearish" else UP
    held = holding(history, signal, signal[~np.isnan(signal)].astype(np.int8), options, side)
    if not options["agree_with_daily"]:
        return held
    daily = _daily(history, options)
    agrees = np.where(np.isnan(daily), -1, daily == side)
    return np.where(held == 1, agrees, held).astype(np.int8)


def keeps(options: Options) -> Kept:
    """The signal is bullish; for `bearish`, bearish."""
    return kept(CLOCK, METRIC, options, DOWN if options["direction"] == "bearish" else UP)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    price = "" if event["close"] is None else f" at {usd(event['close'])}"
    agrees = ", as the daily trend is," if event["daily_trend"] else ""
    return (
        f"{event['subject_name']}'s hourly signal turned from {event['previous_signal']} to {event['signal']}{agrees}{price} "
        f"on {day_and_month(event['as_of'])}."
    )


_TIME = "2025-06-09T10:26:09.454Z"
_EXAMPLE = {
    "direction": "up",
    "signal": "bullish",
    "previous_signal": "bearish",
    "daily_trend": None,
    "close": 107_420.5,
    "crossed_at": "2025-06-09T09:26:09.454Z",
    "suppressed_count": 0,
}
_HOUR = 1 / 24


def _signals(*values: float | None) -> list[tuple[float, Any]]:
    """A signal an hour."""
    return [(hour * _HOUR, {"signal": value, "close": 100}) for hour, value in enumerate(values)]


def _beside(trend: float | None) -> list[tuple[float, Any]]:
    """It turns bullish in the second hour, beside a daily trend."""
    daily = {"trading_signals.token_trend": trend, "trading_signals.as_of": 0}
    return [(hour * _HOUR, {"signal": signal, **daily}) for hour, signal in enumerate([-1, 1, 1])]


TRIGGER = Trigger(
    key="hourly_signal_flipped",
    noun="Hourly Signal Flip",
    label="New Hourly Signal Flip",
    description="Triggers when a token's hourly trading signal turns bullish or bearish.",
    semantics=1,
    subject="token",
    options=HourlySignalOptions,
    payload=HourlySignalPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    summary=summary,
    sample=sample(
        "hourly_signal_flipped",
        "New Hourly Signal Flip",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "a second hour confirms it",
            {},
            _signals(-1, 1, 1),
            {2 * _HOUR: {"direction": "up", "signal": "bullish", "crossed_at": "1970-01-01T01:00:00Z", "close": 100.0}},
        ),
        Case("at once", {"min_observations": 1}, _signals(1, -1), {_HOUR: {"signal": "bearish"}}),
        Case("only bearish flips", {"direction": "bearish"}, _signals(1, 1, -1, -1), {3 * _HOUR: {"direction": "down"}}),
        Case("it agrees with the daily trend", {"agree_with_daily": True}, _beside(1), {2 * _HOUR: {"daily_trend": "bullish"}}),
        Case("an hour without a signal is forgiven", {}, _signals(-1, 1, None, 1), {3 * _HOUR: {}}),
        Case(
            "there and back within the quiet time is told once",
            {"min_observations": 1},
            _signals(-1, 1, -1, 1, 1, 1),
            {_HOUR: {"suppressed_count": 0}},
        ),
    ),
    silent=(
        Case("the first signal", {}, _signals(1)),
        Case("one hour does not confirm", {}, _signals(-1, 1, -1, 1, -1)),
        Case("the other direction", {"direction": "bullish"}, _signals(1, -1, -1)),
        Case("the daily trend disagrees", {"agree_with_daily": True}, _beside(-1)),
        Case("the daily trend is not known", {"agree_with_daily": True}, _beside(None)),
        Case("too long a silence lies between", {}, [(0, {"signal": -1}), (2.1, {"signal": 1}), (2.1 + _HOUR, {"signal": 1})]),
    ),
)
