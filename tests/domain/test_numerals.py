"""Numbers as they are written, and nothing that only Python takes for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError, validate

from integration.domain.numerals import Number, Whole, exact, whole


@pytest.mark.parametrize("written", ["5", 5, 5.0, "5.0", "5.", " 5 ", "+5", "05", "5e0", ".5e1", "50e-1"])
def test_five_is_five_however_it_is_written(written: Any) -> None:
    assert whole(written) == 5
    assert type(whole(written)) is int
    assert float(exact(written)) == 5.0


WRONG = [
    "",
    " ",
    "1_0",
    "١",
    "１",
    "5 0",
    "1,5",
    "0x5",
    "5e",
    "e5",
    ".",
    "-",
    "--5",
    "nan",
    "inf",
    "Infinity",
    "1e9999",
    "9" * 401,
]
OTHER = [True, False, None, [5], {"5": 5}, b"5", float("nan"), float("inf")]


@pytest.mark.parametrize("written", [*WRONG, *OTHER])
def test_what_is_no_number_is_none(written: Any) -> None:
    with pytest.raises(ValueError):
        exact(written)


def test_a_number_too_long_to_be_written_is_none() -> None:
    with pytest.raises(ValueError):
        exact(10**5000)


@pytest.mark.parametrize("written", [1.5, "1.5", "1e-1", -0.5])
def test_a_part_is_not_whole(written: Any) -> None:
    with pytest.raises(ValueError):
        whole(written)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_the_same_as_text(number: float) -> None:
    assert float(exact(repr(number))) == float(exact(number)) == number


class Asked(Schema):
    number = Number()
    many = Whole(validate=validate.Range(1, 30))
    any = Whole()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"many": 1.5}, "such as 2."),
        ({"many": "0.2"}, "such as 1."),
        ({"many": 30.5}, "such as 30."),
        ({"many": 1e300}, "less than or equal to 30"),
        ({"any": -2.5}, "such as -3."),
        ({"any": "1_0"}, "Not a whole number"),
        ({"number": "1_0"}, "Not a valid number"),
        ({"number": "1e400"}, "infinity"),
    ],
)
def test_an_error_says_what_may_stand_there(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Asked().load(given)
    ((field, (text,)),) = refused.value.messages_dict.items()
    assert field in given
    assert says in text
