"""Fires when a token's daily close falls N % under its close on the day of the last bullish signal; once for each signal.

A signal stands until a bearish one follows, and a newer bullish one takes its place with its own price. It is forgotten
after 360 days, after too long a silence of prices or signals, and is not known where it lies before the first reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from marshmallow import fields, validate

from integration.domain.catalogue import Case, Lookback, Options, States, Trigger
from integration.domain.delta import MEMORY, Crossing, Sides, cool_down
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.triggers._levels import (
    DOWN,
    UP,
    confirmed,
    crossed_at_field,
    holding,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import TriggerOptions, cooldown
from integration.triggers._signals import trends
from integration.triggers._values import usd

CLOCK, SIGNALS = "daily_ohlcv", "trading_signals"
METRIC = "close"
#: No bullish signal is known, or a bearish one ended it.
UNKNOWN, ENDED = -1, -2


class StopOptions(TriggerOptions):
    """How far is too far."""

    percent = Number(
        load_default=10.0,
        validate=validate.Range(0.1, 99),
        metadata=described("Percent", "Tell when the close is this far under the price at the last bullish signal", unit="%"),
    )


class StopPayload(EventPayload):
    """A stop that was hit."""

    percent = fields.Float(required=True, metadata=described("Percent", unit="%"))
    price = fields.Float(required=True, metadata=described("Price", "Close of the day", unit="USD"))
    stop_price = fields.Float(required=True, metadata=described("Stop Price", unit="USD"))
    signal_price = fields.Float(
        required=True, metadata=described("Signal Price", "Close on the day of the last bullish signal", unit="USD")
    )
    signal_at = fields.String(required=True, metadata=described("Signal At", "The day of the last bullish signal"))
    return_since_signal = fields.Float(required=True, metadata=described("Return Since Signal", unit="fraction"))
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Daily prices, signals beside them."""
    return (CLOCK, SIGNALS)


def lookback(options: Options) -> Lookback:
    """A signal is remembered like a side; that it is a new one shows at the reading before."""
    return level_lookback(options, 3)


def _traded(history: History) -> History:
    return history.take(np.flatnonzero(history.column(METRIC) > 0))


def _standing(seen: History) -> Iterator[int]:
    """For each bar the position of the bar of the bullish signal that stands there; UNKNOWN or ENDED where none does."""
    signals = seen.of(SIGNALS)
    said = zip(
        seen.as_of.tolist(), trends(signals).tolist(), signals.column("trading_signal").tolist(), signals.as_of.tolist(),
        strict=True,
    )  # fmt: skip
    stands, heard, before, latest = UNKNOWN, -MEMORY, -MEMORY, -1
    for position, (now, trend, signal, dated) in enumerate(said):
        if now - before > seen.max_gap or now - heard > seen.max_gap:
            stands, latest = UNKNOWN, -1
        before = now
        if trend > 0 and (stands == ENDED or (signal > 0 and dated != latest)):
            stands = position
        elif trend < 0:
            stands = ENDED
        latest = dated if signal > 0 else latest
        heard = heard if np.isnan(trend) else now
        yield UNKNOWN if stands >= 0 and now - int(seen.as_of[stands]) > MEMORY else stands


@dataclass(frozen=True, slots=True)
class Stops:
    """At each bar the position of the signal's bar, and whether the close is under the stop (DOWN), not (UP), or unknown (0)."""

    signal: list[int]
    sides: Sides
    prices: Floats


def _stops(seen: History, options: Options) -> Stops:
    closes, signal = seen.column(METRIC), list(_standing(seen))
    there = np.array(signal, dtype=np.int64)
    prices = np.where(there >= 0, closes[np.maximum(there, 0)] * (1 - options["percent"] / 100), np.nan)
    sides = np.where(there == UNKNOWN, 0, np.where(closes <= prices, DOWN, UP)).astype(np.int8)
    return Stops(signal, sides, prices)


def scan(history: History, options: Options) -> list[Firing]:
    """Stops that are hit, the first time for each signal."""
    seen = _traded(history)
    stops, closes = _stops(seen, options), seen.column(METRIC)
    hits: dict[int, Crossing] = {}
    for crossing in confirmed(history, seen.as_of, stops.sides, options):
        if crossing.side == DOWN:
            hits.setdefault(stops.signal[crossing.at], crossing)
    by_position = {hit.at: hit for hit in hits.values()}
    firings = []
    for notice in cool_down(seen.as_of, list(by_position), cooldown(options), lambda _: True):
        at, signal = notice.at, stops.signal[notice.at]
        fields_ = {
            "percent": options["percent"],
            "price": float(closes[at]),
            "stop_price": float(stops.prices[at]),
            "signal_price": float(closes[signal]),
            "signal_at": iso(int(seen.as_of[signal])),
            "return_since_signal": round(float(closes[at] / closes[signal]) - 1, 6),
            "crossed_at": iso(int(seen.as_of[by_position[at].start])),
            "suppressed_count": notice.suppressed,
        }
        firings.append(Firing(int(seen.as_of[at]), fields_))
    return firings


def holds(history: History, options: Options) -> States:
    """Whether the close is under the stop of a bullish signal that stands."""
    closes = history.column(METRIC)
    traded = closes > 0
    sides = _stops(_traded(history), options).sides
    held = holding(history, np.where(traded, closes, np.nan), sides, options, DOWN)
    held[np.flatnonzero(traded)[sides == 0]] = -1  # the last known side is that of a signal that is forgotten
    return held


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    return (
        f"{event['subject_name']} fell {-100 * event['return_since_signal']:.1f} % under its price at the last bullish signal: "
        f"{usd(event['signal_price'])} → {usd(event['price'])} on {day_and_month(event['as_of'])}."
    )


_TIME = "2021-05-19T00:00:00Z"
_EXAMPLE = {
    "percent": 10.0,
    "price": 37_002.44,
    "stop_price": 44_100.0,
    "signal_price": 49_000.0,
    "signal_at": "2021-05-14T00:00:00Z",
    "return_since_signal": -0.244848,
    "crossed_at": "2021-05-19T00:00:00Z",
    "suppressed_count": 0,
}


def _bars(*bars: tuple[float | None, int | None]) -> list[tuple[float, Any]]:
    """(close, trend) by day; a signal is given on the days the trend turns."""
    said: list[tuple[float, Any]] = []
    for day, (close, trend) in enumerate(bars):
        turned = day > 0 and trend not in (None, bars[day - 1][1])
        signal = None if trend is None else trend if turned else 0
        beside = {"trading_signals.token_trend": trend, "trading_signals.trading_signal": signal}
        said.append((day, {"close": close, **beside}))
    return said


_LISTED = _bars((90, -1), (100, 1), (96, 1), (90, 1), (85, 1))

TRIGGER = Trigger(
    key="signal_stop",
    noun="Stop Level Hit",
    label="New Stop Level Hit",
    description="Triggers when a token's price falls a percentage under its price at the last bullish signal.",
    semantics=1,
    subject="token",
    options=StopOptions,
    payload=StopPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    summary=summary,
    sample=sample(
        "signal_stop",
        "New Stop Level Hit",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "it closes at ten percent under the signal's price",
            {},
            _LISTED,
            {3: {"signal_price": 100.0, "stop_price": 90.0, "return_since_signal": -0.1, "signal_at": "1970-01-02T00:00:00Z"}},
        ),
        Case("another percentage", {"percent": 15}, _LISTED, {4: {"price": 85.0}}),
        Case(
            "a newer signal has a price of its own",
            {},
            _bars((90, -1), (100, 1), (95, -1), (120, 1), (109, 1), (107, 1)),
            {5: {"signal_price": 120.0}},
        ),
        Case(
            "a signal that is given again takes the place of the first",
            {},
            [*_bars((90, -1), (100, 1)), (2, {**_bars((120, 1))[0][1], "trading_signals.trading_signal": 1}), _LISTED[3]],
            {3: {"signal_price": 120.0, "return_since_signal": -0.25}},
        ),
        Case(
            "two stops of two signals",
            {},
            _bars((90, -1), (100, 1), (80, 1), (70, -1), (100, 1), (90, 1)),
            {2: {}, 5: {"signal_at": "1970-01-05T00:00:00Z"}},
        ),
        Case(
            "a second close confirms it",
            {"min_observations": 2},
            _bars((90, -1), (100, 1), (85, 1), (95, 1), (89, 1), (88, 1)),
            {5: {"crossed_at": "1970-01-05T00:00:00Z"}},
        ),
        Case("signals that are missing for a day still stand", {}, _bars((90, -1), (100, 1), (95, None), (80, None)), {3: {}}),
    ),
    silent=(
        Case("the first bar", {}, _bars((90, 1))),
        Case("the same stop is hit again", {}, _bars((100, 1), (80, 1), (100, 1), (80, 1))),
        Case("it falls after a bearish signal", {}, _bars((90, -1), (100, 1), (99, -1), (50, -1))),
        Case("it falls without a signal", {}, _bars((100, -1), (50, -1))),
        Case("the signal lies before the first reading", {}, _bars((100, 1), (50, 1))),
        Case("it falls too little", {}, _bars((90, -1), (100, 1), (90.1, 1))),
        Case("it rises", {}, _bars((90, -1), (100, 1), (150, 1))),
        Case("too long a silence lies between", {}, [*_bars((90, -1), (100, 1)), (5, _bars((80, 1))[0][1])]),
    ),
)
