"""Grade moves and classes against the plain reference, and examples of each rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.grade_changed import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded, plain
from tests.triggers.reference import HOUR, Observation, Turn, decimal, observations, side_above, side_below, told, turn_at

Readings = Sequence[tuple[int, float | None]]
CLASSES = {(False, True): "bearish", (False, False): "neutral", (True, False): "bullish"}


def history(readings: Readings, cadence: int = DAY) -> History:
    grades = [(time, {"tm_trader_grade": value}) for time, value in readings]
    return history_of(SOURCES["trader_grades"], TRIGGER, grades, cadence)


def fired(asked: Mapping[str, Any], *values: float | None) -> dict[int, dict[str, Any]]:
    """Firings by day, of one grade a day."""
    options = loaded(TRIGGER, asked)
    firings = TRIGGER.scan(history([(day * DAY, value) for day, value in enumerate(values)]), options)
    return {firing.as_of // DAY: dict(firing.fields) for firing in firings}


def far(seen: Sequence[Observation], at: int, cadence: int, options: Mapping[str, Any]) -> int:
    """1 or -1 where the grade moved by at least so many points over the window, else 0."""
    window = options["window"]
    if at < window:
        return 0
    if any(seen[p + 1][0] - seen[p][0] > max(48 * HOUR, 3 * cadence) for p in range(at - window, at)):
        return 0
    change = decimal(seen[at][1]) - decimal(seen[at - window][1])
    if abs(change) < decimal(options["points"]):
        return 0
    return 1 if change > 0 else -1


def moved(seen: Sequence[Observation], at: int, cadence: int, options: Mapping[str, Any]) -> bool:
    """A move, and none in its direction in the window before: a longer one is told when it begins."""
    direction = far(seen, at, cadence, options)
    earlier = range(max(0, at - options["window"] + 1), at)
    return direction != 0 and all(far(seen, p, cadence, options) != direction for p in earlier)


def expected(readings: Readings, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    seen = observations(readings)
    everywhere, confirm, band = range(len(seen)), options["min_observations"], options["hysteresis"]
    high = [turn_at(seen, at, cadence, confirm, side_above(options["bullish_at"], band)) for at in everywhere]
    low = [turn_at(seen, at, cadence, confirm, side_below(options["bearish_at"], band)) for at in everywhere]
    moves = [at for at in everywhere if not options["class_change_only"] and moved(seen, at, cadence, options)]
    happenings = [at for at in everywhere if high[at] or low[at] or at in moves]
    notices = told(seen, happenings, round(options["cooldown_hours"] * HOUR), lambda _: True)
    return [
        (seen[at][0], {**said(seen, at, high[at], low[at], at in moves, options), "suppressed_count": suppressed})
        for at, suppressed in notices
    ]


def said(
    seen: Sequence[Observation], at: int, high: Turn | None, low: Turn | None, move: bool, options: Mapping[str, Any]
) -> dict[str, Any]:
    new = seen[at][1]
    back = seen[at - options["window"]][1] if move else new
    old_class = new_class = None
    steps = 0
    if high or low:
        old_class = CLASSES[bool(high and high.previous > 0), bool(low and low.previous < 0)]
        new_class = CLASSES[bool(high and high.side > 0), bool(low and low.side < 0)]
        order = ["bearish", "neutral", "bullish"]
        steps = order.index(new_class) - order.index(old_class)
        assert steps
        move = move and (new - back) * steps > 0
        if not move:
            back = seen[min(turn.before for turn in (high, low) if turn)][1]
    return {
        "grade": "trader",
        "reason": {(True, False): "move", (False, True): "class_change", (True, True): "both"}[move, steps != 0],
        "new_grade": new,
        "old_grade": back,
        "change": round(new - back, 6),
        "direction": "up" if new > back else "down",
        "new_class": new_class,
        "old_class": old_class,
        "steps": steps,
    }


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[tuple[int, float | None]], int, dict[str, Any]]:
    """Grades that live around both levels; with ten days between readings they outlast any memory."""
    bullish, bearish, band = draw(st.sampled_from([(80.0, 30.0, 2.0), (50.3, 40.1, 0.1), (55.0, 45.0, 5.0), (60.0, 59.9, 0.0)]))
    asked = {
        "bullish_at": bullish,
        "bearish_at": bearish,
        "hysteresis": band,
        "points": draw(st.sampled_from([0.1, 5.0, 10.0, 10.1, 50.0, 100.0])),
        "window": draw(st.sampled_from([1, 1, 2, 3, 5])),
        "class_change_only": draw(st.sampled_from([False, False, True])),
        "min_observations": draw(st.sampled_from([1, 1, 1, 2, 3])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 24.0, 25.0, 100.0, 720.0])),
    }
    cadence = draw(st.sampled_from([DAY, DAY, HOUR, 10 * DAY]))
    edges = [bullish, bullish - band, bearish, bearish + band]
    near = [round(edge + step, 1) for edge in edges for step in (-10.1, -10, -5, -0.1, 0, 0, 0.1, 5, 10, 10.1)]
    pool = [*(grade for grade in near if 0 <= grade <= 100), 0.0, 10.0, 50.0, 100.0, None, float("nan")]
    value = st.sampled_from(draw(st.lists(st.sampled_from(pool), min_size=2, max_size=6)))
    quiet = st.sampled_from([(1, 10)] * 8 + [(1, 1), (1, 20), (1, 21), (1, 25), (1, 26), (1, 30), (1, 31), (35, 10), (36, 10)])
    readings, time = [], 25 * 60_000
    for (stays, tenths), reading in draw(st.lists(st.tuples(quiet, value), max_size=30)):
        for again in range(stays if cadence > DAY else 1):
            time += (10 if again else tenths) * cadence // 10
            readings.append((time, reading))
    return readings, cadence, loaded(TRIGGER, asked)


@examples(800)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: tuple[Any, int, dict[str, Any]]) -> None:
    readings, cadence, options = question
    assert plain(TRIGGER.scan(history(readings, cadence), options)) == expected(readings, cadence, options)


@examples(200)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: tuple[Any, int, dict[str, Any]]) -> None:
    readings, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(readings, cadence), options)


@examples(300)
@given(question=questions())
def test_a_change_of_class_points_the_way_its_grades_moved(question: tuple[Any, int, dict[str, Any]]) -> None:
    readings, cadence, options = question
    for firing in TRIGGER.scan(history(readings, cadence), options):
        fields = firing.fields
        assert (fields["change"] > 0) == (fields["direction"] == "up") == (fields["new_grade"] > fields["old_grade"])
        if fields["new_class"]:
            assert (fields["steps"] > 0) == (fields["direction"] == "up")
        else:
            assert (fields["reason"], fields["steps"], fields["old_class"]) == ("move", 0, None)


@pytest.mark.parametrize("low", [23.3, 50.1, 70.7, 0.1, 89.9])
def test_rule_9_a_move_of_exactly_n_points_counts_in_decimals(low: float) -> None:
    high = round(low + 10, 1)
    asked = {"bullish_at": 100, "bearish_at": 0, "hysteresis": 0}
    assert fired(asked, low, high)[1]["change"] == 10
    assert fired(asked, high, low)[1]["change"] == -10
    assert fired(asked, low, round(high - 0.1, 1)) == {}


def test_rule_9_a_move_is_measured_over_the_window_never_against_the_last_event() -> None:
    assert list(fired({}, 40, 50, 55, 59, 63)) == [1]
    assert list(fired({}, 40, 50, 60)) == [1, 2]


def test_rule_9_the_window_counts_readings_and_skips_nulls() -> None:
    assert fired({"window": 2}, 40, None, 45, None, 51)[4]["old_grade"] == 40
    assert fired({}, 40, None, 51)[2]["change"] == 11


def test_rule_9_there_and_back_inside_the_cooldown_is_one_event() -> None:
    assert list(fired({"cooldown_hours": 30}, 50, 85, 50, 50, 50)) == [1]
    assert list(fired({"cooldown_hours": 30, "class_change_only": True}, 50, 85, 50)) == [1]


def test_a_long_slow_climb_is_told_when_it_begins() -> None:
    assert list(fired({"window": 3}, *range(32, 78, 4))) == [3]


def test_a_fall_after_a_climb_is_told_although_the_climb_was() -> None:
    assert list(fired({"window": 3}, 40, 40, 40, 55, 55, 40, 40)) == [3, 6]


def test_a_turn_against_the_move_over_the_window_is_told_as_the_turn() -> None:
    fields = fired({"window": 3, "points": 12}, 70, 70, 95, 75, 77, 81)[5]
    assert (fields["reason"], fields["new_class"], fields["direction"]) == ("class_change", "bullish", "up")
    assert (fields["old_grade"], fields["new_grade"]) == (77, 81)


def test_two_classes_at_once_are_two_steps_down_and_up() -> None:
    assert fired({}, 85, 20)[1] | {"grade": ""} == {
        "grade": "", "reason": "both", "new_grade": 20, "old_grade": 85, "change": -65, "direction": "down",
        "new_class": "bearish", "old_class": "bullish", "steps": -2, "suppressed_count": 0,
    }  # fmt: skip


def test_rule_2_the_classes_have_bands_of_their_own() -> None:
    assert list(fired({"points": 50}, 80, 78.1, 80, 78)) == [3]
    assert list(fired({"points": 50}, 30, 31.9, 30, 32)) == [3]


def test_rule_3_the_first_grade_has_a_class_that_nobody_is_told() -> None:
    assert fired({"points": 50}, 85, 86) == {}
    assert fired({"points": 50}, 79, 85) == {}


def test_rule_4_a_class_waits_for_confirmation_and_a_move_does_not() -> None:
    events = fired({"min_observations": 2}, 70, 85, 85)
    assert {day: fields["reason"] for day, fields in events.items()} == {1: "move", 2: "class_change"}
    assert events[2]["old_grade"] == 70


def test_rule_6_a_move_across_too_long_a_silence_is_none() -> None:
    assert list(fired({}, 40, None, None, 55)) == [3]
    assert fired({}, 40, None, None, None, 55) == {}


@pytest.mark.parametrize("band", [0.0, 1e-300, 2.0])
def test_no_grade_can_be_bullish_and_bearish(band: float) -> None:
    with pytest.raises(ValidationError, match="twice the band"):
        loaded(TRIGGER, {"bullish_at": 50, "bearish_at": 50, "hysteresis": band})
    with pytest.raises(ValidationError, match="twice the band"):
        loaded(TRIGGER, {"bullish_at": 50, "bearish_at": 60, "hysteresis": band})


@pytest.mark.parametrize(("grade", "source"), [("trader", "trader_grades"), ("investor", "investor_grades"), ("tm", "tm_grade")])
def test_each_grade_comes_from_its_own_source(grade: str, source: str) -> None:
    assert TRIGGER.sources(loaded(TRIGGER, {"grade": grade})) == (source,)


def test_a_move_reaches_back_two_windows_of_readings_however_far_apart() -> None:
    options = loaded(TRIGGER, {"window": 15})
    past = history([(month * 30 * DAY, grade) for month, grade in enumerate([40, *[50] * 28, 60])], 10 * DAY)
    assert [firing.as_of // (30 * DAY) for firing in TRIGGER.scan(past, options)] == [15]
    assert_nothing_older_than_the_lookback_matters(TRIGGER, past, options)
    assert TRIGGER.lookback(options).total(past.max_gap) >= 29 * 30 * DAY
