"""The grades that a token has, and how they are asked for and told."""

from __future__ import annotations

from typing import NamedTuple

from marshmallow import fields, validate

from integration.domain.payload import described
from integration.triggers._possible import Possible


class Grade(NamedTuple):
    """Where a grade comes from, and what a sentence calls it."""

    source: str
    metric: str
    name: str


GRADES = {
    "trader": Grade("trader_grades", "tm_trader_grade", "trader grade"),
    "investor": Grade("investor_grades", "tm_investor_grade", "investor grade"),
    "tm": Grade("tm_grade", "tm_grade", "TM grade"),
}
#: What a grade can be, in points.
LOWEST, HIGHEST = 0.0, 100.0
VALUES = Possible(LOWEST, HIGHEST)
POSSIBLE = validate.Range(LOWEST, HIGHEST)


def grade() -> fields.String:
    """Which grade is watched."""
    return fields.String(
        load_default="trader",
        validate=validate.OneOf(list(GRADES)),
        metadata=described("Grade", "trader (short term), investor (long term), or tm (only for tokens you name)", list="grades"),
    )


def grade_field() -> fields.String:
    """Which grade is told."""
    return fields.String(required=True, metadata=described("Which Grade", "trader, investor or tm"))
