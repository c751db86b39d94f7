"""Fires when a token's return relative to Bitcoin over 30, 90 or 365 days crosses a level.

It is (1 + return) / (1 + Bitcoin's return) - 1: what the token gained counted in Bitcoin. The band keeps a value that
trembles around the level from telling twice. Bitcoin itself never moves against itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
from marshmallow import fields, post_load, validate

from integration.domain.catalogue import BITCOIN, Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import Sides, level_sides, observed
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
from integration.triggers._options import WINDOWS, TriggerOptions, band, direction, filled_band, window
from integration.triggers._possible import Possible, check_crossing
from integration.triggers._values import number, percent

METRIC = "return_over_btc"
#: In percent: the narrowest band that is filled in, and what a relative return can be.
FLOOR, VALUES = 1.0, Possible(-100, math.inf, "()")


class RelativeOptions(TriggerOptions):
    """Which level, in which direction, over which window."""

    level = Number(
        load_default=10.0,
        validate=validate.Range(-90, 1000),
        metadata=described(
            "Level", "10 means 10 % more than Bitcoin, -10 means 10 % less, 0 is where it overtakes or falls behind", unit="%"
        ),
    )
    direction = direction("Tell when it rises above the level (up), falls below it (down), or either")
    window = window("30d", WINDOWS[1:])
    hysteresis = band(FLOOR, 1000, "%")

    @post_load
    def _band(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        filled_band(options, FLOOR)
        check_crossing(options["level"], options["hysteresis"], VALUES, below=options["direction"] == "down")
        return options


class RelativePayload(EventPayload):
    """A crossing."""

    direction = direction_field()
    level = fields.Float(required=True, metadata=described("Level", unit="fraction"))
    return_over_btc = fields.Float(required=True, metadata=described("Return Relative To Bitcoin", unit="fraction"))
    previous_return_over_btc = fields.Float(
        required=True,
        metadata=described("Previous Return Relative To Bitcoin", "The last reading not on the new side", unit="fraction"),
    )
    token_return = fields.Float(required=True, allow_none=True, metadata=described("Return", "The token's own", unit="fraction"))
    btc_return = fields.Float(required=True, allow_none=True, metadata=described("Return Of Bitcoin", unit="fraction"))
    window = fields.String(required=True, metadata=described("Window", "Days it is computed over"))
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """Risk over the window, derived from daily closes."""
    return (f"risk_{options['window']}",)


def against(_options: Options) -> str:
    """Bitcoin."""
    return BITCOIN


def lookback(options: Options) -> Lookback:
    """That of a level."""
    return level_lookback(options)


def _level(options: Options) -> tuple[float, float]:
    """Level and band as fractions, in decimals."""
    level, wide = (float(Decimal(repr(options[name])) / 100) for name in ("level", "hysteresis"))
    return level + 0.0, wide


def _sides(values: Floats, options: Options) -> Sides:
    return level_sides(values, *_level(options), below=options["direction"] == "down")


def scan(history: History, options: Options) -> list[Firing]:
    """Crossings of the level that are told."""
    values = history.column(METRIC)
    seen = history.take(np.flatnonzero(~np.isnan(values)))
    relative, own = seen.column(METRIC), seen.column("return")
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        bitcoins = (1 + own) / (1 + relative) - 1
    return [
        Firing(
            int(seen.as_of[crossing.at]),
            {
                "level": _level(options)[0],
                "return_over_btc": float(relative[crossing.at]),
                "previous_return_over_btc": float(relative[crossing.before]),
                "token_return": number(own[crossing.at]),
                "btc_return": number(bitcoins[crossing.at]),
                "window": options["window"],
                **crossing_fields(crossing, seen.as_of),
            },
        )
        for crossing in crossed(history, seen.as_of, _sides(relative, options), options, WANTED[options["direction"]])
    ]


def holds(history: History, options: Options) -> States:
    """Whether it is above the level; for `down`, below it."""
    values = history.column(METRIC)
    sides = _sides(observed(history.as_of, values)[1], options)
    return holding(history, values, sides, options, DOWN if options["direction"] == "down" else UP)


def keeps(options: Options) -> Kept:
    """The return lies on the side that is asked for."""
    return kept_level(sources(options)[0], METRIC, *_level(options), options, below=options["direction"] == "down")


def watch(options: Options) -> tuple[Watch]:
    """The level, for screening."""
    level, wide = _level(options)
    tells = WANTED[options["direction"]]
    return (watch_level(METRIC, level, wide, options, below=options["direction"] == "down", tells=tells),)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    verb = "rose above" if event["direction"] == "up" else "fell below"
    days = event["window"].removesuffix("d")
    return (
        f"{event['subject_name']}'s {days}-day return relative to Bitcoin {verb} {percent(event['level'], None)}: "
        f"{percent(event['previous_return_over_btc'])} → {percent(event['return_over_btc'])} on {day_and_month(event['as_of'])}."
    )


_TIME = "2021-05-14T00:00:00Z"
_EXAMPLE = {
    "direction": "up",
    "level": 0.1,
    "return_over_btc": 0.124,
    "previous_return_over_btc": 0.083,
    "token_return": 0.182,
    "btc_return": 0.0516,
    "window": "30d",
    "crossed_at": "2021-05-14T00:00:00Z",
    "suppressed_count": 0,
}

TRIGGER = Trigger(
    key="btc_relative",
    noun="Move Against Bitcoin",
    label="New Move Against Bitcoin",
    description="Triggers when a token's return relative to Bitcoin crosses a level.",
    semantics=1,
    subject="token",
    options=RelativeOptions,
    payload=RelativePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    against=against,
    watch=watch,
    summary=summary,
    sample=sample(
        "btc_relative",
        "New Move Against Bitcoin",
        ("token:3306", 3306, "Ethereum", "ETH"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Ethereum", "as_of": _TIME}),
        _TIME,
    ),
    presets={
        "Beats Bitcoin by 10 % over 30 days": {"level": 10, "direction": "up", "window": "30d"},
        "Falls behind Bitcoin over 90 days": {"level": 0, "direction": "down", "window": "90d"},
    },
    fires=(
        Case(
            "it pulls ahead of Bitcoin by ten percent",
            {},
            [(0, 0.05), (1, 0.095), (2, 0.1)],
            {2: {"direction": "up", "level": 0.1, "return_over_btc": 0.1, "previous_return_over_btc": 0.095}},
        ),
        Case("it falls back through the band", {}, [(0, 0.12), (1, 0.095), (2, 0.09)], {2: {"direction": "down"}}),
        Case(
            "it falls behind",
            {"level": -7, "direction": "down"},
            [(0, -0.05), (1, -0.07)],
            {1: {"direction": "down", "level": -0.07}},
        ),
        Case(
            "it overtakes Bitcoin",
            {"level": 0, "direction": "up"},
            [(0, {"return_over_btc": -0.02, "return": 0.08}), (1, {"return_over_btc": 0.0, "return": 0.25})],
            {1: {"token_return": 0.25, "btc_return": 0.25}},
        ),
        Case("over another window", {"window": "365d"}, [(0, 0.0), (1, 0.2)], {1: {"window": "365d"}}),
        Case(
            "a second reading confirms it",
            {"min_observations": 2},
            [(0, 0.0), (1, 0.2), (2, 0.3)],
            {2: {"crossed_at": "1970-01-02T00:00:00Z"}},
        ),
        Case("a missing value changes nothing", {}, [(0, 0.0), (1, None), (2, 0.2)], {2: {}}),
    ),
    silent=(
        Case("the first reading", {}, [(0, 0.5)]),
        Case("it trembles within the band", {}, [(0, 0.11), (1, 0.099), (2, 0.101), (3, 0.091), (4, 0.1)]),
        Case("the other direction", {"direction": "up"}, [(0, 0.5), (1, 0.0)]),
        Case("Bitcoin against itself", {"level": 0}, [(0, 0.0), (1, 0.0)]),
        Case("one reading does not confirm", {"min_observations": 2}, [(0, 0.0), (1, 0.2), (2, 0.0)]),
        Case("too long a silence lies between", {}, [(0, 0.0), (4, 0.5)]),
    ),
)
