"""Fires when enough of a moonshot checklist holds for a token: small, liquid, strong by its grades, sound by its scores.

An item is answered by what Token Metrics says at that time; one that it has no figure for does not hold, and the event
names it. What no data of Token Metrics can answer (such as the team, or token unlocks) is named as well: it is left to
people. A token stops being a candidate only once it has lost as many items as the band says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from integration.domain.catalogue import Case, Lookback, Options, States, Trigger
from integration.domain.history import Firing, History
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.triggers._checklist import CLOCK, ITEMS, TRADER, UNANSWERED, Checked, check, chosen, counts, sides
from integration.triggers._grades import POSSIBLE
from integration.triggers._levels import UP, crossed, crossed_at_field, holding, level_lookback, suppressed_field
from integration.triggers._options import Several, TriggerOptions
from integration.triggers._values import number

METRIC = "tm_investor_grade"
#: Items of the clock: where it says anything, it says one of these.
SCORED = {name for name, item in ITEMS.items() if item.source == CLOCK}
#: How many items a candidate may lose where no band is given.
USUAL_BAND = 2


class ChecklistOptions(TriggerOptions):
    """Which items count, how many must hold, and from where on each does."""

    items = Several(
        list(ITEMS), metadata=described("Items", f"Which items count, comma separated; empty means all: {', '.join(ITEMS)}")
    )
    required = Whole(
        load_default=9,
        validate=validate.Range(1, len(ITEMS)),
        metadata=described("Items Required", "Tell when at least so many of the items hold", unit="items"),
    )
    rank_from = Whole(
        load_default=101,
        validate=validate.Range(1, 1_000),
        metadata=described("Rank From", "Not larger than this: the highest market cap rank that is small enough"),
    )
    rank_to = Whole(
        load_default=1_000,
        validate=validate.Range(1, 1_000),
        metadata=described("Rank To", "Not smaller than this: the lowest market cap rank that is large enough"),
    )
    min_volume = Number(
        load_default=1.0,
        validate=validate.Range(0, 100_000),
        metadata=described("Volume From", "The least volume of a day", unit="million USD"),
    )
    trader_grade_at = Number(
        load_default=85.0,
        validate=POSSIBLE,
        metadata=described("Trader Grade From", "85 and more is called a moonshot", unit="points"),
    )
    grades_at = Number(
        load_default=60.0,
        validate=POSSIBLE,
        metadata=described("Grades From", "Investor, fundamental, technology and valuation grade", unit="points"),
    )
    scores_at = Number(
        load_default=6.0,
        validate=validate.Range(0, 10),
        metadata=described("Scores From", "Every score, from 0 to 10", unit="points"),
    )
    hysteresis = Whole(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, len(ITEMS)),
        metadata=described(
            "Band", "How many items below those required end it; empty means 2 if so many are required", unit="items"
        ),
    )

    @validates_schema
    def _possible(self, options: dict[str, Any], **_: Any) -> None:
        count = len(chosen(options))
        if options["required"] > count:
            raise ValidationError(f"Only {count} items are chosen: require {count} at most.", "required")
        if (options["hysteresis"] or 0) > options["required"]:
            raise ValidationError(f"Nothing has fewer than no items: use {options['required']} at most.", "hysteresis")
        if options["rank_from"] > options["rank_to"]:
            raise ValidationError(f"Must be {options['rank_from']} or more, or no token fits.", "rank_to")
        everything = set(chosen(options)) >= SCORED and not options["grades_at"] and not options["scores_at"]
        if everything and (options["hysteresis"] or USUAL_BAND) >= options["required"]:
            text = "Where every grade and score will do, some item always holds: use more than 0, or a smaller band."
            raise ValidationError(text, "grades_at")

    @post_load
    def _band(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        if options["hysteresis"] is None:
            options["hysteresis"] = min(USUAL_BAND, options["required"])
        return options


class CheckedItem(Schema):
    """One item of the checklist."""

    item = fields.String(required=True, metadata=described("Item"))
    label = fields.String(required=True, metadata=described("Label"))
    holds = fields.Boolean(required=True, allow_none=True, metadata=described("Holds", "Empty where there is no figure"))
    value = fields.Float(required=True, allow_none=True, metadata=described("Value", "In Token Metrics' unit"))


class ChecklistPayload(EventPayload):
    """A candidate."""

    items_required = fields.Integer(required=True, metadata=described("Items Required"))
    items_held = fields.Integer(required=True, metadata=described("Items Held"))
    previous_items_held = fields.Integer(
        required=True, metadata=described("Previous Items Held", "At the last reading at which it was not yet a candidate")
    )
    items_checked = fields.Integer(required=True, metadata=described("Items Checked", "How many were chosen"))
    held_items = fields.String(required=True, metadata=described("Held", "Items that hold"))
    missed_items = fields.String(required=True, metadata=described("Missed", "Items that do not hold"))
    unknown_items = fields.String(required=True, metadata=described("Unknown", "Items without a figure for this token"))
    unanswered = fields.String(required=True, metadata=described("Unanswered", "What no data of Token Metrics can answer"))
    checklist = fields.List(fields.Nested(CheckedItem), required=True, metadata=described("Checklist"))
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """Investor grades, and beside them what the chosen items need."""
    return tuple(dict.fromkeys((CLOCK, *(ITEMS[name].source for name in chosen(options)))))


def lookback(options: Options) -> Lookback:
    """That of a level: how many items hold."""
    return level_lookback(options)


def scan(history: History, options: Options) -> list[Firing]:
    """Readings at which a token becomes a candidate."""
    checked = check(history, options)
    rows = np.flatnonzero(checked.there)
    as_of = history.as_of[rows]
    return [
        Firing(
            int(as_of[crossing.at]),
            {
                "previous_items_held": int(checked.holds[:, rows[crossing.before]].sum()),
                **_fields(checked, int(rows[crossing.at]), options),
                "crossed_at": iso(int(as_of[crossing.start])),
                "suppressed_count": crossing.suppressed,
            },
        )
        for crossing in crossed(history, as_of, sides(checked, options), options, (UP,))
    ]


def _fields(checked: Checked, at: int, options: Options) -> dict[str, Any]:
    lines = [
        {
            "item": name,
            "label": ITEMS[name].label,
            "holds": None if np.isnan(checked.values[row, at]) else bool(checked.holds[row, at]),
            "value": number(checked.values[row, at]),
        }
        for row, name in enumerate(chosen(options))
    ]

    def named(answer: bool | None) -> str:
        return ", ".join(str(line["item"]) for line in lines if line["holds"] is answer)

    return {
        "items_required": options["required"],
        "items_held": int(checked.holds[:, at].sum()),
        "items_checked": len(lines),
        "held_items": named(True),
        "missed_items": named(False),
        "unknown_items": named(None),
        "unanswered": UNANSWERED,
        "checklist": lines,
    }


def holds(history: History, options: Options) -> States:
    """Whether it is a candidate."""
    checked = check(history, options)
    return holding(history, counts(checked), sides(checked, options), options, UP)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    unknown = f"; no figure for {event['unknown_items']}" if event["unknown_items"] else ""
    return (
        f"{event['subject_name']} passes {event['items_held']} of {event['items_checked']} items of the moonshot checklist "
        f"({event['held_items']}{unknown}) on {day_and_month(event['as_of'])}."
    )


_TIME = "2024-04-29T00:00:00Z"
_FIGURES = (212, 21_500_000, 88.1, 66.4, 71.2, 62.9, 64.8, 7.4, 8.1, 6.9, 5.2, None, 8.2)
_EXAMPLE = {
    "items_required": 9,
    "items_held": 11,
    "previous_items_held": 8,
    "items_checked": 13,
    "held_items": ", ".join(name for name in ITEMS if name not in ("tokenomics", "backers")),
    "missed_items": "tokenomics",
    "unknown_items": "backers",
    "unanswered": UNANSWERED,
    "checklist": [
        {
            "item": name,
            "label": item.label,
            "holds": None if value is None else name != "tokenomics",
            "value": None if value is None else float(value),
        }
        for (name, item), value in zip(ITEMS.items(), _FIGURES, strict=True)
    ],
    "crossed_at": _TIME,
    "suppressed_count": 0,
}

_GOOD = dict(zip(ITEMS, _FIGURES, strict=True))
_WEAK = {"trader_grade": 40.0, "fundamental": 30.0, "technology": 30.0, "valuation": 30.0}


def _token(*days: Mapping[str, float | None], items: Sequence[str] = tuple(ITEMS)) -> list[tuple[float, Any]]:
    """A reading a day of a token on which 11 of 13 items hold, each day changed by what is given."""
    named = {name: (item.metric if item.source == CLOCK else f"{item.source}.{item.metric}") for name, item in ITEMS.items()}
    own = [name for name, item in ITEMS.items() if item.source == CLOCK or name in items]
    return [(day, {named[name]: {**_GOOD, **changed}[name] for name in own}) for day, changed in enumerate(days)]


def _without(source: str, day: Mapping[str, Any]) -> dict[str, Any]:
    """A reading that another source says nothing beside."""
    return {name: value for name, value in day.items() if not name.startswith(f"{source}.")}


_LIQUID = _token({}, items=("volume", "trader_grade"))[0][1]

TRIGGER = Trigger(
    key="moonshot_checklist",
    noun="Moonshot Candidate",
    label="New Moonshot Candidate",
    description="Triggers when enough of the moonshot checklist holds for a token.",
    semantics=1,
    subject="token",
    options=ChecklistOptions,
    payload=ChecklistPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    summary=summary,
    sample=sample(
        "moonshot_checklist",
        "New Moonshot Candidate",
        ("token:4139", 4139, "Render", "RNDR"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Render", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "enough items hold",
            {},
            _token(_WEAK, {}),
            {1: {"items_held": 11, "previous_items_held": 7, "missed_items": "tokenomics", "unknown_items": "backers"}},
        ),
        Case("exactly as many as required", {"required": 11}, _token(_WEAK, {}), {1: {"items_required": 11}}),
        Case(
            "only some items count",
            {"items": "size,trader_grade", "required": 2},
            _token({"size": 40, "trader_grade": 10.0}, {}, items=("size", "trader_grade")),
            {1: {"held_items": "size, trader_grade", "items_checked": 2}},
        ),
        Case(
            "it must have lost the band before it is told again",
            {"required": 11},
            _token(_WEAK, {}, {"volume": 0.0}, {}, {"volume": 0.0, "security": 1.0}, {}),
            {1: {}, 5: {"previous_items_held": 9}},
        ),
        Case("confirmed by a second reading", {"min_observations": 2}, _token(_WEAK, {}, {}), {2: {"items_held": 11}}),
        Case("own limits", {"scores_at": 5, "required": 12}, _token(_WEAK, {}), {1: {"items_held": 12, "missed_items": ""}}),
    ),
    silent=(
        Case("the first reading", {}, _token({})),
        Case("too few items hold", {"required": 12}, _token(_WEAK, {})),
        Case(
            "it is too large",
            {"items": "size,trader_grade", "required": 2},
            _token({"trader_grade": 1.0}, {"size": 100}, items=("size", "trader_grade")),
        ),
        Case(
            "what stood beside was only not known before",
            {"items": "volume,trader_grade", "required": 2},
            [(0, _without(TRADER, _LIQUID)), (1, _LIQUID)],
        ),
        Case(
            "one item is lost and found again",
            {"required": 11},
            _token({}, {"volume": None}, {}, {"security": None}, {}),
        ),
        Case("too long a silence lies between", {}, [_token(_WEAK)[0], (4, _token({})[0][1])]),
    ),
)
