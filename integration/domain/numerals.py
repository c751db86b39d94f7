"""Numbers as they are written: ASCII digits with a point, and whole where they must be whole.

Python reads more ("1_0", other alphabets' digits, 1.5 as the whole number 1), which nobody means.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from marshmallow import ValidationError, fields, validate

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
#: More than any number needs that is meant.
_LONGEST = 400


def exact(value: Any) -> Decimal:
    """What a number, or the text of one, says. ValueError for anything else, NaN, infinities and truth values included.

    >>> exact(" 5.0 "), exact(1e3), exact(".05")
    (Decimal('5.0'), Decimal('1000.0'), Decimal('0.05'))
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("not a number")
    text = value.strip() if isinstance(value, str) else repr(value)
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        raise ValueError("not a number")
    return Decimal(text)


def whole(value: Any) -> int:
    """A whole number, however it is written (5, "5", 5.0). ValueError for anything else.

    >>> whole("5"), whole(5.0)
    (5, 5)
    """
    number = exact(value)
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


class Number(fields.Float):
    """A finite number."""

    default_error_messages = {"invalid": "Not a valid number: write it in digits, such as 0.5."}

    def _validated(self, value: Any) -> float:
        try:
            return super()._validated(float(exact(value)))
        except ValueError as error:
            raise self.make_error("invalid", input=value) from error


class Whole(fields.Integer):
    """A whole number; an error about another one names the nearest that may be."""

    default_error_messages = {"invalid": "Not a whole number: write it in digits, such as 5."}

    def _validated(self, value: Any) -> int:
        try:
            number = exact(value)
        except ValueError as error:
            raise self.make_error("invalid", input=value) from error
        if number != number.to_integral_value():
            raise ValidationError(f"Must be a whole number, such as {self._nearest(number)}.")
        return int(number)

    def _nearest(self, number: Decimal) -> int:
        near = int(number.to_integral_value(ROUND_HALF_UP))
        for check in self.validators:
            if isinstance(check, validate.Range):
                near = max(near, near if check.min is None else check.min)
                near = min(near, near if check.max is None else check.max)
        return near
