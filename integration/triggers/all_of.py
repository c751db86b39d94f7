"""Fires when so many of up to five conditions come to be met together, whatever triggers they are.

A condition that lasts (above a level, in a class, bullish) is met while it lasts, as its trigger says of itself: for a
level, on the side that is asked for; where either is, on the upper one. One that only happens is met from its firing for
`within_days`. A condition that is not known counts as neither: nothing fires on what cannot be said. All are looked at
whenever the fastest source of theirs has a reading. Conditions are about the token itself, or about the whole market beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import Schema, ValidationError, fields, post_load, validate

from integration.domain.catalogue import Case, Lookback, Options, States, Trigger
from integration.domain.delta import DAY, Sides
from integration.domain.history import Firing, History, max_gap
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.triggers._compound import Met, exclusive, inputs, met
from integration.triggers._conditions import RulesField, loaded, ordered, parts, place_of, words
from integration.triggers._levels import (
    UP,
    Crossed,
    crossed,
    crossed_at_field,
    holding,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import TriggerOptions
from integration.triggers._paces import pace

KEY = "all_of"
FEWEST, MOST = 2, 5
LONGEST_WITHIN = 30
#: How old what stands beside a reading can be, at most.
BESIDE = max_gap(DAY)
#: What is asked where nothing else is.
USUAL = ("grade_threshold", "sharpe_threshold")


def _refusal(trigger: Trigger) -> str:
    """Why a trigger cannot be a condition."""
    if trigger.key == KEY:
        return "A compound rule takes no other: name its conditions here instead."
    if trigger.tell is not None:
        return f"{trigger.label} is about events, not about the market: it is no condition."
    if trigger.subject == "index":
        return f"{trigger.label} is about indices: conditions are about tokens, or the whole market."
    return ""


def _usual() -> list[Any]:
    return ordered([loaded(key, {}) for key in USUAL])


class CompoundOptions(TriggerOptions):
    """Which conditions, how many of them, how close together."""

    conditions = RulesField(
        _refusal,
        load_default=_usual,
        validate=validate.Length(
            FEWEST, MOST, error=f"Name {FEWEST} to {MOST} conditions; one alone is a trigger that you can use directly."
        ),
        metadata=described(
            "Conditions",
            'Two to five triggers with their options, as a list or as JSON text: [{"trigger": "grade_threshold", '
            '"options": {"level": 80}}, …]',
            default=[{"trigger": key} for key in USUAL],
            examples=[
                [{"trigger": "grade_threshold", "options": {"grade": g}} for g in ("trader", "investor")],
                [
                    {"trigger": "sharpe_threshold", "options": {}},
                    {"trigger": "grade_changed", "options": {"points": 5}},
                    {"trigger": "signal_flipped", "options": {"direction": "bullish"}},
                ],
                [
                    {"trigger": "hourly_signal_flipped", "options": {"direction": "bullish"}},
                    {"trigger": "grade_threshold", "options": {"preset": "own", "level": 50}},
                ],
            ],
        ),
    )
    at_least = Whole(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, MOST),
        metadata=described("At Least", "How many of the conditions must be met, such as 2; empty means all"),
    )
    within_days = Number(
        load_default=7.0,
        validate=validate.Range(0, LONGEST_WITHIN),
        metadata=described(
            "Within", "For how long a condition that only happens counts as met; 0 means at that reading alone", unit="days"
        ),
    )

    @post_load
    def _count(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        count = len(options["conditions"])
        if options["at_least"] is None:
            options["at_least"] = count
        if options["at_least"] > count:
            raise ValidationError(f"There are {count} conditions: ask for {count} at most.", "at_least")
        if all(parts(rule)[0].subject != "token" for rule in options["conditions"]):
            raise ValidationError("Name a condition about the token too: rules about the market alone stand alone.", "conditions")
        never = exclusive(options["conditions"], options["at_least"])
        if never:
            first, second = sorted(place_of(options["conditions"][number], number) for number in never)
            text = f"Conditions {first} and {second} are never met together: change one, or ask for fewer by at_least."
            raise ValidationError(text, "conditions")
        return options


class MetCondition(Schema):
    """A condition that is met."""

    trigger = fields.String(required=True, metadata=described("Trigger Key"))
    condition = fields.String(required=True, metadata=described("Condition", "Its noun, and its unusual options"))
    as_of = fields.String(
        required=True, metadata=described("As Of", "The reading that it is met by; for what only happens, when it happened")
    )
    newly = fields.Boolean(required=True, metadata=described("Newly Met", "Whether it was not met at the last reading before"))


class CompoundPayload(EventPayload):
    """Which conditions are met."""

    at_least = fields.Integer(required=True, metadata=described("At Least", "How many had to be met"))
    conditions_count = fields.Integer(required=True, metadata=described("Conditions", "How many there are"))
    met_count = fields.Integer(required=True, metadata=described("Met Count"))
    met = fields.List(fields.Nested(MetCondition), required=True, metadata=described("Met"))
    met_conditions = fields.String(required=True, metadata=described("Met Conditions", "Separated by semicolons"))
    newly_met_conditions = fields.String(
        required=True, metadata=described("Newly Met Conditions", "Those that were not met at the last reading before")
    )
    unmet_conditions = fields.String(required=True, metadata=described("Other Conditions", "Those not met, or not known"))
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def inside(options: Options) -> dict[str, tuple[Trigger, Options]]:
    """The conditions."""
    return {f"conditions.{place_of(rule, number)}": parts(rule) for number, rule in enumerate(options["conditions"])}


def sources(options: Options) -> tuple[str, ...]:
    """Those of all conditions."""
    return inputs(options["conditions"])


def lookback(options: Options) -> Lookback:
    """That of a level, of the condition that looks back furthest, and of what it is met for."""
    clock = sources(options)[0]
    observations, milliseconds = 0, 0
    for trigger, asked in map(parts, options["conditions"]):
        first, own = trigger.sources(asked)[0], trigger.lookback(asked)
        if first == clock:
            observations, milliseconds = max(observations, own.observations), max(milliseconds, own.milliseconds)
        else:
            milliseconds = max(milliseconds, own.total(max_gap(pace(first))))
    return level_lookback(options, 2 + observations, milliseconds + _within(options) + 2 * BESIDE)


def _within(options: Options) -> int:
    days: float = options["within_days"]
    return round(days * DAY)


def _all(history: History, options: Options) -> list[Met]:
    clock = sources(options)[0]
    return [met(history, clock, rule, _within(options)) for rule in options["conditions"]]


def _sides(found: list[Met], options: Options) -> Sides:
    """1 where enough are met, -1 where too few can be, 0 where that is not known."""
    states = np.stack([each.states for each in found])
    are, may = (states == 1).sum(axis=0), (states != 0).sum(axis=0)
    return np.where(are >= options["at_least"], 1, np.where(may < options["at_least"], -1, 0)).astype(np.int8)


def scan(history: History, options: Options) -> list[Firing]:
    """Readings at which enough conditions come to be met."""
    found = _all(history, options)
    sides = _sides(found, options)
    rows = np.flatnonzero(sides)
    turns = crossed(history, history.as_of[rows], sides[rows], options, (UP,))
    return [_firing(history, options, found, rows[turn.at], rows[turn.before], rows[turn.start], turn) for turn in turns]


def _firing(history: History, options: Options, found: list[Met], at: int, before: int, start: int, turn: Crossed) -> Firing:
    said = [(rule, words(rule), each) for rule, each in zip(options["conditions"], found, strict=True)]
    items = [
        {
            "trigger": rule["trigger"],
            "condition": text,
            "as_of": iso(int(each.as_of[at])),
            "newly": bool(each.states[before] != 1),
        }
        for rule, text, each in said
        if each.states[at] == 1
    ]
    return Firing(
        int(history.as_of[at]),
        {
            "at_least": options["at_least"],
            "conditions_count": len(said),
            "met_count": len(items),
            "met": items,
            "met_conditions": "; ".join(item["condition"] for item in items),
            "newly_met_conditions": "; ".join(item["condition"] for item in items if item["newly"]),
            "unmet_conditions": "; ".join(text for _, text, each in said if each.states[at] != 1),
            "crossed_at": iso(int(history.as_of[start])),
            "suppressed_count": turn.suppressed,
        },
    )


def holds(history: History, options: Options) -> States:
    """Whether enough conditions are met."""
    sides = _sides(_all(history, options), options)
    return holding(history, np.where(sides == 0, np.nan, 0.0), sides[sides != 0], options, UP)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    return (
        f"{event['subject_name']} meets {event['met_count']} of {event['conditions_count']} conditions "
        f"({event['met_conditions']}) on {day_and_month(event['as_of'])}."
    )


_TIME = "2021-05-14T00:00:00Z"
_GRADE, _SHARPE = "Grade Threshold Crossing", "Sharpe Ratio Crossing"
_EXAMPLE = {
    "at_least": 2,
    "conditions_count": 2,
    "met_count": 2,
    "met": [
        {"trigger": "grade_threshold", "condition": _GRADE, "as_of": _TIME, "newly": True},
        {"trigger": "sharpe_threshold", "condition": _SHARPE, "as_of": _TIME, "newly": False},
    ],
    "met_conditions": f"{_GRADE}; {_SHARPE}",
    "newly_met_conditions": _GRADE,
    "unmet_conditions": "",
    "crossed_at": _TIME,
    "suppressed_count": 0,
}
METRIC = "tm_trader_grade"
_TWO = {
    "conditions": [
        {"trigger": "grade_threshold", "options": {"grade": "trader"}},
        {"trigger": "grade_threshold", "options": {"grade": "investor"}},
    ]
}
_MOVES = {
    "conditions": [{"trigger": "grade_threshold", "options": {}}, {"trigger": "grade_changed", "options": {"grade": "investor"}}],
    "within_days": 2,
}


def _grades(*pairs: tuple[float | None, float | None]) -> list[tuple[float, Any]]:
    """Trader and investor grade by day; the clock is whichever condition comes first in canonical order."""
    return [
        (day, {"tm_investor_grade": investor, "trader_grades.tm_trader_grade": trader})
        for day, (trader, investor) in enumerate(pairs)
    ]


TRIGGER = Trigger(
    key=KEY,
    noun="Compound Event",
    label="New Compound Event",
    description="Triggers when so many of up to five conditions, on any triggers, come to be met together.",
    semantics=1,
    subject="token",
    options=CompoundOptions,
    payload=CompoundPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    inside=inside,
    summary=summary,
    sample=sample(
        KEY,
        "New Compound Event",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "the second of two lasting conditions comes to be met",
            _TWO,
            _grades((70, 70), (85, 70), (85, 85)),
            {2: {"met_count": 2, "newly_met_conditions": "Grade Threshold Crossing (grade investor)"}},
        ),
        Case("both at once", _TWO, _grades((70, 70), (85, 85)), {1: {"met_count": 2, "unmet_conditions": ""}}),
        Case("any one is enough", {**_TWO, "at_least": 1}, _grades((70, 70), (85, 70)), {1: {"met_count": 1}}),
        Case(
            "one that only happens is met for some days",
            _MOVES,
            _grades((70, 50), (70, 61), (70, 61), (85, 61)),
            {3: {"met_count": 2}},
        ),
        Case(
            "a missing value leaves a condition as it was",
            _TWO,
            _grades((85, 70), (None, 70), (None, 85)),
            {2: {"met_count": 2}},
        ),
        Case(
            "a second reading confirms it",
            {**_TWO, "min_observations": 2},
            _grades((70, 70), (85, 85), (85, 85)),
            {2: {"crossed_at": "1970-01-02T00:00:00Z"}},
        ),
    ),
    silent=(
        Case("all are met at the first reading", _TWO, _grades((85, 85), (86, 86))),
        Case("only one of two", _TWO, _grades((70, 70), (85, 70), (70, 85))),
        Case("it happened too long ago", _MOVES, _grades((70, 50), (70, 61), (70, 61), (70, 61), (85, 61))),
        Case("one of two is not known", _TWO, _grades((70, None), (85, None))),
        Case("one is still met, the other is no longer", _TWO, _grades((85, 70), (77, 85))),
        Case("one reading does not confirm", {**_TWO, "min_observations": 2}, _grades((70, 70), (85, 85), (70, 70))),
        Case("too long a silence lies between", _TWO, [_grades((70, 70))[0], (4, _grades((85, 85))[0][1])]),
    ),
)
