"""Fires when a token's grade crosses a level, or has held beyond it for some days, and had been on its other side.

The band keeps a grade that trembles around the level from telling twice: see `domain.delta.level_sides`. Published
presets: bullish from 80 up, bearish from 30 down, moonshot from 85 up. The first grade of a token fires nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from integration.domain.catalogue import Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import Sides, level_sides, observed
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.screen import Watch
from integration.triggers._grades import GRADES, HIGHEST, LOWEST, POSSIBLE, VALUES, grade, grade_field
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
from integration.triggers._options import TriggerOptions, band, filled_band, held_days
from integration.triggers._possible import check_crossing

FLOOR = 2.0
#: The preset of those who give a level and a direction themselves.
OWN = "own"


class Preset(NamedTuple):
    """What a word stands for."""

    level: float
    direction: str


PRESETS = {"bullish": Preset(80.0, "up"), "bearish": Preset(30.0, "down"), "moonshot": Preset(85.0, "up")}


class GradeThresholdOptions(TriggerOptions):
    """Which grade, which level, in which direction, and for how long. What is left empty is the preset's."""

    grade = grade()
    preset = fields.String(
        load_default="bullish",
        validate=validate.OneOf([*PRESETS, OWN]),
        metadata=described("Preset", "bullish (80 up), bearish (30 down), moonshot (85 up); own takes the level you give"),
    )
    level = Number(
        load_default=None,
        allow_none=True,
        validate=POSSIBLE,
        metadata=described(
            "Level", "The grade to watch, such as 75; empty means the preset's", unit="points", when={"preset": [OWN]}
        ),
    )
    direction = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(["up", "down", "either"]),
        metadata=described(
            "Direction",
            "Rises to the level (up), falls to it (down), or either; empty means the preset's",
            when={"preset": [OWN]},
        ),
    )
    held_days = held_days()
    hysteresis = band(FLOOR, HIGHEST, "points")

    @validates_schema
    def _own_level(self, options: dict[str, Any], **_: Any) -> None:
        if options["preset"] == OWN and options["level"] is None:
            raise ValidationError(f"Give a level, or choose a preset: {', '.join(PRESETS)}.", "level")

    @post_load
    def _fill(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Everything written out. The preset has said all then, so that the same question is one rule however it is asked."""
        preset = PRESETS.get(options["preset"], Preset(LOWEST, "either"))
        options["level"] = preset.level if options["level"] is None else options["level"]
        options["direction"] = options["direction"] or preset.direction
        options["preset"] = OWN
        filled_band(options, FLOOR)
        check_crossing(options["level"], options["hysteresis"], VALUES, below=options["direction"] == "down")
        return options


class GradeThresholdPayload(EventPayload):
    """A crossing."""

    grade = grade_field()
    direction = direction_field()
    level = fields.Float(required=True, metadata=described("Level", unit="points"))
    new_grade = fields.Float(required=True, metadata=described("New Grade", unit="points"))
    old_grade = fields.Float(
        required=True, metadata=described("Old Grade", "The last reading that was not on the new side", unit="points")
    )
    held_days = fields.Float(required=True, metadata=described("Held For", "How long it had to hold", unit="days"))
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """The source of the chosen grade."""
    return (GRADES[options["grade"]].source,)


def lookback(options: Options) -> Lookback:
    """That of a level."""
    return level_lookback(options)


def _values(history: History, options: Options) -> Floats:
    return history.column(GRADES[options["grade"]].metric)


def _sides(values: Floats, options: Options) -> Sides:
    return level_sides(values, options["level"], options["hysteresis"], below=options["direction"] == "down")


def scan(history: History, options: Options) -> list[Firing]:
    """Crossings of the level that are told."""
    as_of, values = observed(history.as_of, _values(history, options))
    return [
        Firing(
            int(as_of[crossing.at]),
            {
                "grade": options["grade"],
                "level": options["level"],
                "new_grade": float(values[crossing.at]),
                "old_grade": float(values[crossing.before]),
                "held_days": options["held_days"],
                **crossing_fields(crossing, as_of),
            },
        )
        for crossing in crossed(history, as_of, _sides(values, options), options, WANTED[options["direction"]])
    ]


def holds(history: History, options: Options) -> States:
    """Whether it is above the level; for `down`, below it."""
    values = _values(history, options)
    sides = _sides(observed(history.as_of, values)[1], options)
    return holding(history, values, sides, options, DOWN if options["direction"] == "down" else UP)


def keeps(options: Options) -> Kept:
    """The grade lies on the side that is asked for."""
    metric, below = GRADES[options["grade"]].metric, options["direction"] == "down"
    return kept_level(sources(options)[0], metric, options["level"], options["hysteresis"], options, below=below)


def watch(options: Options) -> tuple[Watch, ...]:
    """The level, for screening; a side that must hold for days can come to count at any reading."""
    if options["held_days"]:
        return ()
    metric, below = GRADES[options["grade"]].metric, options["direction"] == "down"
    tells = WANTED[options["direction"]]
    return (watch_level(metric, options["level"], options["hysteresis"], options, below=below, tells=tells),)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    up, days = event["direction"] == "up", event["held_days"]
    if days:
        verb = f"has held {'above' if up else 'below'} {event['level']:g} for {days:g} day{'s' if days != 1 else ''}"
    else:
        verb = f"{'rose above' if up else 'fell below'} {event['level']:g}"
    return (
        f"{event['subject_name']}'s {GRADES[event['grade']].name} {verb}: "
        f"{event['old_grade']:.1f} → {event['new_grade']:.1f} on {day_and_month(event['as_of'])}."
    )


_TIME = "2023-01-10T00:00:00Z"
_EXAMPLE = {
    "grade": "trader",
    "direction": "up",
    "level": 80.0,
    "new_grade": 86.98,
    "old_grade": 76.47,
    "held_days": 0.0,
    "crossed_at": "2023-01-10T00:00:00Z",
    "suppressed_count": 0,
}


def _trader(*grades: float | None) -> list[tuple[float, Any]]:
    return [(day, {"tm_trader_grade": grade}) for day, grade in enumerate(grades)]


TRIGGER = Trigger(
    key="grade_threshold",
    noun="Grade Threshold Crossing",
    label="New Grade Threshold Crossing",
    description="Triggers when a token's grade crosses a level, such as 80 for bullish or 30 for bearish.",
    semantics=1,
    subject="token",
    options=GradeThresholdOptions,
    payload=GradeThresholdPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    watch=watch,
    summary=summary,
    sample=sample(
        "grade_threshold",
        "New Grade Threshold Crossing",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case("it turns bullish", {}, _trader(70, 79.9, 80), {2: {"direction": "up", "level": 80.0, "old_grade": 79.9}}),
        Case("it turns bearish", {"preset": "bearish"}, _trader(45, 30), {1: {"direction": "down", "level": 30.0}}),
        Case("moonshots begin at 85", {"preset": "moonshot"}, _trader(70, 83, 86), {2: {"level": 85.0}}),
        Case("an own level both ways", {"preset": "own", "level": 50}, _trader(40, 60, 48), {1: {}, 2: {"direction": "down"}}),
        Case("a preset with another level", {"preset": "bearish", "level": 20}, _trader(30, 20), {1: {"level": 20.0}}),
        Case(
            "it is held for three days",
            {"held_days": 3},
            _trader(70, 85, 86, 87, 88, 89),
            {4: {"crossed_at": "1970-01-02T00:00:00Z", "old_grade": 70.0}},
        ),
        Case(
            "the investor grade",
            {"grade": "investor"},
            [(0, {"tm_investor_grade": 60}), (1, {"tm_investor_grade": 81})],
            {1: {"grade": "investor"}},
        ),
        Case("the TM grade", {"grade": "tm"}, [(0, {"tm_grade": 60}), (1, {"tm_grade": 81})], {1: {"grade": "tm"}}),
        Case("it is confirmed by a second reading", {"min_observations": 2}, _trader(70, 85, 86), {2: {"old_grade": 70.0}}),
    ),
    silent=(
        Case("the first grade", {}, _trader(90)),
        Case("it trembles within the band", {}, _trader(81, 79, 81, 78.5, 80)),
        Case("the other direction", {}, _trader(90, 40)),
        Case("it does not hold for three days", {"held_days": 3}, _trader(70, 85, 86, 87, 70, 85, 86, 87)),
        Case("back in the band begins anew", {"held_days": 2}, _trader(70, 85, 79, 85, 79, 85)),
        Case("too long a silence lies between", {}, [(0, {"tm_trader_grade": 20}), (4, {"tm_trader_grade": 85})]),
        Case("nothing but nulls", {}, _trader(70, None, None)),
    ),
)
