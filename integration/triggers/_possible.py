"""What values can be, and whether a level among them can be crossed at all: a rule that could never fire is refused."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import NamedTuple

from marshmallow import ValidationError

from integration.domain.delta import thresholds


class Possible(NamedTuple):
    """From where to where values lie, in the unit that people say.

    `ends` are those of an interval: "[" and "]" where the end is a value itself, "(" and ")" where values only come near.
    """

    low: float
    high: float
    ends: str = "[]"

    def holds(self, value: float) -> bool:
        """Whether it is a value that can be."""
        above = self.low <= value if self.ends[0] == "[" else self.low < value
        return above and (value <= self.high if self.ends[1] == "]" else value < self.high)

    def levels(self, *, below: bool) -> str:
        """In words, the levels that can be crossed: reached from one side, which must be there, and left to it again."""
        low = f"{'from' if below and self.ends[0] == '[' else 'more than'} {_said(self.low)}"
        high = f"{'up to' if not below and self.ends[1] == ']' else 'less than'} {_said(self.high)}"
        return ", ".join(text for text, end in ((low, self.low), (high, self.high)) if math.isfinite(end))

    def widest(self, level: float, *, below: bool) -> tuple[float, bool]:
        """How wide a level's band may be, and whether just that is possible."""
        end = self.high if below else self.low
        wide = abs(Decimal(repr(level)) - Decimal(repr(end))) if math.isfinite(end) else Decimal("inf")
        return float(wide), self.ends[below] in "[]"


def check_crossing(level: float, band: float, values: Possible, *, below: bool = False, field: str = "level") -> None:
    """Raises ValidationError for a level that no two values lie on both sides of, or a band too wide to come back through.

    For `below`, and for the two sides, see `domain.delta.level_sides`.
    """
    if not all(map(values.holds, thresholds(level, 0.0, below=below))):
        raise ValidationError(f"It could never be crossed at {_said(level)}: choose {values.levels(below=below)}.", field)
    if not all(map(values.holds, thresholds(level, band, below=below))):
        most, reached = values.widest(level, below=below)
        room = f"may be {_said(most)} at most" if reached else f"must be less than {_said(most)}"
        raise ValidationError(f"Nothing lies that far from {_said(level)}: the band {room} here.", "hysteresis")


def fitting_band(wide: float, level: float, values: Possible, *, below: bool = False) -> float:
    """A band so wide, or narrower where there is less room."""
    most, reached = values.widest(level, below=below)
    return wide if wide < most else most if reached else round(most / 2, 9)


def check_fall(percent: float, direction: str) -> None:
    """Raises ValidationError for a fall by all that something is worth, or more."""
    if direction == "down" and percent >= 100:
        raise ValidationError("No price falls by all that it is: use less than 100, or another direction.", "percent")


def _said(value: float) -> str:
    """A number as it was asked for."""
    return f"{Decimal(repr(value + 0.0)).normalize():f}"
