"""Breaches of a risk limit against the plain reference, in the unit that people say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.risk_threshold import METRICS, TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, assert_nothing_older_than_the_lookback_matters, history_of, loaded, source_of
from tests.triggers.reference import HOUR, observations, side_above, side_below, told, turn_at

Readings = Sequence[tuple[int, float | None]]

#: What a limit is upstream, and whether worse is lower there, once more.
LOSSES = ("value_at_risk", "value_at_risk_99", "drawdown", "max_drawdown")
LOWER_IS_WORSE = (*LOSSES, "sharpe", "sortino", "tail_ratio", "risk_reward_ratio", "profit_factor", "skew")
COLUMNS = {"value_at_risk": "value_at_risk_95"}
EVERY = pytest.mark.parametrize("metric", METRICS)


def history(metric: str, readings: Readings, options: Mapping[str, Any], cadence: int = DAY) -> History:
    published = {"value_at_risk": "daily_value_at_risk"} if options["window"] == "published" else COLUMNS
    values = [(time, {published.get(metric, metric): value}) for time, value in readings]
    return history_of(source_of(TRIGGER, options), TRIGGER, values, cadence)


def asked(metric: str, **more: Any) -> dict[str, Any]:
    published = metric in ("tail_ratio", "risk_reward_ratio", "profit_factor", "skew", "kurtosis")
    return loaded(TRIGGER, {"metric": metric, "window": "published" if published else "90d", **more})


def upstream(metric: str, said: float) -> float:
    if metric in LOSSES:
        return -said / 100
    return said / 100 if metric == "volatility" else said


def expected(metric: str, readings: Readings, cadence: int, options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    seen, lower = observations(readings), metric in LOWER_IS_WORSE
    limit, band = upstream(metric, options["worse_than"]), abs(upstream(metric, options["hysteresis"]))
    side_of = (side_below if lower else side_above)(limit, band)
    turns = [turn_at(seen, at, cadence, options["min_observations"], side_of) for at in range(len(seen))]
    crossings = {turn.at: turn for turn in turns if turn}
    worse = -1 if lower else 1
    notices = told(
        seen, list(crossings), round(options["cooldown_hours"] * HOUR),
        lambda at: options["also_recovery"] or crossings[at].side == worse,
    )  # fmt: skip
    return [
        (seen[at][0], crossings[at].side == worse, seen[at][1], seen[crossings[at].before][1], suppressed)
        for at, suppressed in notices
    ]


def found(metric: str, readings: Readings, cadence: int, options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (f.as_of, f.fields["state"] == "breached", f.fields["value"], f.fields["previous_value"], f.fields["suppressed_count"])
        for f in TRIGGER.scan(history(metric, readings, options, cadence), options)
    ]


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, Readings, int, dict[str, Any]]:
    metric = draw(st.sampled_from(list(METRICS)))
    limit = draw(st.sampled_from([METRICS[metric].limit, 0.5, 0.3]))
    options = asked(
        metric,
        worse_than=limit,
        hysteresis=draw(st.sampled_from([None, 0.0, 0.1])),
        also_recovery=draw(st.booleans()),
        min_observations=draw(st.sampled_from([1, 1, 2, 3])),
        cooldown_hours=draw(st.sampled_from([0.0, 6.0, 30.0, 720.0])),
    )
    edge, band = upstream(metric, limit), abs(upstream(metric, options["hysteresis"]))
    near = [edge, edge + band, edge - band, edge + band / 2, edge - band / 2, edge + 2 * band + 0.1, edge - 2 * band - 0.1]
    value = st.sampled_from([*[round(each, 9) for each in near], *near[-2:] * 2, None, float("inf")])
    cadence = draw(st.sampled_from([DAY, DAY, HOUR, 60 * DAY]))
    steps = draw(st.lists(st.tuples(st.sampled_from([10] * 8 + [1, 20, 25, 26, 30, 31]), value), max_size=25))
    time, readings = 0, []
    for tenths, reading in steps:
        time += tenths * cadence // 10
        readings.append((time, reading))
    return metric, readings, cadence, options


@examples(600)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: tuple[str, Readings, int, dict[str, Any]]) -> None:
    assert found(*question) == expected(*question)


@examples(200)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: tuple[str, Readings, int, dict[str, Any]]) -> None:
    metric, readings, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(metric, readings, options, cadence), options)


@EVERY
def test_every_metric_is_breached_at_its_usual_limit_and_recovers_past_the_band(metric: str) -> None:
    options = asked(metric, also_recovery=True)
    limit, band = upstream(metric, options["worse_than"]), abs(upstream(metric, options["hysteresis"]))
    better = 1 if metric in LOWER_IS_WORSE else -1
    past = [
        (0, limit + better * (band + 0.01)),
        (1, limit),
        (2, limit + better * band * 0.9),
        (3, limit + better * (band + 1e-9)),
    ]
    firings = TRIGGER.scan(history(metric, [(day * DAY, value) for day, value in past], options), options)
    assert [(f.as_of // DAY, f.fields["state"]) for f in firings] == [(1, "breached"), (3, "recovered")]
    assert TRIGGER.holds is not None
    states = TRIGGER.holds(history(metric, [(day * DAY, value) for day, value in past], options), options)
    assert states is not None
    assert states.tolist() == [0, 1, 1, 0]


@EVERY
@pytest.mark.parametrize("window", ["published", "30d", "90d", "365d"])
def test_a_metric_is_offered_where_a_source_has_it_and_refused_with_the_remedy_elsewhere(metric: str, window: str) -> None:
    risk = METRICS[metric]
    column = risk.published if window == "published" else risk.windowed
    if column:
        options = loaded(TRIGGER, {"metric": metric, "window": window})
        assert column in {each.name for each in source_of(TRIGGER, options).metrics}
    else:
        with pytest.raises(ValidationError, match="use 30d, 90d or 365d" if window == "published" else "use published"):
            loaded(TRIGGER, {"metric": metric, "window": window})


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"metric": "drawdown", "worse_than": 101}, "at 101: choose more than 0, less than 100"),
        ({"metric": "drawdown", "worse_than": 0}, "never be crossed at 0: choose more than 0, less than 100"),
        ({"metric": "volatility", "worse_than": -1}, "choose more than 0, up to 2000"),
        ({"metric": "correlation", "worse_than": 1.01}, "choose more than -1, less than 1"),
        ({"metric": "correlation", "worse_than": 0.9, "hysteresis": 2}, "the band must be less than 1.9 here"),
        ({"metric": "drawdown", "worse_than": 3, "hysteresis": 4}, "may be 3 at most here"),
        ({"metric": "sharpe", "worse_than": 50}, "never be crossed at 50: choose from -50, less than 50"),
        ({"metric": "correlation", "worse_than": 1}, "never be crossed at 1: choose more than -1, less than 1"),
        ({"metric": "correlation", "worse_than": -1}, "never be crossed at -1"),
        ({"metric": "max_drawdown", "worse_than": 100}, "never be crossed at 100"),
        ({"metric": "value_at_risk", "worse_than": 100}, "never be crossed at 100"),
        ({"metric": "volatility", "worse_than": 5, "hysteresis": 5}, "the band must be less than 5 here"),
        ({"metric": "tail_ratio", "window": "published", "worse_than": 0}, "never be crossed at 0: choose more than 0"),
    ],
)
def test_a_limit_that_can_never_be_breached_or_left_is_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        loaded(TRIGGER, wrong)


def test_an_empty_band_never_reaches_beyond_what_is_possible() -> None:
    assert loaded(TRIGGER, {"metric": "drawdown", "worse_than": 0.2})["hysteresis"] == 0.2
    assert loaded(TRIGGER, {"metric": "drawdown", "worse_than": 60})["hysteresis"] == 1.2
    assert loaded(TRIGGER, {"metric": "volatility", "worse_than": 1})["hysteresis"] == 0.5  # no volatility is ever 0


@pytest.mark.parametrize("limit", [5, 7, 14, 28, 29, 55, 57, 58])
def test_a_limit_in_percent_is_that_fraction_in_decimals(limit: int) -> None:
    options = asked("value_at_risk", worse_than=limit)
    (firing,) = TRIGGER.scan(history("value_at_risk", [(0, 0.0), (DAY, -float(f"0.{limit:02}"))], options), options)
    assert firing.fields["limit"] == -float(f"0.{limit:02}")


def test_a_sentence_says_losses_as_people_do() -> None:
    (first, *_) = TRIGGER.fires
    options = loaded(TRIGGER, first.options)
    (firing,) = TRIGGER.scan(history("value_at_risk", [(0, -0.043), (DAY, -0.052)], options), options)
    event = {**TRIGGER.sample, **firing.fields, "as_of": "2021-05-19T00:00:00Z"}
    assert TRIGGER.summary(event) == (
        "Bitcoin's 90-day value at risk (95 %) became worse than 5 %: 4.3 % → 5.2 % on 19 May 2021."
    )
