"""Spikes and droughts of volume against the plain reference, and the conditions beside them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.volume_changed import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, assert_nothing_older_than_the_lookback_matters, history_of, loaded, others_of, source_of
from tests.triggers.reference import HOUR, observations, told, turn_at

Reading = tuple[int, float | None, float | None, float | None]
Question = tuple[Sequence[Reading], dict[str, Any]]


def history(readings: Sequence[Reading], options: dict[str, Any]) -> History:
    """(time, ratio, close, volume)."""
    values = [
        (time, {"volume_ratio": ratio, "daily_ohlcv.close": close, "daily_ohlcv.volume": volume})
        for time, ratio, close, volume in readings
    ]
    return history_of(source_of(TRIGGER, options), TRIGGER, values, others=others_of(TRIGGER, options))


def fits(readings: Sequence[Reading], time: int, options: dict[str, Any]) -> bool:
    closes = {at: close for at, _, close, _ in readings if close is not None}
    volume = next(volume for at, _, _, volume in readings if at == time)
    if options["min_volume"] and (volume is None or volume < options["min_volume"]):
        return False
    if not options["flat_only"]:
        return True
    back = time - options["flat_days"] * DAY
    times = sorted(closes)
    if time not in closes or back not in closes:
        return False
    if any(b - a > 3 * DAY for a, b in pairwise(times) if back <= a < time):
        return False
    return abs(closes[time] / closes[back] - 1) <= options["flat_percent"] / 100 + 1e-9


def expected(readings: Sequence[Reading], options: dict[str, Any]) -> list[tuple[Any, ...]]:
    seen = observations([(time, ratio) for time, ratio, _, _ in readings])
    times, band = options["times"], options["hysteresis"] / 100

    def state(ratio: float) -> int:
        if ratio >= times:
            return 3
        if ratio <= 1 / times:
            return 1
        return 2 if (1 + band) / times <= ratio <= (1 - band) * times else 0

    turns = [turn_at(seen, at, DAY, options["min_observations"], state) for at in range(len(seen))]
    changes = {turn.at: turn for turn in turns if turn}
    wanted = {"up": [3], "down": [1], "either": [1, 3]}[options["direction"]]
    notices = told(
        seen, list(changes), round(options["cooldown_hours"] * HOUR),
        lambda at: changes[at].side in wanted and fits(readings, seen[at][0], options),
    )  # fmt: skip
    names = {1: "dry_up", 3: "spike"}
    return [(seen[at][0], names[changes[at].side], seen[at][1], seen[changes[at].before][1], n) for at, n in notices]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    asked = {
        "times": draw(st.sampled_from([2.0, 4.0])),
        "hysteresis": draw(st.sampled_from([0.0, 25.0])),
        "direction": draw(st.sampled_from(["up", "down", "either"])),
        "flat_only": draw(st.booleans()),
        "flat_days": draw(st.sampled_from([1, 2, 5])),
        "min_volume": draw(st.sampled_from([0.0, 1000.0])),
        "min_observations": draw(st.sampled_from([1, 1, 2])),
        "cooldown_hours": draw(st.sampled_from([6.0, 30.0, 100.0])),
    }
    reading = st.tuples(
        st.sampled_from([1, 1, 1, 1, 1, 2, 3, 4]),
        st.sampled_from([1.0, 1.0, 2.0, 4.0, 0.5, 0.25, 1.5, 1.6, 0.6, 0.625, 3.0, 0.3, 5.0, 0.1, None]),
        st.sampled_from([100.0, 101.0, 104.0, 105.0, 106.0, 95.0, None]),
        st.sampled_from([5000.0, 1000.0, 999.0, None]),
    )
    time, readings = 0, []
    for days, ratio, close, volume in draw(st.lists(reading, max_size=25)):
        time += days * DAY
        readings.append((time, ratio, close, volume))
    return readings, loaded(TRIGGER, asked)


@examples(600)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: Question) -> None:
    readings, options = question
    assert [
        (f.as_of, f.fields["change"], f.fields["volume_ratio"], f.fields["previous_volume_ratio"], f.fields["suppressed_count"])
        for f in TRIGGER.scan(history(readings, options), options)
    ] == expected(readings, options)


@examples(200)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: Question) -> None:
    readings, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(readings, options), options)


def days(*each: tuple[float | None, float | None]) -> list[Reading]:
    return [(day * DAY, ratio, close, 5000.0) for day, (ratio, close) in enumerate(each)]


def test_it_holds_while_the_volume_is_unusual_and_the_conditions_are_met() -> None:
    assert TRIGGER.holds is not None
    options = loaded(TRIGGER, {"times": 2, "flat_only": True, "flat_days": 1, "direction": "up"})
    past = history(days((1, 100), (3, 101), (3, 120), (3, 121), (3, None), (0.1, 121), (None, 121)), options)
    states = TRIGGER.holds(past, options)
    assert states is not None
    assert states.tolist() == [0, 1, 0, 1, -1, 0, -1]


def test_an_older_bar_that_stands_beside_is_not_the_days_price() -> None:
    options = loaded(TRIGGER, {"flat_only": True, "flat_days": 1})
    readings: list[tuple[int, Any]] = [
        (0, {"volume_ratio": 1, "daily_ohlcv.close": 100}),
        (DAY, {"volume_ratio": 5, "daily_ohlcv.close": 100, "daily_ohlcv.as_of": 0}),
    ]
    past = history_of(source_of(TRIGGER, options), TRIGGER, readings, others=others_of(TRIGGER, options))
    assert TRIGGER.scan(past, options) == []


def test_a_spike_and_a_drought_that_leave_nothing_usual_between_them_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"Leaves no room between 0\.91 and 1\.1 times"):
        loaded(TRIGGER, {"times": 1.1})
    assert loaded(TRIGGER, {"times": 1.1, "hysteresis": 5})


def test_a_sentence_says_how_much_and_what_the_price_did() -> None:
    assert TRIGGER.sample["summary"] == (
        "Bitcoin's volume spiked to 3.42 times its 30-day median (96,721,200,000 USD) while its price moved by 1.2 % "
        "in 7 days on 14 May 2021."
    )
