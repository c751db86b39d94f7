"""What an index earned and lost, against a plain computation day by day; and the lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.index_performance import BTC, PERIODS, TRIGGER
from tests.laws import examples
from tests.triggers.logs import (
    DAY,
    assert_nothing_older_than_the_lookback_matters,
    cut,
    history_of,
    loaded,
    others_of,
    plain,
    source_of,
)
from tests.triggers.reference import HOUR, observations, side_above, side_below, told, turn_at

#: (day, return since the start, what the other was worth, the day that this is of).
Row = tuple[int, float | None, float | None, int | None]
RIVAL = "indices_performance@index:7"


def history(rows: Sequence[Row], options: Mapping[str, Any]) -> History:
    readings = []
    for day, roi, other, of in rows:
        value: dict[str, Any] = {"cumulative_roi": roi}
        if of is not None and options["against"] == "bitcoin":
            value |= {f"{BTC}.close": other, f"{BTC}.as_of": of}
        if of is not None and options["against"] == "index":
            value |= {f"{RIVAL}.cumulative_roi": None if other is None else other - 1, f"{RIVAL}.as_of": of}
        readings.append((day * DAY, value))
    return history_of(source_of(TRIGGER, options), TRIGGER, readings, others=others_of(TRIGGER, options))


def measured(rows: Sequence[Row], at: int, options: Mapping[str, Any]) -> float | None:
    """What is measured at a reading, worked out from the readings up to it since the last long silence."""
    first = at
    while first and rows[first][0] - rows[first - 1][0] <= 3:
        first -= 1
    past = rows[first : at + 1]
    if options["period"] == "start":
        return None if past[-1][1] is None else round(past[-1][1], 10)
    worth: dict[int, float] = {}
    of: int | None = None
    for day, _, other, then in past:
        of, base = (day, 1.0) if options["against"] == "none" else (then, other or 0.0)
        own = None if of is None else {d: roi for d, roi, _, _ in past if d <= day}.get(of)
        if of is None or own is None or base <= 0:
            of = None
        else:
            worth[of] = (1 + own) / base
    if of is None:
        return None
    days = PERIODS[options["period"]][0]
    if options["kind"] == "drawdown":
        return round(worth[of] / max(worth[d] for d in worth if of - days <= d <= of) - 1, 10)
    return round(worth[of] / worth[of - days] - 1, 10) if of - days in worth else None


def expected(rows: Sequence[Row], options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    level = -options["level"] if options["kind"] == "drawdown" else options["level"]
    below = options["direction"] == "down" or (options["kind"] == "drawdown" and options["direction"] == "either")
    side_of = (side_below if below else side_above)(float(level), float(options["hysteresis"]))
    values = [measured(rows, at, options) for at in range(len(rows))]
    seen = observations([(row[0] * DAY, value) for row, value in zip(rows, values, strict=True)])

    def side(value: float) -> int:
        return side_of(round(100 * value, 8))

    turns = {at: turn for at in range(len(seen)) if (turn := turn_at(seen, at, DAY, options["min_observations"], side))}
    wanted = {"up": [1], "down": [-1], "either": [1, -1]}[options["direction"]]
    quiet = round(options["cooldown_hours"] * HOUR)
    return [
        (seen[at][0], turns[at].side, seen[at][1], seen[turns[at].before][1], suppressed)
        for at, suppressed in told(seen, list(turns), quiet, lambda at: turns[at].side in wanted)
    ]


def found(rows: Sequence[Row], options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (
            f.as_of,
            1 if f.fields["direction"] == "up" else -1,
            f.fields["value"],
            f.fields["previous_value"],
            f.fields["suppressed_count"],
        )
        for f in TRIGGER.scan(history(rows, options), options)
    ]


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[Row], dict[str, Any]]:
    """Indices that rise and fall by tenths, and what they are compared with, which may lag by a day or two or be missing."""
    kind = draw(st.sampled_from(["return", "drawdown"]))
    period = draw(st.sampled_from(["1d", "7d", "7d"] if kind == "drawdown" else ["1d", "7d", "start"]))
    against = "none" if period == "start" else draw(st.sampled_from(["none", "bitcoin", "index"]))
    asked = {
        "kind": kind,
        "period": period,
        "against": against,
        "against_index": 7 if against == "index" else None,
        "level": draw(st.sampled_from([10.0, 20.0] if kind == "drawdown" else [10.0, 20.0, -10.0])),
        "hysteresis": draw(st.sampled_from([0.0, 1.0, 5.0])),
        "direction": draw(st.sampled_from(["up", "down", "either", "either"])),
        "min_observations": draw(st.sampled_from([1, 1, 2])),
        "cooldown_hours": draw(st.sampled_from([0.0, 30.0])),
    }
    worth = st.sampled_from([1.0, 1.0, 1.1, 1.21, 0.9, 0.8, 1.5, None])
    rows: list[Row] = []
    day, of = 10, 8
    for step in draw(st.lists(st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 4]), max_size=25)):
        day += step
        own, other = draw(worth), draw(worth)
        of = max(of, day - draw(st.sampled_from([0, 0, 1, 1, 2])))
        there = day - of <= 3 and draw(st.sampled_from([True, True, True, False]))
        rows.append((day, None if own is None else own - 1, other, of if there else None))
    return rows, loaded(TRIGGER, asked)


@examples(600)
@given(question=questions())
def test_firings_are_those_of_a_plain_computation(question: tuple[list[Row], dict[str, Any]]) -> None:
    rows, options = question
    assert found(rows, options) == expected(rows, options)


@examples(200)
@given(question=questions())
def test_the_laws_hold_whatever_stands_beside(question: tuple[list[Row], dict[str, Any]]) -> None:
    rows, options = question
    past = history(rows, options)
    whole = plain(TRIGGER.scan(past, options))
    for stop in range(len(rows)):
        assert plain(TRIGGER.scan(cut(past, 0, stop), options)) == [f for f in whole if f[0] < past.as_of[stop]]
    assert_nothing_older_than_the_lookback_matters(TRIGGER, past, options)


def test_a_return_looks_back_over_its_period_and_no_silence() -> None:
    options = loaded(TRIGGER, {"period": "90d", "level": 50})
    steady: list[Row] = [(day, 0.0 if day < 91 else 0.6, None, None) for day in range(95)]
    assert found(steady, options) == [(91 * DAY, 1, 0.6, 0.0, 0)]
    broken = [row for row in steady if not 40 <= row[0] <= 43]
    assert found(broken, options) == []


def test_a_drawdown_forgets_a_high_that_is_older_than_its_period() -> None:
    options = loaded(TRIGGER, {"kind": "drawdown", "period": "7d", "level": 20})
    rows: list[Row] = [(0, 1.0, None, None), *((day, 0.5, None, None) for day in range(1, 10))]
    assert [(time // DAY, side) for time, side, *_ in found(rows, options)] == [(1, -1), (8, 1)]


def test_against_another_the_return_is_that_of_one_in_units_of_the_other() -> None:
    options = loaded(TRIGGER, {"period": "1d", "against": "bitcoin", "level": 10})
    rows: list[Row] = [(0, 0.0, 100.0, 0), (1, 0.0, 100.0, 1), (2, 0.32, 120.0, 2)]
    assert found(rows, options) == [(2 * DAY, 1, 0.1, 0.0, 0)]


def test_what_is_measured_of_an_older_day_says_so() -> None:
    options = loaded(TRIGGER, {"period": "1d", "against": "bitcoin", "level": 10})
    rows: list[Row] = [(day, 0.0 if day < 3 else 0.5, 100.0, day - 1) for day in range(1, 5)]
    (firing,) = TRIGGER.scan(history(rows, options), options)
    assert (firing.as_of, firing.fields["measured_at"]) == (4 * DAY, "1970-01-04T00:00:00Z")


# -- what may be asked -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "filled"),
    [
        ({}, (10.0, 1.0)),
        ({"kind": "drawdown"}, (20.0, 1.0)),
        ({"level": 200}, (200.0, 4.0)),
        ({"kind": "lead"}, (None, None)),
    ],
)
def test_what_is_left_out_is_filled_in(asked: Mapping[str, Any], filled: tuple[Any, Any]) -> None:
    options = loaded(TRIGGER, asked)
    assert (options["level"], options["hysteresis"]) == filled


@pytest.mark.parametrize(
    ("asked", "field", "text"),
    [
        ({"against": "index"}, "against_index", "needs the id"),
        ({"against_index": 2}, "against_index", "Goes with against=index"),
        ({"kind": "drawdown", "period": "start"}, "period", "use 1d, 7d, 30d or 90d"),
        ({"against": "bitcoin", "period": "start"}, "period", "use 1d, 7d, 30d or 90d"),
        ({"kind": "drawdown", "level": -20}, "level", "say 20"),
        ({"kind": "drawdown", "level": 100}, "level", "between 0 and 100"),
        ({"kind": "drawdown", "level": 20, "hysteresis": 30}, "hysteresis", "20 at most"),
        ({"level": -100}, "level", "more than -100"),
        ({"level": -99.995, "period": "start", "hysteresis": 0}, "level", "more than -99.99"),
        ({"level": -99, "hysteresis": 1}, "hysteresis", "less than 1 here"),
        ({"kind": "drawdown", "level": 99, "hysteresis": 1, "direction": "up"}, "hysteresis", "less than 1 here"),
        ({"level": -95, "hysteresis": 10}, "hysteresis", "less than 5 here"),
        ({"kind": "lead", "level": 10}, "level", "leave this out"),
        ({"kind": "lead", "against": "bitcoin"}, "against", "leave this out"),
        ({"kind": "lead", "period": "90d"}, "period", "1d, 7d, 30d or since their start"),
    ],
)
def test_what_can_never_fire_or_does_not_go_together_is_refused(asked: Mapping[str, Any], field: str, text: str) -> None:
    with pytest.raises(ValidationError, match=text) as caught:
        loaded(TRIGGER, asked)
    assert list(caught.value.messages_dict) == [field]


# -- what it says ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({}, "Layer-1 Index's 30-day return rose above 10 %: 8.3 % → 11.2 % on 14 May 2021."),
        (
            {"against": "bitcoin", "direction": "down", "level": -0.05, "previous_value": -0.01, "value": -0.06},
            "Layer-1 Index's 30-day return against Bitcoin fell below -5 %: -1.0 % → -6.0 % on 14 May 2021.",
        ),
        ({"period": "start"}, "Layer-1 Index's return since its start rose above 10 %: 8.3 % → 11.2 % on 14 May 2021."),
        (
            {"kind": "drawdown", "direction": "down", "level": -0.2, "previous_value": -0.18, "value": -0.21},
            "Layer-1 Index fell to -20 % from its 30-day high: -18.0 % → -21.0 % on 14 May 2021.",
        ),
        (
            {"kind": "drawdown", "level": -0.2, "previous_value": -0.21, "value": -0.1, "against": "index", "against_index": 4},
            "Layer-1 Index recovered from -20 % from its 30-day high against index 4: -21.0 % → -10.0 % on 14 May 2021.",
        ),
        (
            {"kind": "lead", "period": "7d", "rank": 1, "previous_rank": 3},
            "Layer-1 Index took the lead among indices by 7-day return: rank 3 → 1 on 14 May 2021.",
        ),
        (
            {"kind": "lead", "period": "start", "direction": "down", "rank": 2, "previous_rank": 1},
            "Layer-1 Index lost the lead among indices by all-time return: rank 1 → 2 on 14 May 2021.",
        ),
    ],
)
def test_each_kind_is_said_in_one_sentence(said: Mapping[str, Any], sentence: str) -> None:
    assert TRIGGER.summary({**TRIGGER.sample, **said}) == sentence
