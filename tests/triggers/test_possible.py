"""A level is refused where, and only where, no two possible values lie on both sides of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.delta import level_sides
from integration.triggers._possible import Possible, check_crossing, check_fall, fitting_band

NUMBERS = st.sampled_from([-100.0, -1.0, -0.1, 0.0, 0.1, 0.3, 1.0, 2.0, 50.0, 99.99, 100.0, 1000.0]) | st.floats(-200, 1200)
VALUES = st.sampled_from(
    [Possible(low, high, ends) for low, high in ((0, 100), (-1, 1), (-100, math.inf)) for ends in ("[]", "(]", "[)", "()")]
)


def some(values: Possible, *near: float) -> list[float]:
    """Values that can be: the ends and the numbers given, and the neighbours of all of them."""
    ends = [*near, values.low, values.high, 1e300]
    return [v for end in ends for v in (math.nextafter(end, -math.inf), end, math.nextafter(end, math.inf)) if values.holds(v)]


@given(level=NUMBERS, band=NUMBERS.map(abs), values=VALUES, below=st.booleans())
def test_what_is_refused_has_no_two_sides_and_what_is_taken_has(level: float, band: float, values: Possible, below: bool) -> None:
    there = np.array(some(values, level, level - band, level + band))
    crossed = set(level_sides(there, level, band, below=below).tolist()) >= {1, -1} and values.holds(level)
    if crossed:
        check_crossing(level, band, values, below=below)
    else:
        with pytest.raises(ValidationError) as refused:
            check_crossing(level, band, values, below=below, field="limit")
        without_band = set(level_sides(there, level, 0.0, below=below).tolist()) >= {1, -1} and values.holds(level)
        assert refused.value.field_name == ("hysteresis" if without_band else "limit")


@given(level=NUMBERS, wide=NUMBERS.map(abs), values=VALUES, below=st.booleans())
def test_a_band_that_is_filled_in_fits_wherever_the_level_does(level: float, wide: float, values: Possible, below: bool) -> None:
    level = round(level, 6)
    try:
        check_crossing(level, 0.0, values, below=below)
    except ValidationError:
        return
    band = fitting_band(wide, level, values, below=below)
    check_crossing(level, band, values, below=below)
    assert band <= wide


@pytest.mark.parametrize(
    ("level", "band", "values", "below", "says"),
    [
        (0, 0, Possible(0, 100), False, "It could never be crossed at 0: choose more than 0, up to 100."),
        (100, 0, Possible(0, 100), True, "It could never be crossed at 100: choose from 0, less than 100."),
        (1, 0, Possible(-1, 1, "()"), False, "It could never be crossed at 1: choose more than -1, less than 1."),
        (-100, 0, Possible(-100, math.inf, "()"), False, "It could never be crossed at -100: choose more than -100."),
        (0.3, 0.4, Possible(0, 100), False, "Nothing lies that far from 0.3: the band may be 0.3 at most here."),
        (0.3, 0.3, Possible(0, 100, "()"), False, "Nothing lies that far from 0.3: the band must be less than 0.3 here."),
    ],
)
def test_a_refusal_says_what_may_be_instead(level: float, band: float, values: Possible, below: bool, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        check_crossing(level, band, values, below=below)
    assert refused.value.messages == [says]


def test_a_band_is_as_wide_as_there_is_room_for() -> None:
    assert fitting_band(2.0, 1.0, Possible(0, 100)) == 1.0
    assert fitting_band(2.0, 1.0, Possible(0, 100, "()")) == 0.5
    assert fitting_band(2.0, 99.5, Possible(0, 100), below=True) == 0.5
    assert fitting_band(2.0, 50.0, Possible(0, 100)) == 2.0


def test_a_rise_may_be_of_any_size_and_a_fall_may_not() -> None:
    for percent, direction in ((100, "up"), (1000, "either"), (99.9, "down")):
        check_fall(percent, direction)
    with pytest.raises(ValidationError, match="use less than 100"):
        check_fall(100, "down")
