"""Daily and hourly signal flips against the plain reference, and what stands beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers import hourly_signal_flipped, signal_flipped
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, cut, history_of, loaded, others_of
from tests.triggers.reference import HOUR, Observation, told, turn_at

FLIP, HOURLY = signal_flipped.TRIGGER, hourly_signal_flipped.TRIGGER
Day = tuple[float | None, float | None]  # (trend, signal of the day)

DAYS = st.tuples(st.sampled_from([1, -1, 1, -1, 0, None]), st.sampled_from([0, 0, 1, -1, None]))
STEPS = st.sampled_from([1, 1, 1, 1, 1, 2, 3, 4])


def state(trend: float | None, signal: float | None) -> float | None:
    """What a day says: its trend, else its signal, else nothing."""
    if trend:
        return trend
    return signal or trend


def past(days: Sequence[tuple[int, Mapping[str, Any]]], options: Mapping[str, Any]) -> History:
    return history_of(
        SOURCES["trading_signals"], FLIP, [(day * DAY, said) for day, said in days], others=others_of(FLIP, options)
    )


@examples(400)
@given(
    days=st.lists(st.tuples(STEPS, DAYS), max_size=30),
    confirm=st.sampled_from([1, 1, 2, 3]),
    direction=st.sampled_from(["bullish", "bearish", "either"]),
    cooldown=st.sampled_from([0.0, 6.0, 25.0, 100.0]),
)
def test_daily_flips_are_those_of_the_rules_read_plainly(
    days: list[tuple[int, Day]], confirm: int, direction: str, cooldown: float
) -> None:
    options = loaded(FLIP, {"direction": direction, "min_observations": confirm, "cooldown_hours": cooldown})
    day, readings = 0, []
    seen: list[Observation] = []
    for step, (trend, signal) in days:
        day += step
        readings.append((day, {"token_trend": trend, "trading_signal": signal}))
        if (said := state(trend, signal)) is not None:
            seen.append((day * DAY, float(said)))
    turns = {at: turn for at in range(len(seen)) if (turn := turn_at(seen, at, DAY, confirm, int))}
    wanted = {"bullish": [1], "bearish": [-1], "either": [1, -1]}[direction]
    expected = [
        (seen[at][0], {1: "bullish", -1: "bearish"}[turns[at].side], suppressed)
        for at, suppressed in told(seen, list(turns), round(cooldown * HOUR), lambda at: turns[at].side in wanted)
    ]
    firings = FLIP.scan(past(readings, options), options)
    assert [(f.as_of, f.fields["trend"], f.fields["suppressed_count"]) for f in firings] == expected


def test_a_flip_that_is_not_told_for_its_grade_still_begins_a_quiet_time() -> None:
    """Rule 5: what is not asked for cools down too."""
    grades = {"trader_grades.tm_trader_grade": 50}
    days = [(0, {"token_trend": -1}), (1, {"token_trend": 1, **grades}), (2, {"token_trend": -1}), (4, {"token_trend": 1})]
    asked = {"min_trader_grade": 60, "cooldown_hours": 30}
    options = loaded(FLIP, asked)
    assert FLIP.scan(past(days, options), options) == []
    days[3] = (4, {"token_trend": 1, "trader_grades.tm_trader_grade": 60})
    assert [(f.as_of // DAY, f.fields["suppressed_count"]) for f in FLIP.scan(past(days, options), options)] == [(4, 1)]


def test_trader_grades_are_read_only_where_they_are_asked_for() -> None:
    assert FLIP.sources(loaded(FLIP, {})) == ("trading_signals",)
    assert FLIP.sources(loaded(FLIP, {"min_trader_grade": 1})) == ("trading_signals", "trader_grades")
    assert HOURLY.sources(loaded(HOURLY, {})) == ("hourly_signals",)
    assert HOURLY.sources(loaded(HOURLY, {"agree_with_daily": True})) == ("hourly_signals", "trading_signals")


def test_a_grade_for_bearish_flips_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValidationError, match="leave it at 0, or choose either") as caught:
        loaded(FLIP, {"direction": "bearish", "min_trader_grade": 50})
    assert list(caught.value.messages_dict) == ["min_trader_grade"]


def states(asked: Mapping[str, Any], *days: Mapping[str, Any]) -> list[int]:
    options = loaded(FLIP, asked)
    history = past(list(enumerate(days)), options)
    found: list[int] = signal_flipped.holds(history, options).tolist()
    for stop in range(len(days)):
        assert signal_flipped.holds(cut(history, 0, stop), options).tolist() == found[:stop]
    return found


def test_a_trend_holds_while_it_lasts() -> None:
    days = [{"token_trend": trend} for trend in (0, 1, None, 1, -1)]
    assert states({}, *days) == [-1, 1, -1, 1, 0]
    assert states({"direction": "bearish"}, *days) == [-1, 0, -1, 0, 1]


def test_a_bullish_trend_with_a_grade_holds_while_both_do() -> None:
    grades = (70, 59, None, 60, 90)
    days = [
        {"token_trend": trend, "trader_grades.tm_trader_grade": grade}
        for trend, grade in zip((1, 1, 1, 1, -1), grades, strict=True)
    ]
    assert states({"min_trader_grade": 60}, *days) == [1, 0, -1, 1, 0]


def hours(asked: Mapping[str, Any], *said: tuple[float | None, float | None]) -> tuple[list[int], list[int]]:
    """(hours that fire, states) of one (signal, daily trend) an hour, off the hour as upstream's are."""
    options = loaded(HOURLY, asked)
    readings = [
        (hour * HOUR + 26 * 60_000, {"signal": signal, "trading_signals.token_trend": trend, "trading_signals.as_of": 0})
        for hour, (signal, trend) in enumerate(said)
    ]
    if not options["agree_with_daily"]:
        readings = [(time, {"signal": each["signal"]}) for time, each in readings]
    history = history_of(SOURCES["hourly_signals"], HOURLY, readings, others=others_of(HOURLY, options))
    held: list[int] = hourly_signal_flipped.holds(history, options).tolist()
    return [firing.as_of // HOUR for firing in HOURLY.scan(history, options)], held


def test_hours_need_two_in_a_row_and_forgive_a_missing_one() -> None:
    fired, held = hours({}, *[(signal, None) for signal in (-1, 1, -1, 1, None, 1, 1)])
    assert fired == [5]
    assert held == [0, 0, 0, 0, -1, 1, 1]


def test_the_daily_trend_counts_as_it_is_when_the_flip_is_told() -> None:
    agree = {"agree_with_daily": True, "min_observations": 1, "cooldown_hours": 0}
    fired, held = hours(agree, (-1, 1), (1, -1), (-1, -1), (1, 1), (1, None), (1, -1))
    assert fired == [2, 3]
    assert held == [0, 0, 0, 1, -1, 0]
