"""Moves of predicted prices against plain loops."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.prediction_changed import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, assert_nothing_older_than_the_lookback_matters, history_of, loaded, source_of
from tests.triggers.reference import HOUR, told

Reading = tuple[int, float | None]
Question = tuple[Sequence[Reading], int, dict[str, Any]]


def text(price: float | None) -> str:
    others = {"bear": 1.0, "moon": 9.0}
    scenarios = [{"scenario": 1.0, "base": 5.0, **others}, {"scenario": 2.0, "base": price, **others}]
    return json.dumps({"predicted_date": "2026-09-14", "scenarios": scenarios})


def history(readings: Sequence[Reading], cadence: int = DAY) -> History:
    values = [(time, {"current_price": 50.0, "text": text(price)}) for time, price in readings]
    return history_of(source_of(TRIGGER, loaded(TRIGGER, {})), TRIGGER, values, cadence)


def expected(readings: Sequence[Reading], cadence: int, options: dict[str, Any]) -> list[tuple[Any, ...]]:
    seen = [(time, price) for time, price in readings if price]
    window, least = options["window"], options["percent"] / 100
    change = []
    for at, (_, price) in enumerate(seen):
        part = seen[max(0, at - window) : at + 1]
        silent = any(later[0] - sooner[0] > max(48 * HOUR, 3 * cadence) for sooner, later in pairwise(part))
        change.append(math.nan if at < window or silent else price / seen[at - window][1] - 1)
    far = [at for at, moved in enumerate(change) if abs(moved) >= least - 1e-9]
    begun = [at for at in far if not any(at - window < p < at and change[p] * change[at] > 0 for p in far)]
    wanted = {"up": [True], "down": [False], "either": [True, False]}[options["direction"]]
    notices = told(seen, begun, round(options["cooldown_hours"] * HOUR), lambda at: (change[at] > 0) in wanted)
    return [(seen[at][0], seen[at][1], seen[at - window][1], suppressed) for at, suppressed in notices]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    asked = {
        "scenario": 2,
        "percent": draw(st.sampled_from([5.0, 10.0])),
        "window": draw(st.sampled_from([1, 1, 2, 3])),
        "direction": draw(st.sampled_from(["up", "down", "either"])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 30.0, 200.0])),
    }
    cadence = draw(st.sampled_from([DAY, DAY, 10 * DAY]))
    price = st.sampled_from([100.0, 100.0, 105.0, 110.0, 95.0, 90.0, 121.0, 0.0, None])
    time, readings = 0, []
    for tenths, each in draw(st.lists(st.tuples(st.sampled_from([10] * 9 + [1, 20, 30, 31]), price), max_size=25)):
        time += tenths * cadence // 10
        readings.append((time, each))
    return readings, cadence, loaded(TRIGGER, asked)


@examples(400)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: Question) -> None:
    readings, cadence, options = question
    assert [
        (f.as_of, f.fields["predicted_price"], f.fields["previous_predicted_price"], f.fields["suppressed_count"])
        for f in TRIGGER.scan(history(readings, cadence), options)
    ] == expected(readings, cadence, options)


@examples(100)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: Question) -> None:
    readings, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(readings, cadence), options)


def test_no_predicted_price_falls_by_all_that_it_is() -> None:
    with pytest.raises(ValidationError, match="use less than 100, or another direction"):
        loaded(TRIGGER, {"percent": 100, "direction": "down"})
    assert loaded(TRIGGER, {"percent": 99.9, "direction": "down"})


def test_sentences_say_the_scenario() -> None:
    event = {**TRIGGER.sample, "scenario": 1.0, "case": "bear", "direction": "down", "change": -0.1}
    assert TRIGGER.summary(event) == (
        "Bitcoin's predicted price (bear case, a market of the present size) fell by 10.0 %: "
        "214,900 USD → 241,300 USD on 14 September 2025."
    )
    assert "a market 2 times as large" in TRIGGER.sample["summary"]
