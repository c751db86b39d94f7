"""Fires when the market turns bullish or bearish, or its capitalisation or share of high grades crosses a level.

The regime is Token Metrics' own: the last market signal that was one. Levels have a band: see `domain.delta.level_sides`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from integration.domain.catalogue import Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import Sides, level_sides, observed
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.triggers._levels import (
    DOWN,
    UP,
    WANTED,
    crossed,
    crossed_at_field,
    crossing_fields,
    direction_field,
    holding,
    kept,
    kept_level,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import TriggerOptions, direction
from integration.triggers._possible import Possible, check_crossing
from integration.triggers._snapshots import THE_MARKET
from integration.triggers._values import number

SOURCE = "market_metrics"
METRIC = "last_grade_signal"
METRICS = {"regime": METRIC, "market_cap": "total_mcap", "high_grade_share": "high_grade_share"}
#: The level and the narrowest band where none are given, and what can be: the source takes no smaller market for one.
LEVELS = {"market_cap": (4.0, 0.02, Possible(0.001, math.inf, "[)")), "high_grade_share": (10.0, 1.0, Possible(0, 100))}
TRILLION = 1e12


class RegimeOptions(TriggerOptions):
    """What of the market is watched, and which level counts."""

    kind = fields.String(
        load_default="regime",
        validate=validate.OneOf(list(METRICS)),
        metadata=described(
            "Kind", "regime: bullish or bearish; market_cap of all coins; or high_grade_share: how many of them have a high grade"
        ),
    )
    level = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0.001, 1_000),
        metadata=described(
            "Level",
            "In trillion USD for market_cap, in percent for high_grade_share; empty means 4 and 10; none for regime",
            when={"kind": list(LEVELS)},
            suits={
                "kind": {
                    "market_cap": {"unit": "trillion USD", "start": LEVELS["market_cap"][0]},
                    "high_grade_share": {"unit": "%", "start": LEVELS["high_grade_share"][0]},
                }
            },
        ),
    )
    direction = direction(
        "Tell when it turns bullish or rises above the level (up), turns bearish or falls below (down), or either"
    )
    hysteresis = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 1_000),
        metadata=described(
            "Band",
            "How far it must go back before it can cross again, in the unit of the level; empty means 2 % of it, at least "
            "0.02 trillion USD or 1 percent point",
            when={"kind": list(LEVELS)},
        ),
    )

    @validates_schema
    def _fits(self, options: dict[str, Any], **_: Any) -> None:
        if options["kind"] == "regime":
            for name in ("level", "hysteresis"):
                if options[name] is not None:
                    raise ValidationError("A regime is bullish or bearish: leave this out.", name)
        elif options["level"] is not None and options["level"] > LEVELS[options["kind"]][2].high:
            raise ValidationError(f"Use {LEVELS[options['kind']][2].high:g} at most: it is in percent.", "level")

    @post_load
    def _filled(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        if options["kind"] == "regime":
            return options
        usual, narrowest, values = LEVELS[options["kind"]]
        if options["level"] is None:
            options["level"] = usual
        if options["hysteresis"] is None:
            options["hysteresis"] = max(narrowest, round(0.02 * options["level"], 6))
        check_crossing(options["level"], options["hysteresis"], values, below=options["direction"] == "down")
        return options


class RegimePayload(EventPayload):
    """A turn of the market or a crossing, and how the market stands."""

    kind = fields.String(required=True, metadata=described("Kind", "regime, market_cap or high_grade_share"))
    direction = direction_field()
    level = fields.Float(
        required=True, allow_none=True, metadata=described("Level", "Empty for regime", unit="USD, or % for high_grade_share")
    )
    value = fields.Float(
        required=True, metadata=described("Value", "1 bullish, -1 bearish for regime", unit="USD, or % for high_grade_share")
    )
    previous_value = fields.Float(
        required=True,
        metadata=described("Previous Value", "The last that was not on the new side", unit="USD, or % for high_grade_share"),
    )
    regime = fields.String(
        required=True, allow_none=True, metadata=described("Regime", "bullish or bearish; empty where not known")
    )
    total_mcap = fields.Float(required=True, allow_none=True, metadata=described("Total Market Cap", unit="USD"))
    high_grade_share = fields.Float(
        required=True, allow_none=True, metadata=described("High Grade Share", "Coins with a high grade", unit="%")
    )
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Market metrics."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """That of a level."""
    return level_lookback(options)


def _unit(options: Options) -> float:
    """What one of the level's unit is in upstream's."""
    return TRILLION if options["kind"] == "market_cap" else 1.0


def _sides(values: Floats, options: Options) -> Sides:
    if options["kind"] == "regime":
        return np.sign(values).astype(np.int8)
    below = options["direction"] == "down"
    return level_sides(values / _unit(options), options["level"], options["hysteresis"], below=below)


def scan(history: History, options: Options) -> list[Firing]:
    """Turns and crossings that are told."""
    seen = history.take(np.flatnonzero(~np.isnan(history.column(METRICS[options["kind"]]))))
    values = seen.column(METRICS[options["kind"]])
    found = crossed(history, seen.as_of, _sides(values, options), options, WANTED[options["direction"]])
    regimes, caps, shares = (seen.column(metric) for metric in METRICS.values())
    level = None if options["level"] is None else float(options["level"] * _unit(options))
    return [
        Firing(
            int(seen.as_of[crossing.at]),
            {
                "kind": options["kind"],
                "level": level,
                "value": float(values[crossing.at]),
                "previous_value": float(values[crossing.before]),
                "regime": _regime(float(regimes[crossing.at])),
                "total_mcap": number(caps[crossing.at]),
                "high_grade_share": number(shares[crossing.at]),
                **crossing_fields(crossing, seen.as_of),
            },
        )
        for crossing in found
    ]


def _regime(signal: float) -> str | None:
    return "bullish" if signal > 0 else "bearish" if signal < 0 else None


def holds(history: History, options: Options) -> States:
    """Whether the market is bullish or above the level; for `down`, bearish or below it."""
    values = history.column(METRICS[options["kind"]])
    sides = _sides(observed(history.as_of, values)[1], options)
    return holding(history, values, sides, options, DOWN if options["direction"] == "down" else UP)


def keeps(options: Options) -> Kept:
    """The market is bullish or above the level; for `down`, bearish or below it."""
    metric, below = METRICS[options["kind"]], options["direction"] == "down"
    if options["kind"] == "regime":
        return kept(SOURCE, metric, options, DOWN if below else UP)
    return kept_level(SOURCE, metric, options["level"], options["hysteresis"], options, below=below)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    up, when = event["direction"] == "up", day_and_month(event["as_of"])
    if event["kind"] == "regime":
        share = event["high_grade_share"]
        more = "" if share is None else f", with a high grade for {share:.1f} % of coins,"
        return f"The crypto market turned {'bullish' if up else 'bearish'}{more} on {when}."
    verb = "rose above" if up else "fell below"
    if event["kind"] == "high_grade_share":
        moved = f"{event['previous_value']:.1f} % → {event['value']:.1f} %"
        return f"The share of coins with a high grade {verb} {event['level']:g} %: {moved} on {when}."
    moved = f"{event['previous_value'] / TRILLION:.3f} → {event['value'] / TRILLION:.3f}"
    return f"The market cap of all crypto {verb} {event['level'] / TRILLION:g} trillion USD: {moved} trillion on {when}."


_TIME = "2025-07-11T00:00:00Z"
_EXAMPLE = {
    "kind": "regime",
    "direction": "up",
    "level": None,
    "value": 1.0,
    "previous_value": -1.0,
    "regime": "bullish",
    "total_mcap": 3_645_000_000_000.0,
    "high_grade_share": 12.4,
    "crossed_at": _TIME,
    "suppressed_count": 0,
}


def _days(metric: str, *values: float | None) -> list[tuple[float, Any]]:
    return [(day, {metric: value}) for day, value in enumerate(values)]


TRIGGER = Trigger(
    key="market_regime_changed",
    noun="Market Regime",
    label="New Market Regime",
    description=(
        "Triggers when the market turns bullish or bearish, or when its total market cap or its share of high-grade coins "
        "crosses a level."
    ),
    semantics=1,
    subject="market",
    options=RegimeOptions,
    payload=RegimePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    summary=summary,
    sample=sample(
        "market_regime_changed", "New Market Regime", THE_MARKET, _EXAMPLE, summary({**_EXAMPLE, "as_of": _TIME}), _TIME
    ),
    fires=(
        Case(
            "it turns bullish and bearish again",
            {},
            _days(METRIC, -1, -1, 1, None, -1),
            {2: {"direction": "up", "regime": "bullish", "level": None}, 4: {"direction": "down", "regime": "bearish"}},
        ),
        Case("before its first signal it had no regime", {}, _days(METRIC, -1, 0, 1), {2: {"previous_value": 0.0}}),
        Case(
            "the market cap reaches a level",
            {"kind": "market_cap", "level": 3, "direction": "up"},
            _days("total_mcap", 2.9e12, 3e12, 2.9e12),
            {1: {"level": 3e12, "value": 3e12, "previous_value": 2.9e12, "regime": None, "total_mcap": 3e12}},
        ),
        Case(
            "the share of high grades falls through the band",
            {"kind": "high_grade_share", "level": 5},
            _days("high_grade_share", 8.2, 4.6, 3.9),
            {2: {"direction": "down", "value": 3.9, "previous_value": 4.6, "level": 5.0}},
        ),
        Case("confirmed by a second day", {"min_observations": 2}, _days(METRIC, -1, 1, 1), {2: {"direction": "up"}}),
    ),
    silent=(
        Case("the first reading", {}, _days(METRIC, 1)),
        Case("the market stays bullish", {}, _days(METRIC, 1, 1, None, 1)),
        Case("the other direction", {"direction": "up"}, _days(METRIC, 1, -1)),
        Case("it trembles within the band", {"kind": "market_cap", "level": 3}, _days("total_mcap", 3.01e12, 2.97e12, 3.02e12)),
        Case("another figure moves", {"kind": "high_grade_share"}, _days("total_mcap", 1e12, 9e12)),
        Case("too long a silence lies between", {}, [(0, {METRIC: -1}), (4, {METRIC: 1})]),
    ),
)
