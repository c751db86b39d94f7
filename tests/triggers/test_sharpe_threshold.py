"""Crossings of a Sharpe ratio against the plain reference, and examples of each rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.history import History
from integration.domain.payload import iso
from integration.triggers.sharpe_threshold import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded
from tests.triggers.reference import HOUR, observations, side_above, side_below, told, turn_at

Readings = Sequence[tuple[int, float | None]]


def history(readings: Readings, cadence: int = DAY) -> History:
    return history_of(SOURCES["risk_90d"], TRIGGER, readings, cadence)


def fired(asked: Mapping[str, Any], *values: float | None) -> dict[int, dict[str, Any]]:
    """Firings by day, of one value a day."""
    options = loaded(TRIGGER, asked)
    firings = TRIGGER.scan(history([(day * DAY, value) for day, value in enumerate(values)]), options)
    return {firing.as_of // DAY: dict(firing.fields) for firing in firings}


def expected(readings: Readings, cadence: int, options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    seen = observations(readings)
    side_of = (side_below if options["direction"] == "down" else side_above)(options["level"], options["hysteresis"])
    turns = {at: turn_at(seen, at, cadence, options["min_observations"], side_of) for at in range(len(seen))}
    crossings = {at: turn for at, turn in turns.items() if turn}
    wanted = {"up": [1], "down": [-1], "either": [1, -1]}[options["direction"]]
    cooldown = round(options["cooldown_hours"] * HOUR)
    return [
        (seen[at][0], crossings[at].side, seen[at][1], seen[crossings[at].before][1], seen[crossings[at].start][0], suppressed)
        for at, suppressed in told(seen, list(crossings), cooldown, lambda at: crossings[at].side in wanted)
    ]


def found(readings: Readings, cadence: int, options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    times = {iso(time): time for time, _ in readings}
    return [
        (
            firing.as_of,
            1 if firing.fields["direction"] == "up" else -1,
            firing.fields["sharpe"],
            firing.fields["previous_sharpe"],
            times[firing.fields["crossed_at"]],
            firing.fields["suppressed_count"],
        )
        for firing in TRIGGER.scan(history(readings, cadence), options)
    ]


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[tuple[int, float | None]], int, dict[str, Any]]:
    """Readings that live around a level, and a rule for it. Weeks and months between readings reach any memory."""
    level = draw(st.sampled_from([0.0, 1.0, -1.5, 0.3, 20.0]))
    band = draw(st.sampled_from([0.0, 0.1, 0.05, 1e-300, 1e-9, 20.0]))
    asked = {
        "level": level,
        "hysteresis": band,
        "direction": draw(st.sampled_from(["up", "down", "either"])),
        "min_observations": draw(st.sampled_from([1, 1, 1, 2, 3])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 24.0, 25.0, 100.0, 720.0])),
    }
    cadence = draw(st.sampled_from([DAY, DAY, HOUR, 10 * DAY, 60 * DAY]))
    clear = [level + 1, level - band - 1, level + band + 1, level - 1]
    edge = [level, level - band, level + band, level - band / 2, level + band / 2, round(level - band, 9), round(level + band, 9)]
    odd = [None, float("nan"), float("inf"), 1e308, -1e308, -0.0, 5e-324]
    value = st.sampled_from(clear * 3 + edge * 2 + odd)
    quiet = st.sampled_from(
        [(1, 10)] * 6 + [(1, 1), (1, 9), (1, 20), (1, 21), (1, 25), (1, 26), (1, 30), (1, 31), (35, 10), (36, 10)]
    )
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
    assert found(readings, cadence, options) == expected(readings, cadence, options)


@examples(300)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: tuple[Any, int, dict[str, Any]]) -> None:
    readings, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(readings, cadence), options)


@examples(300)
@given(question=questions())
def test_down_is_up_seen_in_a_mirror(question: tuple[Any, int, dict[str, Any]]) -> None:
    readings, cadence, options = question
    mirror = {"up": "down", "down": "up", "either": "either"}[options["direction"]]
    if mirror == "either":
        return
    turned = [(time, None if value is None else -value) for time, value in readings]
    asked = {**options, "direction": mirror, "level": -options["level"]}
    theirs = [(time, -side, -x, -old, start, n) for time, side, x, old, start, n in found(turned, cadence, asked)]
    assert theirs == found(readings, cadence, options)


@pytest.mark.parametrize(
    ("level", "hysteresis", "leaving"), [(0.3, 0.1, 0.2), (1.1, 0.05, 1.05), (2.3, 0.3, 2.0), (-0.1, 0.2, -0.3)]
)
def test_rule_2_equality_at_the_far_edge_of_the_band_leaves_in_decimals(level: float, hysteresis: float, leaving: float) -> None:
    asked = {"level": level, "hysteresis": hysteresis}
    assert list(fired(asked, level, leaving)) == [1]
    mirrored = {"level": -level, "hysteresis": hysteresis, "direction": "down"}
    assert list(fired(mirrored, -leaving, -level)) == [1]


def test_rule_2_with_no_band_equality_is_above_going_up_and_below_going_down() -> None:
    assert list(fired({"hysteresis": 0}, 0.9, 1.0, 0.999, 1.0)) == [1, 2, 3]
    assert list(fired({"hysteresis": 0, "direction": "down"}, 1.1, 1.0, 1.001, 1.0)) == [1, 3]


def test_rule_2_the_default_band_is_two_percent_of_a_large_level() -> None:
    assert loaded(TRIGGER, {"level": 1})["hysteresis"] == 0.05
    assert loaded(TRIGGER, {"level": -10})["hysteresis"] == 0.2
    assert loaded(TRIGGER, {"level": 0})["hysteresis"] == 0.05


def test_rule_2_zero_and_negative_zero_are_one_level() -> None:
    assert list(fired({"level": 0}, -1, -0.0, -1, 0.0)) == [1, 2, 3]
    assert fired({"level": -0.0}, -1, 1) == fired({"level": 0.0}, -1, 1)


def test_rule_3_a_value_in_the_band_first_gives_no_side_and_no_firing() -> None:
    assert fired({}, 0.97, 1.2, 1.3) == {}
    assert list(fired({}, 0.97, 1.2, 0.5)) == [2]


def test_rule_3_the_first_side_needs_no_confirmation_but_leaving_it_does() -> None:
    assert list(fired({"min_observations": 2}, 0.5, 1.2, 1.2)) == [2]
    assert fired({"min_observations": 2}, 0.5, 1.2, 0.5, 1.2, 0.5) == {}


def test_rule_4_the_event_names_the_first_reading_on_the_new_side_and_the_last_on_the_old() -> None:
    fields = fired({"min_observations": 2}, 0.9, 1.1, None, None, 1.2, 1.3)[5]
    assert fields["crossed_at"] == "1970-01-05T00:00:00Z"
    assert (fields["previous_sharpe"], fields["sharpe"]) == (0.9, 1.3)


def test_rule_5_both_directions_cool_down_together_and_are_counted() -> None:
    told_fields = fired({"cooldown_hours": 30}, 0.5, 1.5, 0.5, 1.5, 1.5, 0.5)
    assert {day: fields["suppressed_count"] for day, fields in told_fields.items()} == {1: 0, 5: 2}


def test_rule_5_what_is_not_asked_for_still_cools_down() -> None:
    assert list(fired({"cooldown_hours": 30, "direction": "up"}, 1.5, 0.5, 1.5)) == []


def test_rule_5_a_rule_that_flaps_without_quiet_is_told_once() -> None:
    assert list(fired({"cooldown_hours": 30}, *[0.5, 1.5] * 20)) == [1]


def test_an_hourly_source_off_the_hour_is_confirmed_like_any_other() -> None:
    options = loaded(TRIGGER, {"min_observations": 2})
    readings = [(hour * HOUR + 25 * 60_000, value) for hour, value in enumerate([0.5, 1.5, 1.5, 1.5])]
    assert [f.as_of for f in TRIGGER.scan(history(readings, HOUR), options)] == [2 * HOUR + 25 * 60_000]


def test_a_side_is_remembered_through_a_year_in_the_band_and_no_longer() -> None:
    for quiet, days in ((359, [360]), (360, [])):
        assert list(fired({}, 0.5, *[0.97] * quiet, 1.5)) == days


def test_silent_crossings_are_counted_for_thirty_days() -> None:
    asked = {"cooldown_hours": 30}
    for quiet, counted in ((29, 1), (30, 0)):
        told_fields = fired(asked, 0.5, 1.5, 0.5, *[0.5] * quiet, 1.5)
        assert told_fields[3 + quiet]["suppressed_count"] == counted


def test_a_firing_reaches_back_through_its_count_its_cooldown_and_the_memory_of_a_side() -> None:
    """Crossed after a year in the band, back while that cools down, and up again thirty days later: the count needs it all."""
    options = loaded(TRIGGER, {"cooldown_hours": 720})
    values = [0.5, *[0.97] * 359, *[1.5] * 29, *[0.5] * 30, 1.5]
    past = history([(day * DAY, value) for day, value in enumerate(values)])
    first, last = TRIGGER.scan(past, options)
    assert (first.as_of // DAY, last.as_of // DAY, last.fields["suppressed_count"]) == (360, 419, 1)
    assert_nothing_older_than_the_lookback_matters(TRIGGER, past, options)
    assert 419 * DAY <= TRIGGER.lookback(options).total(past.max_gap) < 430 * DAY
