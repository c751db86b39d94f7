"""Changes of prices over a time, and how much they usually move, against plain loops."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.history import max_gap
from integration.triggers._prices import before, change_over, usual_move
from tests.laws import examples
from tests.triggers.logs import DAY
from tests.triggers.reference import HOUR

NAN = float("nan")
Steps = Sequence[tuple[int, float]]


def plain_before(times: Sequence[int], at: int, span: int, cadence: int) -> int:
    """The newest observation that lies `span` back, give or take half an interval, without a long silence since."""
    half = min(cadence, span) // 2
    for position in range(at - 1, -1, -1):
        if times[position + 1] - times[position] > max(48 * HOUR, 3 * cadence):
            return -1
        apart = times[at] - times[position]
        if span - half <= apart:
            return position if apart <= span + half else -1
    return -1


def plain_change(times: Sequence[int], prices: Sequence[float], at: int, span: int, cadence: int) -> float:
    back = plain_before(times, at, span, cadence)
    return NAN if back < 0 else prices[at] / prices[back] - 1


@st.composite
def walks(draw: st.DrawFn) -> tuple[list[int], list[float], int]:
    cadence = draw(st.sampled_from([DAY, DAY, HOUR, 10 * DAY]))
    step = st.sampled_from([100] * 12 + [98, 99, 101, 102, 50, 149, 150, 151, 200, 300, 301, 400])
    price = st.floats(0.5, 2.0)
    time, times, prices = 0, [], []
    for hundredths, factor in draw(st.lists(st.tuples(step, price), max_size=60)):
        time += hundredths * cadence // 100
        times.append(time)
        prices.append(100 * factor)
    return times, prices, cadence


@examples(300)
@given(walk=walks(), span=st.sampled_from([HOUR, DAY, 7 * DAY, 30 * DAY]))
def test_a_change_is_against_the_observation_so_long_before(walk: tuple[list[int], list[float], int], span: int) -> None:
    times, prices, cadence = walk
    as_of, values = np.array(times, dtype=np.int64), np.array(prices)
    everywhere = range(len(times))
    assert before(as_of, span, cadence, max_gap(cadence)).tolist() == [
        plain_before(times, at, span, cadence) for at in everywhere
    ]
    found = change_over(as_of, values, span, cadence, max_gap(cadence))
    np.testing.assert_array_equal(found, [plain_change(times, prices, at, span, cadence) for at in everywhere])


@examples(100)
@given(walk=walks())
def test_the_usual_move_is_the_deviation_of_thirty_daily_returns(walk: tuple[list[int], list[float], int]) -> None:
    times, prices, cadence = walk
    found = usual_move(np.array(times, dtype=np.int64), np.array(prices), cadence, max_gap(cadence))
    for at in range(len(times)):
        places = [at, *(plain_before(times, at, days * DAY, cadence) for days in range(1, 30))]
        daily = [plain_change(times, prices, place, DAY, cadence) for place in places if place >= 0]
        returns = [change for change in daily if not math.isnan(change)]
        if len(returns) < 27 or max(returns) - min(returns) < 1e-12:
            assert math.isnan(found[at])
        else:
            assert found[at] == pytest.approx(np.std(returns, ddof=1), rel=1e-9)


def test_hourly_stamps_that_are_not_on_the_hour_are_an_hour_apart() -> None:
    stamps = np.array(
        [HOUR * hour + 25 * 60_000 + jitter * 1000 for hour, jitter in enumerate([50, 9, 79, 0, 40])], dtype=np.int64
    )
    assert before(stamps, HOUR, HOUR, max_gap(HOUR)).tolist() == [-1, 0, 1, 2, 3]


def test_a_day_without_a_price_gives_no_change_rather_than_one_over_two_days() -> None:
    days = np.arange(4, dtype=np.int64) * DAY
    np.testing.assert_array_equal(change_over(days, np.array([1.0, NAN, 2.0, 3.0]), DAY, DAY, max_gap(DAY)), [NAN, NAN, NAN, 0.5])


@pytest.mark.parametrize("wrong", [0.0, -1.0, NAN])
def test_what_is_no_price_has_no_change(wrong: float) -> None:
    days = np.arange(3, dtype=np.int64) * DAY
    np.testing.assert_array_equal(change_over(days, np.array([1.0, wrong, 2.0]), DAY, DAY, max_gap(DAY)), [NAN, NAN, NAN])


def test_a_price_that_stands_still_has_no_usual_move() -> None:
    days = np.arange(60, dtype=np.int64) * DAY
    for values in (np.full(60, 0.1), 3.7 * 1.01 ** np.arange(60)):
        assert np.isnan(usual_move(days, values, DAY, max_gap(DAY))).all()


def test_extreme_prices_give_finite_changes_or_none_and_do_not_warn() -> None:
    days = np.arange(60, dtype=np.int64) * DAY
    values = np.tile([1e308, 5e-324, 1e-300, 1.0, 1.7e308], 12)
    for found in (change_over(days, values, DAY, DAY, max_gap(DAY)), usual_move(days, values, DAY, max_gap(DAY))):
        assert not np.isinf(found).any()


def test_nothing_has_no_change() -> None:
    none, empty = np.empty(0, dtype=np.int64), np.empty(0)
    assert len(change_over(none, empty, DAY, DAY, max_gap(DAY))) == len(usual_move(none, empty, DAY, max_gap(DAY))) == 0
