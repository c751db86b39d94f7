"""Returns relative to Bitcoin against the plain reference, and what a sentence says of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.btc_relative import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, assert_nothing_older_than_the_lookback_matters, history_of, loaded, source_of
from tests.triggers.reference import HOUR, observations, side_above, side_below, told, turn_at

Question = tuple[list[tuple[int, float | None]], int, dict[str, Any]]


def history(readings: Any, options: Any, cadence: int = DAY) -> History:
    return history_of(source_of(TRIGGER, options), TRIGGER, readings, cadence)


def expected(readings: Any, cadence: int, options: dict[str, Any]) -> list[tuple[Any, ...]]:
    seen = observations(readings)
    side_of = side_below if options["direction"] == "down" else side_above
    sides = side_of(options["level"] / 100, options["hysteresis"] / 100)
    turns = [turn_at(seen, at, cadence, options["min_observations"], sides) for at in range(len(seen))]
    crossings = {turn.at: turn for turn in turns if turn}
    wanted = {"up": [1], "down": [-1], "either": [1, -1]}[options["direction"]]
    notices = told(seen, list(crossings), round(options["cooldown_hours"] * HOUR), lambda at: crossings[at].side in wanted)
    return [(seen[at][0], crossings[at].side, seen[at][1], suppressed) for at, suppressed in notices]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    level = draw(st.sampled_from([10.0, 0.0, -5.0]))
    asked = {
        "level": level,
        "hysteresis": draw(st.sampled_from([None, 0.0, 2.0])),
        "direction": draw(st.sampled_from(["up", "down", "either"])),
        "min_observations": draw(st.sampled_from([1, 1, 2])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 30.0])),
    }
    value = st.sampled_from([round((level + step) / 100, 6) for step in (-9, -2, -1, -0.5, 0, 0.5, 1, 2, 9)] + [None])
    cadence = draw(st.sampled_from([DAY, DAY, 60 * DAY]))
    time, readings = 0, []
    for tenths, reading in draw(st.lists(st.tuples(st.sampled_from([10] * 8 + [1, 20, 25, 26, 31]), value), max_size=25)):
        time += tenths * cadence // 10
        readings.append((time, reading))
    return readings, cadence, loaded(TRIGGER, asked)


@examples(400)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: Question) -> None:
    readings, cadence, options = question
    firings = TRIGGER.scan(history(readings, options, cadence), options)
    assert [
        (f.as_of, 1 if f.fields["direction"] == "up" else -1, f.fields["return_over_btc"], f.fields["suppressed_count"])
        for f in firings
    ] == expected(readings, cadence, options)


@examples(100)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: Question) -> None:
    readings, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(readings, options, cadence), options)


def test_bitcoins_own_return_follows_from_the_tokens_and_the_relative_one() -> None:
    options = loaded(TRIGGER, {})
    readings: list[tuple[int, Any]] = [(0, 0.0), (DAY, {"return_over_btc": 0.2, "return": 0.5})]
    (firing,) = TRIGGER.scan(history(readings, options), options)
    assert firing.fields["btc_return"] == pytest.approx(0.25)
    readings[1] = (DAY, {"return_over_btc": 0.2, "return": None})
    (firing,) = TRIGGER.scan(history(readings, options), options)
    assert (firing.fields["token_return"], firing.fields["btc_return"]) == (None, None)


def test_a_sentence_says_percent() -> None:
    assert TRIGGER.sample["summary"] == (
        "Ethereum's 30-day return relative to Bitcoin rose above 10 %: 8.3 % → 12.4 % on 14 May 2021."
    )


def test_a_band_that_reaches_beyond_a_loss_of_everything_is_refused() -> None:
    with pytest.raises(ValidationError, match="band must be less than 50 here"):
        loaded(TRIGGER, {"level": -50, "hysteresis": 51})
    with pytest.raises(ValidationError, match="band must be less than 50 here"):
        loaded(TRIGGER, {"level": -50, "hysteresis": 50})
    assert loaded(TRIGGER, {"level": -50, "hysteresis": 51, "direction": "down"})
    assert loaded(TRIGGER, {"level": -90})["hysteresis"] == 1.8


def test_published_figures_have_no_return_relative_to_bitcoin() -> None:
    with pytest.raises(ValidationError):
        loaded(TRIGGER, {"window": "published"})
