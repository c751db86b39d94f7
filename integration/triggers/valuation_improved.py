"""Fires when a token's valuation grade has risen by at least N points against that of `days` days before.

It is compared with the newest reading at least so many days old. A rise that lasts is told once, when it becomes large
enough; after that only when there was none for as many days.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import fields, validate

from integration.domain.catalogue import Case, Lookback, Options, Trigger
from integration.domain.delta import cool_down, observed
from integration.domain.history import Firing, History
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.domain.retry import DAY
from integration.triggers._grades import POSSIBLE
from integration.triggers._levels import suppressed_field
from integration.triggers._moves import began, move_lookback, since
from integration.triggers._options import MoveOptions, cooldown

SOURCE = "investor_grades"
METRIC = "valuation_grade"


class ValuationOptions(MoveOptions):
    """What counts as an improvement."""

    points = Number(
        load_default=5.0,
        validate=validate.Range(0.1, 100),
        metadata=described("Points", "Tell when the valuation grade has risen by at least this much", unit="points"),
    )
    days = Whole(
        load_default=7,
        validate=validate.Range(1, 90),
        metadata=described("Days Before", "Compare with the grade this many days before; 7 is week over week", unit="days"),
    )
    min_grade = Number(
        load_default=0.0,
        validate=POSSIBLE,
        metadata=described("Minimum Grade", "Only where the valuation grade is at least this now; 0 is any", unit="points"),
    )


class ValuationPayload(EventPayload):
    """A rise."""

    valuation_grade = fields.Float(required=True, metadata=described("Valuation Grade", unit="points"))
    previous_valuation_grade = fields.Float(
        required=True, metadata=described("Previous Valuation Grade", "The reading it is compared with", unit="points")
    )
    change = fields.Float(required=True, metadata=described("Change", "New minus previous", unit="points"))
    days = fields.Integer(required=True, metadata=described("Days Before", unit="days"))
    previous_as_of = fields.String(required=True, metadata=described("Previous As Of", "The date of the reading compared with"))
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """The valuation grade stands beside the investor grade."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """A rise needs the reading so many days before, and is told once in as many days."""
    return move_lookback(options, 3, 2 * options["days"] * DAY)


def scan(history: History, options: Options) -> list[Firing]:
    """Rises that are told."""
    as_of, values = observed(history.as_of, history.column(METRIC))
    back = since(as_of, options["days"] * DAY, history.max_gap)
    with np.errstate(over="ignore"):
        change = np.where(back >= 0, values - values[back], np.nan)
    risen = np.where((change > 0) & (values >= options["min_grade"]), change, np.nan)
    begun = began(risen, as_of, options["points"], options["days"] * DAY)
    return [
        Firing(
            int(as_of[notice.at]),
            {
                "valuation_grade": float(values[notice.at]),
                "previous_valuation_grade": float(values[back[notice.at]]),
                "change": round(float(change[notice.at]), 6),
                "days": options["days"],
                "previous_as_of": iso(int(as_of[back[notice.at]])),
                "suppressed_count": notice.suppressed,
            },
        )
        for notice in cool_down(as_of, begun, cooldown(options), lambda _: True)
    ]


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    return (
        f"{event['subject_name']}'s valuation grade rose by {event['change']:.1f} points against {event['days']} "
        f"day{'s' if event['days'] > 1 else ''} before: {event['previous_valuation_grade']:.1f} → "
        f"{event['valuation_grade']:.1f} on {day_and_month(event['as_of'])}."
    )


_TIME = "2024-04-29T00:00:00Z"
_EXAMPLE = {
    "valuation_grade": 62.4,
    "previous_valuation_grade": 55.9,
    "change": 6.5,
    "days": 7,
    "previous_as_of": "2024-04-22T00:00:00Z",
    "suppressed_count": 0,
}


def _weekly(*grades: float | None) -> list[tuple[float, Any]]:
    """A grade every other day: one in three readings is seven days and more before another."""
    return [(2 * number, grade) for number, grade in enumerate(grades)]


TRIGGER = Trigger(
    key="valuation_improved",
    noun="Valuation Improvement",
    label="New Valuation Improvement",
    description="Triggers when a token's valuation grade rises week over week by a number of points.",
    semantics=1,
    subject="token",
    options=ValuationOptions,
    payload=ValuationPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample(
        "valuation_improved",
        "New Valuation Improvement",
        ("token:3306", 3306, "Ethereum", "ETH"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Ethereum", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "it rises within a week",
            {},
            [(day, 50 + day * 5 / 7) for day in range(8)],
            {7: {"previous_valuation_grade": 50.0, "change": 5.0, "previous_as_of": "1970-01-01T00:00:00Z"}},
        ),
        Case("it leaps over a day", {"days": 1}, [(0, 40), (1, 46)], {1: {"change": 6.0}}),
        Case(
            "it reaches the grade that is asked for later",
            {"days": 2, "min_grade": 60},
            [(0, 50), (1, 50), (2, 58), (3, 60)],
            {3: {"valuation_grade": 60.0, "previous_valuation_grade": 50.0}},
        ),
        Case("the newest reading that is old enough", {}, _weekly(40, 41, 42, 43, 46), {8: {"previous_valuation_grade": 40.0}}),
        Case("a null is no reading", {"days": 1}, [(0, 40), (1, None), (2, 45)], {2: {"change": 5.0}}),
        Case("a rise that lasts is told once", {"days": 1}, [(0, 40), (1, 45), (1.5, 46), (2, 51)], {1: {}}),
    ),
    silent=(
        Case("the first grade", {}, [(0, 90)]),
        Case("too few days", {}, [(day, 40 + 3 * day) for day in range(7)]),
        Case("too small a rise", {"days": 1}, [(0, 40), (1, 44.9), (2, 49.8)]),
        Case("it falls", {"days": 1}, [(0, 60), (1, 40)]),
        Case("it ends below the grade that is asked for", {"days": 1, "min_grade": 60}, [(0, 40), (1, 59)]),
        Case("too long a silence lies between", {"days": 1}, [(0, 40), (4, 60)]),
    ),
)
