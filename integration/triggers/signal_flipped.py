"""Fires when a token's daily trading signal turns: the trend, which is the last signal that was one, becomes the other.

A bullish flip can be told only where the trader grade is high enough; a bearish one needs none. The first trend of a
token fires nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields, validates_schema

from integration.domain.catalogue import Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import Crossing
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.triggers._grades import POSSIBLE
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
from integration.triggers._options import TriggerOptions
from integration.triggers._signals import NAMES, TURNS, state_field, trends, turn
from integration.triggers._values import number

CLOCK, GRADES = "trading_signals", "trader_grades"
METRIC = "token_trend"
GRADE = "tm_trader_grade"
#: Payload fields and what they are told from.
RETURNS = {"signals_return": "trading_signals_returns", "holding_return": "holding_returns"}


class SignalOptions(TriggerOptions):
    """Which flips are told."""

    direction = turn("Tell when it turns bullish, bearish, or either")
    min_trader_grade = Number(
        load_default=0.0,
        validate=POSSIBLE,
        metadata=described(
            "Minimum Trader Grade", "A bullish flip is told only from this grade up; 0 tells every one", unit="points"
        ),
    )

    @validates_schema
    def _bearish_flips_need_no_grade(self, options: dict[str, Any], **_: Any) -> None:
        if options["direction"] == "bearish" and options["min_trader_grade"]:
            raise ValidationError("Only bullish flips ask for a grade: leave it at 0, or choose either.", "min_trader_grade")


class SignalPayload(EventPayload):
    """A flip."""

    direction = direction_field()
    trend = state_field("Trend", "bullish or bearish")
    previous_trend = state_field("Previous Trend", "bullish or bearish")
    trader_grade = fields.Float(
        required=True, allow_none=True, metadata=described("Trader Grade", "Empty where it is not known", unit="points")
    )
    signals_return = fields.Float(
        required=True,
        allow_none=True,
        metadata=described("Return Of Signals", "Of following all signals so far, as a multiple: 0.5 is +50 %", unit="fraction"),
    )
    holding_return = fields.Float(
        required=True,
        allow_none=True,
        metadata=described("Return Of Holding", "Of holding since the first signal, as a multiple", unit="fraction"),
    )
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """Signals; beside them trader grades where one is asked for, as signals carry them on their newest rows only."""
    return (CLOCK, GRADES) if options["min_trader_grade"] else (CLOCK,)


def lookback(options: Options) -> Lookback:
    """The trend is remembered like a side."""
    return level_lookback(options)


def _grades(history: History, options: Options) -> Floats:
    own = history.column(GRADE)
    return np.where(np.isnan(own), history.of(GRADES).column(GRADE), own) if options["min_trader_grade"] else own


def scan(history: History, options: Options) -> list[Firing]:
    """Flips that are told."""
    trend = trends(history)
    seen, sides = history.take(np.flatnonzero(~np.isnan(trend))), trend[~np.isnan(trend)].astype(np.int8)
    grades, least = _grades(seen, options), options["min_trader_grade"]

    def fits(flip: Crossing) -> bool:
        return flip.side == DOWN or not least or bool(grades[flip.at] >= least)

    returns = {name: seen.column(metric) for name, metric in RETURNS.items()}
    return [
        Firing(
            int(seen.as_of[flip.at]),
            {
                "trend": NAMES[flip.side],
                "previous_trend": NAMES[flip.previous],
                "trader_grade": number(grades[flip.at]),
                **{name: number(values[flip.at]) for name, values in returns.items()},
                **crossing_fields(flip, seen.as_of),
            },
        )
        for flip in crossed(history, seen.as_of, sides, options, TURNS[options["direction"]], fits)
    ]


def holds(history: History, options: Options) -> States:
    """Whether the trend is bullish, with the grade that is asked for; for `bearish`, whether it is bearish."""
    trend = trends(history)
    side = DOWN if options["direction"] == "bearish" else UP
    held = holding(history, trend, trend[~np.isnan(trend)].astype(np.int8), options, side)
    if not options["min_trader_grade"]:
        return held
    grades = _grades(history, options)
    enough = np.where(np.isnan(grades), -1, grades >= options["min_trader_grade"])
    return np.where(held == 1, enough, held).astype(np.int8)


def keeps(options: Options) -> Kept:
    """The trend is bullish; for `bearish`, bearish."""
    return kept(CLOCK, METRIC, options, DOWN if options["direction"] == "bearish" else UP)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    grade = "" if event["trader_grade"] is None else f" at a trader grade of {event['trader_grade']:.1f}"
    return (
        f"{event['subject_name']}'s daily signal turned from {event['previous_trend']} to {event['trend']}{grade} "
        f"on {day_and_month(event['as_of'])}."
    )


_TIME = "2023-01-10T00:00:00Z"
_EXAMPLE = {
    "direction": "up",
    "trend": "bullish",
    "previous_trend": "bearish",
    "trader_grade": 76.47,
    "signals_return": 12.41,
    "holding_return": 3.86,
    "crossed_at": "2023-01-10T00:00:00Z",
    "suppressed_count": 0,
}


def _trends(*values: float | None) -> list[tuple[float, Any]]:
    """A trend a day, its signal on the day it turns."""
    return [
        (day, {"token_trend": trend, "trading_signal": trend if day and trend != values[day - 1] else 0})
        for day, trend in enumerate(values)
    ]


def _with(beside: float | None, own: float | None = None) -> list[tuple[float, Any]]:
    """It turns bullish on day 1, with a grade from either source."""
    grades = {"trader_grades.tm_trader_grade": beside, "tm_trader_grade": own}
    return [(0, {"token_trend": -1, **grades}), (1, {"token_trend": 1, **grades})]


TRIGGER = Trigger(
    key="signal_flipped",
    noun="Signal Flip",
    label="New Signal Flip",
    description="Triggers when a token's daily trading signal turns bullish or bearish.",
    semantics=1,
    subject="token",
    options=SignalOptions,
    payload=SignalPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    summary=summary,
    sample=sample(
        "signal_flipped",
        "New Signal Flip",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "it turns bullish",
            {},
            _trends(-1, -1, 1),
            {2: {"direction": "up", "trend": "bullish", "previous_trend": "bearish"}},
        ),
        Case("it turns bearish and back", {}, _trends(1, -1, 1), {1: {"direction": "down"}, 2: {"direction": "up"}}),
        Case("only bearish flips", {"direction": "bearish"}, _trends(1, -1, 1), {1: {"trend": "bearish"}}),
        Case(
            "days without a signal say nothing where the trend is missing",
            {},
            [(day, {"trading_signal": signal}) for day, signal in enumerate([-1, 0, 1, 0])],
            {2: {"trend": "bullish"}},
        ),
        Case("with the grade that is asked for", {"min_trader_grade": 60}, _with(beside=60), {1: {"trader_grade": 60.0}}),
        Case(
            "the row's own grade goes before that beside it",
            {"min_trader_grade": 60},
            _with(beside=20, own=75),
            {1: {"trader_grade": 75.0}},
        ),
        Case(
            "a bearish flip needs no grade",
            {"min_trader_grade": 60},
            [(0, {"token_trend": 1}), (1, {"token_trend": -1, "trader_grades.tm_trader_grade": 20})],
            {1: {"direction": "down"}},
        ),
        Case(
            "it is confirmed by a second day",
            {"min_observations": 2},
            _trends(-1, 1, 1),
            {2: {"crossed_at": "1970-01-02T00:00:00Z"}},
        ),
        Case("a missing trend changes nothing", {}, _trends(-1, None, 1), {2: {}}),
    ),
    silent=(
        Case("the first trend", {}, _trends(1)),
        Case("the first signal of all", {}, _trends(0, 0, 1, 1)),
        Case("the signal is said again", {}, [(day, {"token_trend": 1, "trading_signal": 1}) for day in range(3)]),
        Case("the other direction", {"direction": "bullish"}, _trends(1, -1)),
        Case("too low a grade", {"min_trader_grade": 60}, _with(beside=59.9)),
        Case("an unknown grade", {"min_trader_grade": 60}, _with(beside=None)),
        Case("too long a silence lies between", {}, [(0, {"token_trend": -1}), (4, {"token_trend": 1})]),
    ),
)
