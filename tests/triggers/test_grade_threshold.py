"""Crossings of a grade's level, also those that must hold for days, against the plain reference; presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain import ids
from integration.domain.history import History
from integration.domain.payload import iso
from integration.triggers.grade_threshold import TRIGGER, holds
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, cut, history_of, loaded
from tests.triggers.reference import HOUR, observations, side_above, side_below, told, turn_at

Readings = Sequence[tuple[int, float | None]]


def history(readings: Readings, cadence: int = DAY) -> History:
    grades = [(time, {"tm_trader_grade": value}) for time, value in readings]
    return history_of(SOURCES["trader_grades"], TRIGGER, grades, cadence)


def daily(*values: float | None) -> History:
    return history([(day * DAY, value) for day, value in enumerate(values)])


def fired(asked: Mapping[str, Any], *values: float | None) -> list[int]:
    return [firing.as_of // DAY for firing in TRIGGER.scan(daily(*values), loaded(TRIGGER, asked))]


def states(asked: Mapping[str, Any], *values: float | None) -> list[int]:
    found: list[int] = holds(daily(*values), loaded(TRIGGER, asked)).tolist()
    return found


def expected(readings: Readings, cadence: int, options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    seen = observations(readings)
    side_of = (side_below if options["direction"] == "down" else side_above)(options["level"], options["hysteresis"])
    confirm, lasting = options["min_observations"], round(options["held_days"] * DAY)
    turns = {at: turn_at(seen, at, cadence, confirm, side_of, lasting=lasting) for at in range(len(seen))}
    crossings = {at: turn for at, turn in turns.items() if turn}
    wanted = {"up": [1], "down": [-1], "either": [1, -1]}[options["direction"]]
    cooldown = round(options["cooldown_hours"] * HOUR)
    return [
        (
            seen[at][0],
            "up" if crossings[at].side > 0 else "down",
            seen[at][1],
            seen[crossings[at].before][1],
            iso(seen[crossings[at].start][0]),
            suppressed,
        )
        for at, suppressed in told(seen, list(crossings), cooldown, lambda at: crossings[at].side in wanted)
    ]


def found(past: History, options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    names = ("direction", "new_grade", "old_grade", "crossed_at", "suppressed_count")
    return [(firing.as_of, *(firing.fields[name] for name in names)) for firing in TRIGGER.scan(past, options)]


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[tuple[int, float | None]], int, dict[str, Any]]:
    """Grades around a level, and a rule that asks them to hold."""
    level, band = draw(st.sampled_from([(80.0, 2.0), (30.3, 0.1), (50.0, 0.0), (60.0, 10.0)]))
    asked = {
        "preset": "own",
        "level": level,
        "hysteresis": band,
        "direction": draw(st.sampled_from(["up", "down", "either"])),
        "held_days": draw(st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 30.0, 90.0])),
        "min_observations": draw(st.sampled_from([1, 1, 2, 3])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 25.0, 100.0, 720.0])),
    }
    cadence = draw(st.sampled_from([DAY, DAY, HOUR, 10 * DAY]))
    clear = [level + 11, level - 11, level + band, level - band]
    value = st.sampled_from(clear * 3 + [level, level - band / 2, level + band / 2, None, float("nan")])
    quiet = st.sampled_from([(1, 10)] * 6 + [(2, 10), (3, 10), (1, 5), (1, 20), (1, 25), (1, 26), (1, 31), (35, 10), (36, 10)])
    readings, time = [], 25 * 60_000
    for (stays, tenths), reading in draw(st.lists(st.tuples(quiet, value), max_size=30)):
        for again in range(stays):
            time += (10 if again else tenths) * cadence // 10
            readings.append((time, reading))
    return readings, cadence, loaded(TRIGGER, asked)


@examples(500)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: tuple[Any, int, dict[str, Any]]) -> None:
    readings, cadence, options = question
    assert found(history(readings, cadence), options) == expected(readings, cadence, options)


@examples(200)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: tuple[Any, int, dict[str, Any]]) -> None:
    readings, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(readings, cadence), options)


@examples(200)
@given(question=questions())
def test_a_crossing_that_is_told_holds_when_it_is_told(question: tuple[Any, int, dict[str, Any]]) -> None:
    readings, cadence, options = question
    past = history(readings, cadence)
    held = dict(zip(past.as_of.tolist(), holds(past, options).tolist(), strict=True))
    wanted = {"up": "up", "down": "down", "either": "up"}[options["direction"]]
    assert all(held[firing.as_of] == (firing.fields["direction"] == wanted) for firing in TRIGGER.scan(past, options))
    for stop in range(len(past.as_of)):
        assert holds(cut(past, 0, stop), options).tolist() == holds(past, options).tolist()[:stop]


def test_the_three_presets() -> None:
    for preset, level, direction in (("bullish", 80, "up"), ("bearish", 30, "down"), ("moonshot", 85, "up")):
        options = loaded(TRIGGER, {"preset": preset})
        assert (options["level"], options["direction"]) == (level, direction)


def test_a_preset_and_its_figures_given_by_hand_are_one_rule() -> None:
    by_name = loaded(TRIGGER, {"preset": "bearish"})
    by_hand = loaded(TRIGGER, {"preset": "own", "level": "30", "direction": "down", "hysteresis": 2.0})
    assert ids.canonical(by_name) == ids.canonical(by_hand)


def test_what_is_given_overrules_the_preset() -> None:
    options = loaded(TRIGGER, {"preset": "moonshot", "direction": "either"})
    assert (options["level"], options["direction"]) == (85, "either")
    assert loaded(TRIGGER, {"preset": "own", "level": 55})["direction"] == "either"


def test_an_own_level_must_be_given() -> None:
    with pytest.raises(ValidationError, match="Give a level, or choose a preset: bullish, bearish, moonshot"):
        loaded(TRIGGER, {"preset": "own"})


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ({"level": 1}, "1 at most"),
        ({"level": 99, "direction": "down"}, "1 at most"),
        ({"level": 40, "hysteresis": 41}, "40 at most"),
    ],
)
def test_a_side_that_could_never_be_left_is_refused_with_the_remedy(asked: dict[str, Any], most: str) -> None:
    with pytest.raises(ValidationError, match=most) as caught:
        loaded(TRIGGER, asked)
    assert list(caught.value.messages_dict) == ["hysteresis"]


@pytest.mark.parametrize(
    ("asked", "remedy"),
    [
        ({"level": 0, "hysteresis": 0}, "never be crossed at 0: choose more than 0, up to 100."),
        ({"level": 0, "direction": "either"}, "never be crossed at 0: choose more than 0, up to 100."),
        ({"level": 100, "direction": "down", "hysteresis": 0}, "never be crossed at 100: choose from 0, less than 100."),
    ],
)
def test_a_level_that_no_grade_can_cross_is_refused_with_the_remedy(asked: dict[str, Any], remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy) as caught:
        loaded(TRIGGER, asked)
    assert list(caught.value.messages_dict) == ["level"]


def test_levels_at_the_end_that_grades_reach_are_taken() -> None:
    assert fired({"level": 100}, 90, 100) == [1]
    assert fired({"level": 0, "direction": "down"}, 90, 0) == [1]


def test_held_for_counts_days_and_not_readings() -> None:
    assert fired({"held_days": 3}, 70, 85, None, 85, 85) == [4]
    assert fired({"held_days": 2.5}, 70, 85, 85, 85, 85) == [4]


def test_a_side_that_need_not_be_told_again_is_told_once_however_long_it_holds() -> None:
    assert fired({"held_days": 7}, 70, *[90] * 60) == [8]


def test_it_must_hold_on_the_way_back_too() -> None:
    """A dip of one day does not end what held: the return from it is no news."""
    assert fired({"held_days": 3}, 70, *[85] * 5, 70, *[85] * 6) == [4]
    assert fired({"held_days": 3}, 70, *[85] * 5, *[70] * 5, *[85] * 6) == [4, 14]


def test_it_holds_from_the_reading_that_confirms_it_until_one_confirms_the_other() -> None:
    assert states({}, 70, None, 80, 79, 78, None) == [0, -1, 1, 1, 0, -1]
    assert states({"held_days": 2}, 70, 85, 85, 85, 85) == [0, 0, 0, 1, 1]
    assert states({"preset": "bearish"}, 40, 30, 31, 32) == [0, 1, 1, 0]


def test_it_is_not_known_before_the_first_side_and_after_too_long_a_silence() -> None:
    assert states({}, 79, 79, 81) == [-1, -1, 1]
    assert states({}, 81, None, None, None, 79) == [1, -1, -1, -1, -1]
