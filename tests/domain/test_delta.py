"""Crossings, confirmation, cooldown and moves, rule by rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.delta import (
    COUNTED,
    DAY,
    MEMORY,
    Crossing,
    Notice,
    cool_down,
    crossings,
    level_sides,
    moves,
    observed,
)
from integration.domain.history import max_gap
from tests.laws import examples
from tests.triggers import reference

NAN = float("nan")


def sides_of(values: Sequence[float], level: float, hysteresis: float, below: bool = False) -> list[int]:
    sides: list[int] = level_sides(np.array(values, dtype=np.float64), level, hysteresis, below=below).tolist()
    return sides


def crossed(sides: Sequence[int | None], *, days: Sequence[float] | None = None, confirm: int = 1, duration: int = 0,
            assumed: int | None = None) -> list[Crossing]:  # fmt: skip
    """Crossings of one side a day; None is missing."""
    times = np.asarray([round(day * DAY) for day in (days or range(len(sides)))], dtype=np.int64)
    as_of, values = observed(times, np.array([NAN if s is None else s for s in sides], dtype=np.float64))
    return crossings(
        as_of, values.astype(np.int8), cadence=DAY, max_gap=max_gap(DAY), observations=confirm, duration=duration, assumed=assumed
    )


def at(found: Sequence[Crossing]) -> list[tuple[int, int]]:
    return [(crossing.at, crossing.side) for crossing in found]


# -- rule 2: sides -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "above", "below"),
    [(2.0, 1, 1), (1.1, 1, 1), (1.05, 1, 0), (1.0, 1, -1), (0.95, 0, -1), (0.9, -1, -1), (-9.0, -1, -1)],
)
def test_rule_2_equality_is_on_the_side_that_is_entered_and_the_band_has_none(x: float, above: int, below: int) -> None:
    assert sides_of([x], 1.0, 0.1) == [above]
    assert sides_of([x], 1.0, 0.1, below=True) == [below]


@given(
    x=st.floats(allow_nan=False, allow_infinity=False),
    level=st.floats(-1e6, 1e6),
    hysteresis=st.floats(0, 1e6),
)
def test_rule_2_below_is_the_mirror_image_of_above(x: float, level: float, hysteresis: float) -> None:
    assert sides_of([x], level, hysteresis) == [-side for side in sides_of([-x], -level, hysteresis, below=True)]


@given(x=st.integers(-400, 400), level=st.integers(-300, 300), hysteresis=st.integers(0, 100))
def test_rule_2_thresholds_are_those_of_decimal_arithmetic(x: int, level: int, hysteresis: int) -> None:
    wanted = 1 if x >= level else (-1 if x <= level - hysteresis else 0)
    assert sides_of([x / 100], level / 100, hysteresis / 100) == [wanted]


@pytest.mark.parametrize("hysteresis", [0.0, -0.0, 5e-324, 1e-300])
def test_rule_2_without_a_band_every_value_has_a_side(hysteresis: float) -> None:
    assert sides_of([1.0, np.nextafter(1.0, 0), 1e308, -1e308], 1.0, hysteresis) == [1, -1, 1, -1]


def test_rule_2_the_side_is_that_of_the_last_value_outside_the_band() -> None:
    assert at(crossed([-1, 0, 0, -1, 0, 1, 0, 0, 1, 0, -1])) == [(5, 1), (10, -1)]


def test_rule_2_missing_is_never_a_side() -> None:
    as_of, values = observed(np.arange(4), np.array([1.0, NAN, 2.0, NAN]))
    assert (as_of.tolist(), values.tolist()) == ([0, 2], [1.0, 2.0])


# -- rule 3: first observation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sides", [[], [1], [-1], [0], [0, 0, 1], [0, 0, -1, 0, -1], [None, None, 1]])
def test_rule_3_the_first_side_is_no_crossing(sides: list[int | None]) -> None:
    assert crossed(sides) == []


def test_rule_3_the_first_side_needs_no_confirmation() -> None:
    assert at(crossed([1, -1, -1], confirm=2)) == [(2, -1)]
    assert at(crossed([0, 1, 0, -1, 0, -1, -1], confirm=2)) == [(6, -1)]


def test_rule_3_a_single_other_value_after_the_first_changes_nothing() -> None:
    assert crossed([1, -1, 1, 1, -1, 1], confirm=2) == []


def test_rule_3_where_a_side_is_assumed_only_a_subject_first_seen_in_the_band_has_it() -> None:
    assert at(crossed([0, 1], assumed=-1)) == [(1, 1)]
    assert crossed([0, -1], assumed=-1) == []
    assert crossed([1], assumed=-1) == []
    assert crossed([1, 0, 1], assumed=-1) == []


def test_rule_3_an_assumed_side_counts_until_another_is_confirmed() -> None:
    assert crossed([0, 1, 0, -1, -1], assumed=-1, confirm=2) == []
    assert at(crossed([0, 1, 0, 1, 1], assumed=-1, confirm=2)) == [(4, 1)]


# -- rule 4: minimum duration ---------------------------------------------------------------------------------------------


def test_rule_4_the_confirming_observation_fires_and_names_the_first() -> None:
    (crossing,) = crossed([-1, 0, 1, 1, 1], confirm=3)
    assert crossing == Crossing(at=4, start=2, before=1, side=1, previous=-1)


def test_rule_4_a_value_back_in_the_band_ends_the_run() -> None:
    assert crossed([-1, 1, 0, 1, 0, 1], confirm=2) == []
    assert at(crossed([-1, 1, 0, 1, 1], confirm=2)) == [(4, 1)]


def test_rule_4_one_null_inside_is_forgiven_and_two_are_not() -> None:
    assert [c.at for c in crossed([-1, 1, None, 1], confirm=2)] == [2]
    assert crossed([-1, 1, None, None, 1], confirm=2) == []


def test_rule_4_the_band_ends_a_run_also_beside_a_null() -> None:
    assert crossed([-1, 1, None, 0, 1], confirm=2) == []


def test_rule_4_leaving_is_confirmed_likewise() -> None:
    assert at(crossed([-1, 1, 1, -1, 1, -1, -1], confirm=2)) == [(2, 1), (6, -1)]


def test_rule_4_a_duration_is_time_between_the_first_and_the_confirming_observation() -> None:
    assert at(crossed([-1, 1, 1, 1], duration=2 * DAY)) == [(3, 1)]
    assert at(crossed([-1, 1, 1, 1], duration=2 * DAY + 1)) == []


def test_rule_4_before_is_the_last_observation_not_on_the_new_side() -> None:
    (crossing,) = crossed([-1, 1, None, None, 1, 1], confirm=2)
    assert (crossing.start, crossing.before) == (2, 0)


# -- rule 5: cooldown -----------------------------------------------------------------------------------------------------


def notices(hours: Sequence[float], cooldown: float, wanted: Sequence[int] | None = None) -> list[tuple[int, int]]:
    as_of = np.asarray([round(hour * 3_600_000) for hour in hours], dtype=np.int64)
    told = cool_down(
        as_of, range(len(hours)), round(cooldown * 3_600_000), lambda k: wanted is None or k in wanted
    )  # fmt: skip
    return [(notice.at, notice.suppressed) for notice in told]


def test_rule_5_less_than_the_cooldown_apart_is_silent_and_exactly_as_much_is_told() -> None:
    assert notices([0, 5.999], 6) == [(0, 0)]
    assert notices([0, 6], 6) == [(0, 0), (1, 0)]


def test_rule_5_what_is_silent_keeps_the_next_silent_too() -> None:
    assert notices([0, 5, 10, 15, 21], 6) == [(0, 0), (4, 3)]


def test_rule_5_the_count_starts_again_with_each_notice() -> None:
    assert notices([0, 5, 11, 12, 13, 20], 6) == [(0, 0), (2, 1), (5, 2)]


def test_rule_5_what_is_not_asked_for_is_not_told_but_cools_down() -> None:
    assert notices([0, 5, 11], 6, wanted=[1, 2]) == [(2, 1)]
    assert notices([0, 6, 12], 6, wanted=[0, 2]) == [(0, 0), (2, 0)]


def test_rule_5_without_a_cooldown_everything_is_told() -> None:
    assert notices([0, 0.001, 0.002], 0) == [(0, 0), (1, 0), (2, 0)]


def test_rule_5_the_change_of_side_happens_although_it_is_silent() -> None:
    as_of = np.asarray([0, DAY, DAY + 1, 3 * DAY], dtype=np.int64)
    found = crossings(as_of, np.array([-1, 1, -1, 1], dtype=np.int8), cadence=DAY, max_gap=3 * DAY)
    assert cool_down(as_of, [c.at for c in found], DAY, lambda _: True) == [Notice(1, 0), Notice(3, 1)]


def test_rule_5_silent_ones_are_counted_for_thirty_days_inclusive() -> None:
    hours = [0, 1, COUNTED / 3_600_000 + 1]
    assert notices(hours, 6) == [(0, 0), (2, 1)]
    assert notices([*hours[:2], hours[2] + 0.001], 6) == [(0, 0), (2, 0)]


# -- rule 6: silence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "expected"), [([0, 3], [1]), ([0, 3 + 1 / DAY], []), ([0, 3 + 1 / DAY, 4], []), ([0, 1, 4], [1])]
)
def test_rule_6_a_crossing_spans_at_most_max_gap(days: list[float], expected: list[int]) -> None:
    assert [c.at for c in crossed([-1, 1, 1][: len(days)], days=days)] == expected


def test_rule_6_the_first_side_after_too_long_a_silence_counts_as_the_first_ever() -> None:
    assert at(crossed([-1, 1, 1, -1], days=[0, 4, 5, 6])) == [(3, -1)]


def test_rule_6_nothing_is_assumed_of_the_first_observation_after_a_silence() -> None:
    assert crossed([0, 0, 1], days=[0, 1, 5], assumed=-1) == []
    assert at(crossed([0, 1, 0, 1], days=[0, 1, 5, 6], assumed=-1)) == [(1, 1), (3, 1)]


@pytest.mark.parametrize(("cadence", "gap"), [(60_000, 48), (3_600_000, 48), (16 * 3_600_000, 48), (DAY, 72), (7 * DAY, 504)])
def test_rule_6_max_gap_is_48_hours_or_three_intervals(cadence: int, gap: int) -> None:
    assert max_gap(cadence) == gap * 3_600_000


def test_a_side_older_than_the_memory_is_forgotten() -> None:
    whole = MEMORY // DAY
    assert at(crossed([-1, *[0] * (whole - 1), 1])) == [(whole, 1)]
    assert crossed([-1, *[0] * whole, 1]) == []


def test_a_run_longer_than_the_memory_still_has_its_side() -> None:
    whole = MEMORY // DAY
    assert at(crossed([1] * (whole + 50) + [-1])) == [(whole + 50, -1)]


# -- everything at once, against the plain reference ------------------------------------------------------------------------

STEPS = st.sampled_from([10] * 10 + [1, 9, 20, 21, 25, 26, 30, 31])
SIDES = st.sampled_from([1, -1, 1, -1, 0, 0])


@examples(1000)
@given(
    rows=st.lists(st.tuples(STEPS, SIDES, st.sampled_from([1, 1, 1, 2, 3, 11, 12, 13])), max_size=15),
    confirm=st.integers(1, 4),
    assumed=st.sampled_from([None, -1, 1]),
    cadence=st.sampled_from([DAY, 30 * DAY]),
)
def test_crossings_are_those_of_the_rules_read_plainly(
    rows: list[tuple[int, int, int]], confirm: int, assumed: int | None, cadence: int
) -> None:
    seen, time = [], 0
    for step, side, stays in rows:
        for again in range(stays):
            time += (10 if again else step) * cadence // 10
            seen.append((time, float(side)))
    turns = [reference.turn_at(seen, p, cadence, confirm, int, unsure=assumed) for p in range(len(seen))]
    wanted = [Crossing(t.at, t.start, t.before, t.side, t.previous) for t in turns if t]
    as_of = np.asarray([time for time, _ in seen], dtype=np.int64)
    sides = np.asarray([side for _, side in seen], dtype=np.int8)
    found = crossings(as_of, sides, cadence=cadence, max_gap=max_gap(cadence), observations=confirm, assumed=assumed)
    assert found == wanted


@given(
    gaps=st.lists(st.integers(0, 40), max_size=30),
    cooldown=st.integers(0, 40),
    wanted=st.sets(st.integers(0, 30)),
)
def test_cooldown_is_that_of_the_rule_read_plainly(gaps: list[int], cooldown: int, wanted: set[int]) -> None:
    times = np.cumsum(np.asarray(gaps, dtype=np.int64)) * DAY
    seen = [(int(time), 0.0) for time in times]
    told = cool_down(times, range(len(gaps)), cooldown * DAY, lambda k: k in wanted)
    expected = reference.told(seen, range(len(gaps)), cooldown * DAY, lambda k: k in wanted)
    assert [(notice.at, notice.suppressed) for notice in told] == expected


# -- rule 9: moves --------------------------------------------------------------------------------------------------------


def moved(values: Sequence[float], window: int, days: Sequence[int] | None = None) -> list[float | None]:
    as_of = np.asarray(days or range(len(values)), dtype=np.int64) * DAY
    change = moves(np.array(values, dtype=np.float64), as_of, window, 3 * DAY)
    return [None if np.isnan(x) else x for x in change.tolist()]


def test_rule_9_a_move_is_against_the_value_window_observations_back() -> None:
    assert moved([1, 2, 4, 8], 1) == [None, 1, 2, 4]
    assert moved([1, 2, 4, 8], 2) == [None, None, 3, 6]


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0]])
def test_rule_9_there_is_no_move_without_a_whole_window(values: list[float]) -> None:
    assert moved(values, 2) == [None] * len(values)


def test_rule_9_no_move_spans_too_long_a_silence() -> None:
    assert moved([1, 2, 4, 8, 16], 2, [0, 1, 5, 6, 7]) == [None, None, None, None, 12]
    assert moved([1, 2, 4], 1, [0, 3, 6]) == [None, 1, 2]


def test_moves_of_enormous_values_do_not_warn() -> None:
    assert moved([1e308, -1e308], 1) == [None, float("-inf")]
