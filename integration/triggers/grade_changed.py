"""Fires when a token's grade moves by at least N points over `window` readings, or turns bullish or bearish.

A grade is bullish from `bullish_at` up and bearish from `bearish_at` down; it stops being so only once it has gone back
by the band. A move is measured against the reading `window` readings back, never against the last event; a longer move
is told when it begins. Published presets: bullish at 80, bearish at 30.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from marshmallow import ValidationError, fields, validate, validates_schema

from integration.domain.catalogue import Case, Lookback, Options, Trigger
from integration.domain.delta import Crossing, cool_down, level_sides, moves, observed
from integration.domain.history import Firing, Floats, History, Ints
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.screen import Condition, Move
from integration.triggers._grades import GRADES, POSSIBLE, grade, grade_field
from integration.triggers._levels import DOWN, UP, confirmed, direction_field, level_lookback, suppressed_field, watch_level
from integration.triggers._moves import began
from integration.triggers._options import TriggerOptions, cooldown

CLASSES = {-1: "bearish", 0: "neutral", 1: "bullish"}


class GradeOptions(TriggerOptions):
    """Which grade, and what counts as a change."""

    grade = grade()
    points = Number(
        load_default=10.0,
        validate=validate.Range(0.1, 100),
        metadata=described("Points", "Tell when the grade moves by at least this much; 10 is a clear move", unit="points"),
    )
    window = Whole(
        load_default=1,
        validate=validate.Range(1, 30),
        metadata=described("Over", "Compare with the grade this many readings before", unit="readings"),
    )
    class_change_only = fields.Boolean(
        load_default=False, metadata=described("Class Change Only", "Tell only when it turns bullish, bearish or neutral")
    )
    bullish_at = Number(load_default=80.0, validate=POSSIBLE, metadata=described("Bullish At", "Bullish from this grade up"))
    bearish_at = Number(load_default=30.0, validate=POSSIBLE, metadata=described("Bearish At", "Bearish from this grade down"))
    hysteresis = Number(
        load_default=2.0,
        validate=validate.Range(0, 50),
        metadata=described("Band", "How far it must go back to stop being bullish or bearish", unit="points"),
    )

    @validates_schema
    def _classes_do_not_overlap(self, options: dict[str, Any], **_: Any) -> None:
        bullish, bearish, band = options["bullish_at"], options["bearish_at"], options["hysteresis"]
        if bearish >= bullish or bearish + band > bullish - band:
            raise ValidationError("Must lie below bullish_at by at least twice the band.", "bearish_at")


class GradePayload(EventPayload):
    """A move, a change of class, or both."""

    grade = grade_field()
    reason = fields.String(required=True, metadata=described("Reason", "move, class_change, or both"))
    new_grade = fields.Float(required=True, metadata=described("New Grade"))
    old_grade = fields.Float(required=True, metadata=described("Old Grade", "The reading it is compared with"))
    change = fields.Float(required=True, metadata=described("Change", "New minus old", unit="points"))
    direction = direction_field()
    new_class = fields.String(
        required=True, allow_none=True, metadata=described("New Class", "Empty where the class did not change")
    )
    old_class = fields.String(
        required=True, allow_none=True, metadata=described("Old Class", "Empty where the class did not change")
    )
    steps = fields.Integer(required=True, metadata=described("Steps", "Classes moved: 2 is bearish to bullish"))
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """The source of the chosen grade."""
    return (GRADES[options["grade"]].source,)


def lookback(options: Options) -> Lookback:
    """Classes are remembered like sides; a move needs `window` readings, twice: its own and those it is told once in."""
    return level_lookback(options, 2 * options["window"] + 2)


class Turn(NamedTuple):
    """A change of class; `before` is the position of the last observation that was not yet of the new one."""

    before: int
    old: int
    new: int


def scan(history: History, options: Options) -> list[Firing]:
    """Moves and class changes, at most one firing a reading."""
    as_of, values = observed(history.as_of, history.column(GRADES[options["grade"]].metric))
    turns = _turns(as_of, values, history, options)
    jumps = set() if options["class_change_only"] else _moves(as_of, values, history.max_gap, options)
    firings = []
    for notice in cool_down(as_of, sorted({*turns, *jumps}), cooldown(options), lambda _: True):
        at = notice.at
        fields_ = _change(values, at, options["window"], at in jumps, turns.get(at))
        own = {"grade": options["grade"], **fields_, "suppressed_count": notice.suppressed}
        firings.append(Firing(int(as_of[at]), own))
    return firings


def _change(values: Floats, at: int, window: int, moved: bool, turn: Turn | None) -> dict[str, Any]:
    """The payload's fields of what happened at a position; a turn against the move is told as the turn alone."""
    steps = turn.new - turn.old if turn else 0
    if turn and moved:
        moved = bool(values[at] > values[at - window]) == (steps > 0)
    new = float(values[at])
    old = float(values[at - window] if moved or not turn else values[turn.before])
    return {
        "reason": ("both" if moved else "class_change") if turn else "move",
        "new_grade": new,
        "old_grade": old,
        "change": round(new - old, 6),
        "direction": "up" if new > old else "down",
        "new_class": CLASSES[turn.new] if turn else None,
        "old_class": CLASSES[turn.old] if turn else None,
        "steps": steps,
    }


def _turns(as_of: Ints, values: Floats, history: History, options: Options) -> dict[int, Turn]:
    """Class changes by position: two levels, each with its own band."""

    def cross(level: str, below: bool) -> dict[int, Crossing]:
        sides = level_sides(values, options[level], options["hysteresis"], below=below)
        return {crossing.at: crossing for crossing in confirmed(history, as_of, sides, options)}

    high, low = cross("bullish_at", False), cross("bearish_at", True)
    turns = {}
    for at in sorted({*high, *low}):
        up, down = high.get(at), low.get(at)
        old = (1 if up and up.previous > 0 else 0) - (1 if down and down.previous < 0 else 0)
        new = (1 if up and up.side > 0 else 0) - (1 if down and down.side < 0 else 0)
        turns[at] = Turn(min(c.before for c in (up, down) if c), old, new)
    return turns


def _moves(as_of: Ints, values: Floats, max_gap: int, options: Options) -> set[int]:
    """Positions of moves of at least N points. Within `window` readings of the same direction only the first counts."""
    change = moves(values, as_of, options["window"], max_gap)
    return set(began(change, np.arange(len(values)), options["points"], options["window"]))


def watch(options: Options) -> tuple[Condition, ...]:
    """Both levels, and the move where moves are told, for screening."""
    metric = GRADES[options["grade"]].metric
    classes = tuple(
        watch_level(metric, options[level], options["hysteresis"], options, below=below, tells=(UP, DOWN))
        for level, below in (("bullish_at", False), ("bearish_at", True))
    )
    if options["class_change_only"]:
        return classes
    return (*classes, Move(metric, options["points"], options["window"], cooldown(options)))


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    name = GRADES[event["grade"]].name
    verb = f"turned {event['new_class']}" if event["new_class"] else ("rose" if event["direction"] == "up" else "fell")
    return (
        f"{event['subject_name']}'s {name} {verb}: "
        f"{event['old_grade']:.1f} → {event['new_grade']:.1f} on {day_and_month(event['as_of'])}."
    )


_TIME = "2023-01-10T00:00:00Z"
_EXAMPLE = {
    "grade": "trader",
    "reason": "both",
    "new_grade": 86.98,
    "old_grade": 76.47,
    "change": 10.51,
    "direction": "up",
    "new_class": "bullish",
    "old_class": "neutral",
    "steps": 1,
    "suppressed_count": 0,
}


def _trader(*grades: float | None) -> list[tuple[float, Any]]:
    return [(day, {"tm_trader_grade": grade}) for day, grade in enumerate(grades)]


TRIGGER = Trigger(
    key="grade_changed",
    noun="Grade Change",
    label="New Grade Change",
    description="Triggers when a token's grade moves by a number of points or turns bullish or bearish.",
    semantics=1,
    subject="token",
    options=GradeOptions,
    payload=GradePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    watch=watch,
    summary=summary,
    sample=sample(
        "grade_changed",
        "New Grade Change",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    presets={
        "Turns bullish, bearish or neutral": {"class_change_only": True},
        "Moves by 10 points from day to day": {"points": 10, "window": 1},
        "Moves by 15 points within a week": {"points": 15, "window": 7},
        "Investor grade moves by 5 points": {"grade": "investor", "points": 5},
    },
    fires=(
        Case("it moves by ten points", {}, _trader(50, 60), {1: {"reason": "move", "change": 10.0, "new_class": None}}),
        Case("it falls", {}, _trader(60, 45), {1: {"direction": "down", "change": -15.0}}),
        Case(
            "it turns bullish by a small step", {}, _trader(79, 77, 80.5), {2: {"reason": "class_change", "new_class": "bullish"}}
        ),
        Case(
            "it turns bearish at the level",
            {},
            _trader(35, 30),
            {1: {"new_class": "bearish", "old_class": "neutral", "steps": -1}},
        ),
        Case("it leaps two classes", {}, _trader(20, 85), {1: {"reason": "both", "old_class": "bearish", "steps": 2}}),
        Case("it stops being bullish", {}, _trader(82, 78), {1: {"old_class": "bullish", "new_class": "neutral"}}),
        Case("a slow climb over three readings", {"window": 3}, _trader(50, 54, 58, 62, 66), {3: {"old_grade": 50.0}}),
        Case("two moves on two days", {}, _trader(35, 46, 58), {1: {}, 2: {}}),
        Case(
            "the investor grade",
            {"grade": "investor"},
            [(0, {"tm_investor_grade": 40}), (1, {"tm_investor_grade": 55})],
            {1: {"grade": "investor"}},
        ),
        Case("the TM grade", {"grade": "tm"}, [(0, {"tm_grade": 40}), (1, {"tm_grade": 55})], {1: {"grade": "tm"}}),
    ),
    silent=(
        Case("the first reading", {}, _trader(85)),
        Case("too small a move", {}, _trader(50, 59.9, 50.5)),
        Case("it trembles around the bullish level", {"points": 30}, _trader(82, 79, 81, 78.5, 80)),
        Case("moves are not asked for", {"class_change_only": True}, _trader(40, 60, 45)),
        Case("nulls", {}, _trader(50, None, None)),
        Case("one reading does not confirm a class", {"min_observations": 2, "points": 50}, _trader(60, 85, 60)),
        Case("too long a silence lies between", {}, [(0, {"tm_trader_grade": 20}), (4, {"tm_trader_grade": 85})]),
    ),
)
