"""Fires when a token's Sharpe ratio crosses a level and had been on its other side.

The band below (or, for `down`, above) the level keeps a value that trembles around it from telling twice: see
`domain.delta.level_sides`. The first reading of a token fires nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, post_load, validate

from integration.domain.catalogue import Case, Lookback, Options, Trigger
from integration.domain.delta import COUNTED, MEMORY, cool_down, crossings, level_sides, observed
from integration.domain.history import Firing, History
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.domain.retry import HOUR
from integration.triggers._options import TriggerOptions

SOURCE, METRIC = "quantmetrics", "sharpe"


class SharpeOptions(TriggerOptions):
    """Which level, in which direction."""

    level = fields.Float(
        load_default=1.0,
        validate=validate.Range(-20, 20),
        metadata=described("Level", "The Sharpe ratio to watch; 1.0 is a common start, 2.0 is rare"),
    )
    direction = fields.String(
        load_default="either",
        validate=validate.OneOf(["up", "down", "either"]),
        metadata=described("Direction", "Tell when it rises above the level (up), falls below it (down), or either"),
    )
    hysteresis = fields.Float(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 20),
        metadata=described(
            "Band", "How far it must go back before it can cross again; empty means 0.05, or 2 % of the level if more"
        ),
    )

    @post_load
    def _band(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        if options["hysteresis"] is None:
            options["hysteresis"] = max(0.05, round(0.02 * abs(options["level"]), 6))
        return options


class SharpePayload(EventPayload):
    """A crossing."""

    direction = fields.String(required=True, metadata=described("Direction", "up or down"))
    level = fields.Float(required=True, metadata=described("Level"))
    sharpe = fields.Float(required=True, metadata=described("Sharpe Ratio"))
    previous_sharpe = fields.Float(
        required=True, metadata=described("Previous Sharpe Ratio", "The last reading that was not on the new side")
    )
    crossed_at = fields.String(required=True, metadata=described("Crossed At", "The first reading on the new side"))
    suppressed_count = fields.Integer(
        required=True, metadata=described("Suppressed", "Crossings kept silent since the last one told")
    )


def sources(_options: Options) -> tuple[str, ...]:
    """Published Sharpe ratios, all history."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """The side is remembered for MEMORY; silent crossings are counted for COUNTED; each by its own cooldown."""
    return Lookback(2, MEMORY + COUNTED + round(options["cooldown_hours"] * HOUR))


def scan(history: History, options: Options) -> list[Firing]:
    """Crossings of the level that are told."""
    as_of, values = observed(history.as_of, history.column(METRIC))
    sides = level_sides(values, options["level"], options["hysteresis"], below=options["direction"] == "down")
    found = crossings(as_of, sides, cadence=history.cadence, max_gap=history.max_gap, observations=options["min_observations"])
    wanted = {"up": (1,), "down": (-1,), "either": (1, -1)}[options["direction"]]
    by_position = {crossing.at: crossing for crossing in found}
    cooldown = round(options["cooldown_hours"] * HOUR)
    firings = []
    for notice in cool_down(as_of, list(by_position), cooldown, lambda k: found[k].side in wanted):
        crossing = by_position[notice.at]
        firings.append(
            Firing(
                int(as_of[crossing.at]),
                {
                    "direction": "up" if crossing.side > 0 else "down",
                    "level": options["level"],
                    "sharpe": float(values[crossing.at]),
                    "previous_sharpe": float(values[crossing.before]),
                    "crossed_at": iso(int(as_of[crossing.start])),
                    "suppressed_count": notice.suppressed,
                },
            )
        )
    return firings


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    verb = "rose above" if event["direction"] == "up" else "fell below"
    return (
        f"{event['subject_name']}'s Sharpe ratio {verb} {event['level']:g}: "
        f"{event['previous_sharpe']:.2f} → {event['sharpe']:.2f} on {day_and_month(event['as_of'])}."
    )


_BTC = ("token:3375", 3375, "Bitcoin", "BTC")
_EXAMPLE = {
    "direction": "up",
    "level": 1.0,
    "sharpe": 1.06,
    "previous_sharpe": 0.94,
    "crossed_at": "2021-05-14T00:00:00Z",
    "suppressed_count": 0,
}
_EXAMPLE_TIME = "2021-05-14T00:00:00Z"

TRIGGER = Trigger(
    key="sharpe_threshold",
    noun="Sharpe Ratio Crossing",
    label="New Sharpe Ratio Crossing",
    description="Triggers when a token's Sharpe ratio crosses a level.",
    semantics=1,
    subject="token",
    options=SharpeOptions,
    payload=SharpePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample(
        "sharpe_threshold",
        "New Sharpe Ratio Crossing",
        _BTC,
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _EXAMPLE_TIME}),
        _EXAMPLE_TIME,
    ),
    fires=(
        Case("it rises to the level", {}, [(0, 0.9), (1, 0.97), (2, 1.0)], {2: {"direction": "up", "previous_sharpe": 0.97}}),
        Case("it falls through the band", {}, [(0, 1.2), (1, 0.97), (2, 0.95)], {2: {"direction": "down"}}),
        Case("down is mirrored", {"direction": "down"}, [(0, 1.05), (1, 1.02), (2, 1.0)], {2: {"direction": "down"}}),
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
