"""Fires when a token's Sharpe ratio crosses a level and had been on its other side.

The band below (or, for `down`, above) the level keeps a value that trembles around it from telling twice: see
`domain.delta.level_sides`. The first reading of a token fires nothing. Over 30, 90 or 365 days it is computed from daily
closes; `published` is Token Metrics' own, over all history.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from integration.domain.catalogue import BITCOIN, Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import level_sides, observed
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.screen import Watch
from integration.triggers._levels import (
    DOWN,
    UP,
    WANTED,
    crossed,
    crossed_at_field,
    crossing_fields,
    direction_field,
    holding,
    kept_level,
    level_lookback,
    suppressed_field,
    watch_level,
)
from integration.triggers._options import TriggerOptions, band, direction, filled_band, window

FLOOR = 0.05
METRIC = "sharpe"


class SharpeOptions(TriggerOptions):
    """Which level, in which direction, over which window."""

    level = Number(
        load_default=1.0,
        validate=validate.Range(-20, 20),
        metadata=described("Level", "The Sharpe ratio to watch; 1.0 is a common start, 2.0 is rare"),
    )
    direction = direction("Tell when it rises above the level (up), falls below it (down), or either")
    window = window()
    relative_to_btc = fields.Boolean(
        load_default=False,
        metadata=described(
            "Relative To Bitcoin",
            "Watch how far it lies above Bitcoin's; not for the published window",
            when={"window": ["30d", "90d", "365d"]},
        ),
    )
    hysteresis = band(FLOOR, 20)

    @validates_schema
    def _published_stands_alone(self, options: dict[str, Any], **_: Any) -> None:
        if options["relative_to_btc"] and options["window"] == "published":
            raise ValidationError("The published ratio is not compared with Bitcoin's: use 30d, 90d or 365d.", "window")

    @post_load
    def _band(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        return filled_band(options, FLOOR)


class SharpePayload(EventPayload):
    """A crossing."""

    direction = direction_field()
    level = fields.Float(required=True, metadata=described("Level"))
    sharpe = fields.Float(required=True, metadata=described("Sharpe Ratio", "Or how far it lies above Bitcoin's"))
    previous_sharpe = fields.Float(
        required=True, metadata=described("Previous Sharpe Ratio", "The last reading that was not on the new side")
    )
    window = fields.String(required=True, metadata=described("Window", "Days it is computed over; published is all history"))
    relative_to_btc = fields.Boolean(required=True, metadata=described("Relative To Bitcoin"))
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """Published ratios, or those of a window."""
    return ("quantmetrics",) if options["window"] == "published" else (f"risk_{options['window']}",)


def against(options: Options) -> str | None:
    """Bitcoin, where its ratio is compared with."""
    return BITCOIN if options["relative_to_btc"] else None


def lookback(options: Options) -> Lookback:
    """That of a level."""
    return level_lookback(options)


def _values(history: History, options: Options) -> Floats:
    return history.column("sharpe_over_btc" if options["relative_to_btc"] else METRIC)


def scan(history: History, options: Options) -> list[Firing]:
    """Crossings of the level that are told."""
    as_of, values = observed(history.as_of, _values(history, options))
    sides = level_sides(values, options["level"], options["hysteresis"], below=options["direction"] == "down")
    return [
        Firing(
            int(as_of[crossing.at]),
            {
                "level": options["level"],
                "sharpe": float(values[crossing.at]),
                "previous_sharpe": float(values[crossing.before]),
                "window": options["window"],
                "relative_to_btc": options["relative_to_btc"],
                **crossing_fields(crossing, as_of),
            },
        )
        for crossing in crossed(history, as_of, sides, options, WANTED[options["direction"]])
    ]


def holds(history: History, options: Options) -> States:
    """Whether it is above the level; for `down`, below it."""
    values = _values(history, options)
    below = options["direction"] == "down"
    sides = level_sides(observed(history.as_of, values)[1], options["level"], options["hysteresis"], below=below)
    return holding(history, values, sides, options, DOWN if below else UP)


def keeps(options: Options) -> Kept:
    """The ratio lies on the side that is asked for."""
    metric, below = "sharpe_over_btc" if options["relative_to_btc"] else METRIC, options["direction"] == "down"
    return kept_level(sources(options)[0], metric, options["level"], options["hysteresis"], options, below=below)


def watch(options: Options) -> tuple[Watch]:
    """The level, for screening."""
    metric, below = "sharpe_over_btc" if options["relative_to_btc"] else METRIC, options["direction"] == "down"
    tells = WANTED[options["direction"]]
    return (watch_level(metric, options["level"], options["hysteresis"], options, below=below, tells=tells),)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    verb = "rose above" if event["direction"] == "up" else "fell below"
    days = event["window"].removesuffix("d")
    what = "Sharpe ratio" if event["window"] == "published" else f"{days}-day Sharpe ratio"
    what += " relative to Bitcoin's" if event["relative_to_btc"] else ""
    return (
        f"{event['subject_name']}'s {what} {verb} {event['level']:g}: "
        f"{event['previous_sharpe']:.2f} → {event['sharpe']:.2f} on {day_and_month(event['as_of'])}."
    )


_BTC = ("token:3375", 3375, "Bitcoin", "BTC")
_EXAMPLE = {
    "direction": "up",
    "level": 1.0,
    "sharpe": 1.06,
    "previous_sharpe": 0.94,
    "window": "90d",
    "relative_to_btc": False,
    "crossed_at": "2021-05-14T00:00:00Z",
    "suppressed_count": 0,
}
_EXAMPLE_TIME = "2021-05-14T00:00:00Z"

TRIGGER = Trigger(
    key="sharpe_threshold",
    noun="Sharpe Ratio Crossing",
    label="New Sharpe Ratio Crossing",
    description="Triggers when a token's Sharpe ratio crosses a level.",
    semantics=2,
    held_from=2,
    subject="token",
    options=SharpeOptions,
    payload=SharpePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    against=against,
    watch=watch,
    summary=summary,
    sample=sample(
        "sharpe_threshold",
        "New Sharpe Ratio Crossing",
        _BTC,
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _EXAMPLE_TIME}),
        _EXAMPLE_TIME,
    ),
    presets={
        "Turns good: above 1 over 90 days": {"level": 1, "direction": "up", "window": "90d"},
        "Turns bad: below 0 over 30 days": {"level": 0, "direction": "down", "window": "30d"},
        "Very good: above 2 over 90 days": {"level": 2, "direction": "up", "window": "90d"},
        "Better than Bitcoin's over 90 days": {"level": 0, "direction": "up", "window": "90d", "relative_to_btc": True},
    },
    fires=(
        Case("it rises to the level", {}, [(0, 0.9), (1, 0.97), (2, 1.0)], {2: {"direction": "up", "previous_sharpe": 0.97}}),
        Case("it falls through the band", {}, [(0, 1.2), (1, 0.97), (2, 0.95)], {2: {"direction": "down"}}),
        Case("down is mirrored", {"direction": "down"}, [(0, 1.05), (1, 1.02), (2, 1.0)], {2: {"direction": "down"}}),
        Case("the published ratio", {"window": "published"}, [(0, 0.9), (1, 1.1)], {1: {"window": "published"}}),
        Case(
            "it pulls ahead of Bitcoin's",
            {"relative_to_btc": True, "level": 0.5, "window": "30d"},
            [(0, {"sharpe": 1.9, "sharpe_over_btc": 0.1}), (1, {"sharpe": 1.8, "sharpe_over_btc": 0.6})],
            {1: {"sharpe": 0.6, "relative_to_btc": True}},
        ),
        Case(
            "it is confirmed by a second reading",
            {"min_observations": 2},
            [(0, 0.9), (1, 1.1), (2, 1.2)],
            {2: {"crossed_at": "1970-01-02T00:00:00Z", "previous_sharpe": 0.9}},
        ),
        Case(
            "a quiet time keeps the return silent and counts it",
            {"cooldown_hours": 36},
            [(0, 0.9), (1, 1.1), (2, 0.9), (5, 1.1)],
            {1: {"suppressed_count": 0}, 5: {"suppressed_count": 1}},
        ),
        Case("a missing value changes nothing", {}, [(0, 0.9), (1, None), (2, 1.1)], {2: {"direction": "up"}}),
    ),
    silent=(
        Case("the first reading", {}, [(0, 1.5)]),
        Case("it trembles within the band", {}, [(0, 1.01), (1, 0.99), (2, 1.01), (3, 0.96), (4, 1.0)]),
        Case("it was in the band and only now takes a side", {}, [(0, 0.97), (1, 1.2)]),
        Case("the other direction", {"direction": "up"}, [(0, 1.2), (1, 0.5)]),
        Case("one reading does not confirm", {"min_observations": 2}, [(0, 0.9), (1, 1.1), (2, 0.9)]),
        Case("too long a silence lies between", {}, [(0, 0.9), (4, 1.1)]),
        Case("nothing but nulls", {}, [(0, 0.9), (1, None), (2, None)]),
    ),
)
