"""What a backtest says beside its events, against plain computations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.backtest import (
    HORIZONS,
    Mark,
    Prices,
    base_returns,
    counted_from,
    flaps,
    gaps,
    others,
    rate,
    returns_after,
    thin,
    watched,
)
from integration.domain.history import Firing, History, Joined
from integration.domain.retry import DAY, HOUR
from integration.triggers.sharpe_threshold import TRIGGER as SHARPE
from tests.triggers.logs import history_of, loaded, source_of


def ints(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


# -- what was filled in later ------------------------------------------------------------------------------------------


def counted(*readings: tuple[int, int, bool]) -> list[int]:
    as_of, known_at, filled = zip(*readings, strict=True)
    return counted_from(ints(*as_of), ints(*known_at), np.array(filled)).tolist()


def test_a_reading_that_was_filled_in_counts_from_its_own_time() -> None:
    assert counted((10, 11, False), (20, 99, True), (30, 31, False)) == [11, 20, 31]


def test_it_does_not_overtake_what_was_known_of_the_time_before_nor_come_after_what_follows() -> None:
    assert counted((10, 25, False), (20, 99, True), (30, 31, False)) == [25, 25, 31]
    assert counted((10, 35, False), (20, 99, True), (30, 31, False)) == [35, 31, 31]


def test_a_restatement_long_after_moves_nothing() -> None:
    assert counted((10, 11, False), (10, 77, False), (20, 99, True), (30, 31, False)) == [11, 77, 20, 31]


def test_where_all_or_nothing_was_filled_in_it_is_plain() -> None:
    assert counted((10, 99, True), (20, 99, True)) == [10, 20]
    assert counted((10, 11, False), (20, 21, False)) == [11, 21]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=12, unique_by=lambda r: r[0]), st.integers(0, 25)
)
def test_in_whatever_way_readings_were_filled_in_none_comes_late_where_live_ones_came_in_order(
    readings: list[tuple[int, bool]], lag: int
) -> None:
    ordered = sorted(readings)
    found = counted(*[(as_of, as_of + lag if not filled else 1_000, filled) for as_of, filled in ordered])
    assert found == sorted(found)


# -- gaps --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 100)), st.integers(0, 60), st.integers(1, 60), st.integers(0, 20))
def test_gaps_are_the_stretches_in_which_nothing_came(times: list[int], start: int, length: int, longest: int) -> None:
    end = start + length
    edges = [start, *sorted({t for t in times if start <= t < end}), end]
    plain = [(a, b) for a, b in pairwise(edges) if b - a > longest]
    assert gaps(ints(*times), start, end, longest) == plain


# -- flaps -------------------------------------------------------------------------------------------------------------


def mark(subject: str, day: float, direction: str | None = "up") -> Mark:
    return Mark(subject, round(day * DAY), round(day * DAY), direction)


def test_a_flap_is_the_next_event_in_another_direction_within_the_days() -> None:
    one, two, three, four = mark("a", 0), mark("a", 7, "down"), mark("a", 15, "up"), mark("a", 16, "up")
    assert flaps([four, one, three, two], 7) == [(one, two)]
    assert flaps([one, two, three, four], 8) == [(one, two), (two, three)]
    assert flaps([one, mark("b", 1, "down")], 7) == []
    assert flaps([mark("a", 0, None), mark("a", 1, "up"), mark("a", 2, None)], 7) == []


# -- other options -----------------------------------------------------------------------------------------------------


def test_other_values_lie_around_the_chosen_ones() -> None:
    options = {"hysteresis": 0.05, "cooldown_hours": 6.0}
    assert others(options, 0.05, HOUR) == [
        ("hysteresis", 0.025), ("hysteresis", 0.05), ("hysteresis", 0.1), ("hysteresis", 0.2),
        ("cooldown_hours", 0.0), ("cooldown_hours", 2.0), ("cooldown_hours", 6.0),
        ("cooldown_hours", 12.0), ("cooldown_hours", 24.0), ("cooldown_hours", 48.0),
    ]  # fmt: skip


def test_of_quiet_times_within_the_interval_of_readings_one_is_tried() -> None:
    assert others({"cooldown_hours": 6.0}, None, DAY) == [(("cooldown_hours"), v) for v in (6.0, 48.0, 72.0, 168.0)]
    assert others({"cooldown_hours": 30.0}, None, DAY)[0] == ("cooldown_hours", 0.0)


def test_without_a_band_the_usual_one_is_tried_and_options_that_are_not_there_are_not() -> None:
    assert others({"hysteresis": 0.0}, 2.0, DAY) == [("hysteresis", v) for v in (0.0, 1.0, 2.0, 4.0, 8.0)]
    assert others({"points": 5}, None, DAY) == []


# -- returns -----------------------------------------------------------------------------------------------------------


def plain_after(closes: Mapping[int, float], entry: int, days: int) -> float | None:
    start, end = closes.get(entry, 0.0), closes.get(entry + days, 0.0)
    return end / start - 1 if start > 0 and end > 0 else None


CLOSES = st.dictionaries(st.integers(0, 45), st.sampled_from([0.0, 1.0, 1.5, 2.0, 100.0]), min_size=1)


@given(CLOSES, st.lists(st.tuples(st.integers(0, 45), st.integers(0, 50)), min_size=1, max_size=6))
def test_returns_are_those_of_a_plain_computation(closes: dict[int, float], firings: list[tuple[int, int]]) -> None:
    """Each close is known two days after its day began."""
    days = sorted(closes)
    prices = Prices(ints(*days), ints(*((day + 2) * DAY for day in days)), np.array([closes[day] for day in days]))
    marks = [Mark("a", day * DAY, (day + late) * DAY) for day, late in firings]
    found = returns_after({"a": prices}, marks)
    for (day, late), row in zip(firings, found.tolist(), strict=True):
        known = [d for d in days if d + 2 <= day + late]
        entry = max([day, *known[-1:]])
        for horizon, value in zip(HORIZONS, row, strict=True):
            plain = plain_after(closes, entry, horizon)
            assert math.isnan(value) if plain is None else value == pytest.approx(plain)


@given(CLOSES, st.integers(0, 30), st.integers(0, 15))
def test_the_base_is_every_day_of_the_period(closes: dict[int, float], first: int, length: int) -> None:
    days = sorted(closes)
    prices = Prices(ints(*days), ints(*(day * DAY for day in days)), np.array([closes[day] for day in days]))
    for horizon, found in zip(HORIZONS, base_returns({"a": prices, "b": prices}, first, first + length), strict=True):
        one = [plain_after(closes, day, horizon) for day in range(first, first + length + 1)]
        there = sorted(2 * [value for value in one if value is not None])
        assert sorted(found[np.isfinite(found)].tolist()) == pytest.approx(there)


def test_a_price_from_before_the_event_is_not_where_its_return_begins() -> None:
    """The day's own move, which may have caused it, is none of what came of it."""
    prices = Prices(ints(0, 1, 2), ints(DAY, 2 * DAY, 3 * DAY), np.array([1.0, 2.0, 3.0]))
    ((after, *_),) = returns_after({"a": prices}, [Mark("a", DAY, DAY + HOUR)]).tolist()
    assert after == 0.5


def test_what_is_told_late_is_measured_from_when_it_is_told() -> None:
    prices = Prices(ints(0, 1, 2, 3), ints(DAY, 2 * DAY, 3 * DAY, 4 * DAY), np.array([1.0, 2.0, 4.0, 5.0]))
    ((after, *_),) = returns_after({"a": prices}, [Mark("a", 0, 3 * DAY)]).tolist()
    assert after == 0.25


def test_without_prices_nothing_is_said() -> None:
    assert np.isnan(returns_after({}, [mark("a", 0)])).all()
    assert rate(np.array([np.nan])) == rate(np.empty(0))
    assert (rate(np.array([0.1, -0.1, 0.3])).positive, rate(np.array([0.1, -0.1, 0.3])).median) == (2 / 3, 0.1)


# -- the chart ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([0.0, 1.0, -5.0, float("nan")]), max_size=300), st.integers(2, 40))
def test_a_thinned_chart_is_short_and_keeps_the_extremes(values: list[float], most: int) -> None:
    array = np.array(values, dtype=np.float64)
    kept = thin(array, most)
    assert len(kept) <= max(most, 0) or len(values) <= most
    assert kept.tolist() == sorted(set(kept.tolist()))
    if np.isfinite(array).any():
        assert np.nanmax(array[kept]) == np.nanmax(array)
        assert np.nanmin(array[kept]) == np.nanmin(array)


def test_what_is_watched_is_the_first_number_that_is_looked_at() -> None:
    trigger = SHARPE
    for asked, metric in (({}, "sharpe"), ({"relative_to_btc": True}, "sharpe_over_btc")):
        options = loaded(trigger, asked)
        history = history_of(source_of(trigger, options), trigger, [(day * DAY, {metric: float(day)}) for day in range(4)])
        assert watched(trigger, options, history) == ("", metric)
        assert trigger.scan(history, options) == trigger.scan(history, options)


def test_a_number_beside_the_clock_is_watched_where_the_clock_says_none() -> None:
    joined = {"other": Joined(("x",), ints(0), np.array([[1.0]]), (None,))}
    history = History("token:1", ("y",), DAY, ints(0), np.array([[2.0]]), (None,), joined)

    class Fake:
        @staticmethod
        def scan(history: History, options: Mapping[str, Any]) -> list[Firing]:
            history.take(slice(None)).of("other").column("x")
            for name in options["then"]:
                history.column(name)
            return []

    trigger: Any = Fake
    assert watched(trigger, {"then": ()}, history) == ("other", "x")
    assert watched(trigger, {"then": ("y",)}, history) == ("", "y")
    trigger.scan = lambda _history, _options: []
    assert watched(trigger, {}, history) is None
