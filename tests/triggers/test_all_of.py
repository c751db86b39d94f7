"""Compound rules against a plain reference; what other triggers say re-expressed through conditions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.catalogue import Options, Source, Trigger
from integration.domain.history import History, Joined, max_gap
from integration.domain.ids import canonical
from integration.domain.payload import iso
from integration.triggers import load
from integration.triggers._compound import rebuilt
from integration.triggers.all_of import TRIGGER
from tests.laws import examples
from tests.triggers.logs import (
    DAY,
    SOURCES,
    assert_nothing_older_than_the_lookback_matters,
    cut,
    history_of,
    loaded,
    others_of,
    plain,
    source_of,
)
from tests.triggers.reference import HOUR, told, turn_at

TRIGGERS = load()
GRADES = {
    "conditions": [
        {"trigger": "grade_threshold", "options": {"grade": "trader", "preset": "own", "level": 60, "direction": "up"}},
        {"trigger": "grade_threshold", "options": {"grade": "investor", "preset": "own", "level": 60, "direction": "up"}},
    ]
}
MIXED = {
    "conditions": [
        {"trigger": "grade_threshold", "options": {"grade": "trader", "preset": "own", "level": 60}},
        {"trigger": "grade_changed", "options": {"grade": "investor", "points": 10, "cooldown_hours": 0}},
        {"trigger": "sharpe_threshold", "options": {"direction": "down"}},
    ],
    "at_least": 2,
    "within_days": 2,
}
HOURLY = {
    "conditions": [
        {"trigger": "hourly_signal_flipped", "options": {"direction": "bullish"}},
        {"trigger": "grade_threshold", "options": {"grade": "trader", "preset": "own", "level": 60}},
    ]
}
#: Numbers that lie on either side of what the conditions ask, and where nothing is said.
FIGURES: Mapping[str, Sequence[float | None]] = {
    "tm_trader_grade": [40.0, 40.0, 70.0, 70.0, 59.0, None],
    "tm_investor_grade": [40.0, 40.0, 70.0, 70.0, 59.0, None],
    "sharpe": [0.5, 0.5, 1.5, 1.5, 0.98, None],
    "signal": [1.0, 1.0, -1.0, -1.0, None],
}


# -- what the rules say, read plainly --------------------------------------------------------------------------------


def beside(history: History, clock: str, name: str) -> Joined:
    return history.of(name) if name != clock else Joined(history.metrics, history.as_of, history.values, history.texts)


def own_history(history: History, clock: str, trigger: Trigger, options: Options) -> History:
    """What a condition would have seen by the last row: of each as_of of its source what was said first."""
    first, *others = trigger.sources(options)
    source = beside(history, clock, first)
    readings: list[tuple[int, int]] = []  # (as_of, row)
    for row in range(len(history.as_of)):
        as_of = int(source.as_of[row])
        if as_of >= 0 and all(as_of > known for known, _ in readings):
            readings.append((as_of, row))
    rows = np.asarray([row for _, row in readings], dtype=np.int64)
    joined = {}
    for name in others:
        other = beside(history, clock, name)
        picked = [newest_of(history, other, as_of, row) for as_of, row in readings]
        joined[name] = Joined(
            other.metrics,
            np.asarray([-1 if p is None else other.as_of[p] for p in picked], dtype=np.int64),
            np.asarray([np.full(len(other.metrics), np.nan) if p is None else other.values[p] for p in picked]).reshape(
                len(picked), len(other.metrics)
            ),
            tuple(None if p is None or not other.texts else other.texts[p] for p in picked),
        )
    cadence = history.cadence if first == clock else SOURCES[first].cadence
    return History(
        history.subject, source.metrics, cadence, source.as_of[rows], source.values[rows],
        tuple(source.texts[row] for row in rows.tolist()) if source.texts else (), joined,
    )  # fmt: skip


def newest_of(history: History, other: Joined, as_of: int, row: int) -> int | None:
    """The row, back to the first one not after the reading, at which the other's reading is not newer than it."""
    for each in range(row, -1, -1):
        if 0 <= other.as_of[each] <= as_of:
            return each
        if history.as_of[each] <= as_of:
            return None
    return None


def state(history: History, clock: str, rule: Mapping[str, Any], within: int) -> int | None:
    """Whether a condition is met at the last row: None where that is not known."""
    trigger, options = TRIGGERS[rule["trigger"]], rule["options"]
    own, now = own_history(history, clock, trigger, options), int(history.as_of[-1])
    lasting = trigger.holds(own, options) if trigger.holds else None
    if lasting is None:
        if any(0 <= now - firing.as_of <= within for firing in trigger.scan(own, options)):
            return 1
        return 0 if len(own.as_of) and now - own.as_of[-1] <= max_gap(own.cadence) else None
    said = [(int(t), int(s)) for t, s in zip(own.as_of, lasting, strict=True) if s != -1]
    return said[-1][1] if said and now - said[-1][0] <= max_gap(own.cadence) else None


def since_silence(history: History, row: int) -> History:
    first = row
    while first and history.as_of[first] - history.as_of[first - 1] <= history.max_gap:
        first -= 1
    return cut(history, first, row + 1)


def expected(history: History, options: Options) -> list[tuple[Any, ...]]:
    clock = TRIGGER.sources(options)[0]
    within = round(options["within_days"] * DAY)
    states, seen = {}, []
    for row in range(len(history.as_of)):
        known = [state(since_silence(history, row), clock, rule, within) for rule in options["conditions"]]
        states[int(history.as_of[row])] = known
        if known.count(1) >= options["at_least"]:
            seen.append((int(history.as_of[row]), 1.0))
        elif known.count(1) + known.count(None) < options["at_least"]:
            seen.append((int(history.as_of[row]), -1.0))
    turns = {at: turn_at(seen, at, history.cadence, options["min_observations"], int) for at in range(len(seen))}
    happened = {at: turn for at, turn in turns.items() if turn}
    quiet = round(options["cooldown_hours"] * HOUR)
    return [
        (seen[at][0], states[seen[at][0]].count(1), iso(seen[happened[at].start][0]), suppressed)
        for at, suppressed in told(seen, list(happened), quiet, lambda at: happened[at].side > 0)
    ]


def found(history: History, options: Options) -> list[tuple[Any, ...]]:
    return [
        (f.as_of, f.fields["met_count"], f.fields["crossed_at"], f.fields["suppressed_count"])
        for f in TRIGGER.scan(history, options)
    ]


@st.composite
def questions(draw: st.DrawFn) -> tuple[History, dict[str, Any]]:
    """A rule, and readings beside which others stand that are newer, older, restated or gone."""
    asked = dict(draw(st.sampled_from([GRADES, MIXED, HOURLY])))
    asked |= {
        "min_observations": draw(st.sampled_from([1, 1, 2])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 30.0])),
        "within_days": draw(st.sampled_from([0.0, 1.0, 2.5])),
        "at_least": draw(st.sampled_from([1, 2, 2])),
    }
    options = loaded(TRIGGER, asked)
    source, others = source_of(TRIGGER, options), others_of(TRIGGER, options)
    steps = st.lists(st.sampled_from([1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 60]), min_size=3, max_size=14)
    time, readings, newest = 3 * DAY, [], dict.fromkeys(others, -1)
    for step in draw(steps):
        time += step * (DAY if source.cadence == DAY else draw(st.sampled_from([HOUR, 9 * HOUR])))
        value = figures(draw, source)
        for name, other in others.items():
            if draw(st.sampled_from([True, True, True, False])):
                late = draw(st.sampled_from([0, 0, 0, 1, 2]))
                newest[name] = max(newest[name], time - time % other.cadence - late * other.cadence)
            if newest[name] >= 0 and time - newest[name] <= other.age:
                value[f"{name}.as_of"] = newest[name] / DAY
                value |= {f"{name}.{metric}": figure for metric, figure in figures(draw, other).items()}
        readings.append((time, value))
    return history_of(source, TRIGGER, readings, others=others), options


def figures(draw: st.DrawFn, source: Source) -> dict[str, Any]:
    return {metric.name: draw(st.sampled_from(FIGURES[metric.name])) for metric in source.metrics if metric.name in FIGURES}


@examples(300)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: tuple[History, dict[str, Any]]) -> None:
    history, options = question
    assert found(history, options) == expected(history, options)


@examples(150)
@given(question=questions())
def test_the_laws_hold_whatever_stands_beside(question: tuple[History, dict[str, Any]]) -> None:
    history, options = question
    whole = plain(TRIGGER.scan(history, options))
    for stop in range(len(history.as_of)):
        assert plain(TRIGGER.scan(cut(history, 0, stop), options)) == [f for f in whole if f[0] < history.as_of[stop]]
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history, options)


# -- sources and histories -------------------------------------------------------------------------------------------


def of(*conditions: tuple[str, Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    return loaded(TRIGGER, {"conditions": [{"trigger": key, "options": dict(options)} for key, options in conditions], **more})


def test_the_clock_is_the_fastest_of_the_conditions_clocks_and_of_equals_the_first_named() -> None:
    assert TRIGGER.sources(loaded(TRIGGER, HOURLY)) == ("hourly_signals", "trader_grades")
    first, *others = TRIGGER.sources(loaded(TRIGGER, GRADES))
    clocks = [TRIGGERS[r["trigger"]].sources(r["options"])[0] for r in loaded(TRIGGER, GRADES)["conditions"]]
    assert (first, *others) == tuple(clocks)


def test_sources_that_conditions_share_are_named_once() -> None:
    options = of(("grade_threshold", {}), ("grade_changed", {}), ("dual_grade", {}))
    assert sorted(TRIGGER.sources(options)) == ["investor_grades", "trader_grades"]


@examples(50)
@given(grades=st.lists(st.sampled_from([20.0, 50.0, 79.0, 85.0, None]), min_size=1, max_size=20))
def test_a_daily_condition_under_an_hourly_clock_sees_its_own_history(grades: list[float | None]) -> None:
    options = loaded(TRIGGER, HOURLY)
    daily = SOURCES["trader_grades"]
    hours = [
        (day * DAY + hour * HOUR + 25 * 60_000, {"trader_grades.tm_trader_grade": grade, "trader_grades.as_of": day})
        for day, grade in enumerate(grades)
        for hour in range(3, 27, 4)
    ]
    history = history_of(source_of(TRIGGER, options), TRIGGER, hours, others=others_of(TRIGGER, options))
    rule = next(rule for rule in options["conditions"] if rule["trigger"] == "grade_threshold")
    trigger = TRIGGERS["grade_threshold"]
    own, _ = rebuilt(history, "hourly_signals", trigger, rule["options"])
    alone = history_of(daily, trigger, [(day * DAY, {"tm_trader_grade": grade}) for day, grade in enumerate(grades)])
    np.testing.assert_array_equal(own.as_of, alone.as_of)
    np.testing.assert_array_equal(own.values, alone.values)
    assert own.cadence == alone.cadence == DAY
    assert plain(trigger.scan(own, rule["options"])) == plain(trigger.scan(alone, rule["options"]))


def test_of_a_reading_that_was_restated_beside_the_clock_the_first_version_counts() -> None:
    options = loaded(TRIGGER, HOURLY)
    value = {"trader_grades.as_of": 1, "signal": 1.0}
    rows = [(DAY + hour * HOUR, {**value, "trader_grades.tm_trader_grade": grade}) for hour, grade in ((1, 50.0), (2, 90.0))]
    history = history_of(source_of(TRIGGER, options), TRIGGER, rows, others=others_of(TRIGGER, options))
    own, seen = rebuilt(history, "hourly_signals", TRIGGERS["grade_threshold"], {"grade": "trader"})
    assert (own.values[:, 0].tolist(), seen.tolist()) == ([50.0], [0])


def test_what_is_remembered_reaches_back_through_the_condition_and_the_rule() -> None:
    """Not met through a year in the band, then for a year never met or not for two readings: the first reading decides."""
    options = of(("grade_threshold", {}), ("grade_threshold", {"grade": "investor"}), min_observations=2)
    trader = [50.0, *[79.0] * 359, *[85.0] * 358]
    investor = [*[85.0] * 360, *[85.0, 50.0] * 178, 85.0, 85.0]
    readings = [
        (day * DAY, {"tm_investor_grade": i, "trader_grades.tm_trader_grade": t})
        for day, (i, t) in enumerate(zip(investor, trader, strict=True))
    ]
    history = history_of(source_of(TRIGGER, options), TRIGGER, readings, others=others_of(TRIGGER, options))
    assert [firing.as_of // DAY for firing in TRIGGER.scan(history, options)] == [717]
    assert TRIGGER.scan(cut(history, 1), options) == []
    assert 717 * DAY < TRIGGER.lookback(options).total(history.max_gap) < 900 * DAY


def test_the_market_may_stand_beside_a_token() -> None:
    options = of(("grade_threshold", {}), ("market_regime_changed", {"direction": "up"}))
    assert TRIGGER.sources(options) == ("trader_grades", "market_metrics")
    regime = "market_metrics.last_grade_signal"
    said = [(70, -1, 0), (85, -1, 1), (85, -1, 1), (85, 1, 3), (85, 1, 4)]
    readings = [
        (day * DAY, {"tm_trader_grade": grade, regime: signal, "market_metrics.as_of": of_day})
        for day, (grade, signal, of_day) in enumerate(said)
    ]
    history = history_of(source_of(TRIGGER, options), TRIGGER, readings, others=others_of(TRIGGER, options))
    (firing,) = TRIGGER.scan(history, options)
    assert firing.as_of == 3 * DAY
    assert firing.fields["newly_met_conditions"] == "Market Regime (direction up)"


# -- what it says ----------------------------------------------------------------------------------------------------


def test_an_event_names_the_conditions_that_are_met_and_since_which_reading() -> None:
    options = of(("grade_threshold", {}), ("grade_changed", {"grade": "investor"}), ("sharpe_threshold", {}), at_least=2)
    said = [
        {"tm_investor_grade": 50.0, "trader_grades.tm_trader_grade": 50.0, "risk_90d.sharpe": 0.5},
        {"tm_investor_grade": 61.0, "trader_grades.tm_trader_grade": 50.0, "risk_90d.sharpe": 0.5},
        {"tm_investor_grade": 61.0, "trader_grades.tm_trader_grade": 85.0, "risk_90d.sharpe": 0.5},
    ]
    history = history_of(
        source_of(TRIGGER, options), TRIGGER, list(zip([0, DAY, 2 * DAY], said, strict=True)), others=others_of(TRIGGER, options)
    )
    (firing,) = TRIGGER.scan(history, options)
    assert firing.fields["met"] == [
        {
            "trigger": "grade_changed",
            "condition": "Grade Change (grade investor)",
            "as_of": "1970-01-02T00:00:00Z",
            "newly": False,
        },
        {"trigger": "grade_threshold", "condition": "Grade Threshold Crossing", "as_of": "1970-01-03T00:00:00Z", "newly": True},
    ]
    assert firing.fields["met_conditions"] == "Grade Change (grade investor); Grade Threshold Crossing"
    assert firing.fields["newly_met_conditions"] == "Grade Threshold Crossing"
    assert firing.fields["unmet_conditions"] == "Sharpe Ratio Crossing"


# -- what may be asked -----------------------------------------------------------------------------------------------


def test_a_list_and_its_json_text_are_one_rule_in_whatever_order_it_names_them() -> None:
    conditions: list[Any] = GRADES["conditions"]
    asked: list[Any] = [conditions, conditions[::-1], json.dumps(conditions), [json.dumps(conditions)]]
    asked.append([json.dumps(condition) for condition in conditions])
    assert len({canonical(loaded(TRIGGER, {"conditions": each})) for each in asked}) == 1


def test_every_default_of_a_condition_is_written_out() -> None:
    bare = of(("grade_threshold", {}), ("sharpe_threshold", {}))
    full = of(("sharpe_threshold", {"level": "1.0", "window": "90d"}), ("grade_threshold", {"preset": "bullish"}))
    assert canonical(bare) == canonical(full)
    assert bare == loaded(TRIGGER, {})


def problem(asked: Mapping[str, Any]) -> tuple[str, str]:
    """(field, text) as a caller is told."""
    with pytest.raises(ValidationError) as caught:
        loaded(TRIGGER, asked)
    path, messages = [], caught.value.messages
    while isinstance(messages, dict):
        key, messages = next(iter(messages.items()))
        path.append(str(key))
    return ".".join(path), messages[0]


GRADE, SHARPE = {"trigger": "grade_threshold"}, {"trigger": "sharpe_threshold"}


@pytest.mark.parametrize(
    ("conditions", "field", "text"),
    [
        ([{"trigger": "grade_treshold"}, SHARPE], "conditions.0.trigger", "Did you mean grade_threshold"),
        ([{**GRADE, "options": {"levle": 1}}, SHARPE], "conditions.0.options.levle", "Did you mean level"),
        ([GRADE, {**SHARPE, "options": {"level": 99}}], "conditions.1.options.level", "Must be greater than"),
        ([GRADE, {**SHARPE, "options": {"min_observations": 1.5}}], "conditions.1.options.min_observations", "such as 2."),
        ([GRADE, {**SHARPE, "options": 5}], "conditions.1.options", 'Write options as an object, such as {"level": 80}.'),
        ([GRADE, {**SHARPE, "option": {}}], "conditions.1.option", "Did you mean options?"),
        ([GRADE, {"options": {}}], "conditions.1.trigger", "Name a trigger, such as grade_threshold."),
        ([GRADE, {"trigger": None}], "conditions.1.trigger", "Name a trigger, such as grade_threshold."),
        ([GRADE, 5], "conditions.1", 'Write a rule as {"trigger": "grade_threshold", "options"'),
        ([GRADE, None], "conditions.1", 'Write a rule as {"trigger": "grade_threshold", "options"'),
        ([GRADE, "sharpe_threshold"], "conditions.1", 'Write a rule as {"trigger": "grade_threshold", "options"'),
        (5, "conditions", 'Write conditions as a list of rules: [{"trigger": "grade_threshold", "options"'),
        ([GRADE, {"trigger": "all_of", "options": {}}], "conditions.1.trigger", "takes no other"),
        ([GRADE, {"trigger": "index_ranking"}], "conditions.1.trigger", "about indices"),
        ([GRADE, {"trigger": "data_corrected"}], "conditions.1.trigger", "about events"),
        ([{"trigger": "market_regime_changed"}, {"trigger": "sentiment_changed"}], "conditions", "Name a condition about"),
        ([GRADE, SHARPE, {**GRADE, "options": {"level": 80}}], "conditions.2", "the same as condition 0"),
        ([GRADE], "conditions", "Name 2 to 5 conditions"),
        ([], "conditions", "Name 2 to 5 conditions"),
        ([{**GRADE, "options": {"level": level}} for level in range(40, 46)], "conditions", "Name 2 to 5 conditions"),
        ([GRADE, {**SHARPE, "level": 2}], "conditions.1.level", "A rule has no such part. There are: trigger, options."),
        ([GRADE, "sharpe_threshold"], "conditions.1", "This is no JSON text"),
        ("grade_threshold and sharpe_threshold", "conditions", "This is no JSON text"),
        ("[" * 5_000, "conditions", "This is no JSON text"),
        (json.dumps([GRADE] * 2_000), "conditions", "This is no JSON text"),
        ({"trigger": "grade_threshold"}, "conditions", "Write conditions as a list of rules"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_by_name(conditions: Any, field: str, text: str) -> None:
    assert problem({"conditions": conditions})[0] == field
    assert text in problem({"conditions": conditions})[1]


def test_more_conditions_than_there_are_cannot_be_asked_for() -> None:
    assert problem({"at_least": 3}) == ("at_least", "There are 2 conditions: ask for 2 at most.")


# -- others re-expressed ---------------------------------------------------------------------------------------------

#: A dual grade is high from 60 and low again from 58 down.
HIGH, LOW = {"level": 60, "direction": "up", "hysteresis": 2}, {"level": 58, "direction": "down", "hysteresis": 2}
REGIMES = {"both_high": (HIGH, HIGH), "short_term": (HIGH, LOW), "wait": (LOW, HIGH), "avoid": (LOW, LOW)}


@st.composite
def grades_of_a_month(draw: st.DrawFn) -> list[float | None]:
    """Some that go up and down through the band, the first clear of it; never two missing in a row."""
    grades: list[float | None] = [draw(st.sampled_from([50.0, 70.0]))]
    for _ in range(30):
        missing = [] if grades[-1] is None else [None]
        grades.append(draw(st.sampled_from([50.0, 57.9, 58.0, 59.0, 60.0, 70.0, *missing])))
    return grades


@pytest.mark.parametrize("regime", REGIMES)
@examples(100)
@given(data=st.data())
def test_entering_a_regime_of_two_grades_is_a_compound_of_two_thresholds(regime: str, data: st.DataObject) -> None:
    """Of both grades a side is known from the first reading on: a regime that is not known cannot be left, a condition that
    is not known may still come to be met."""
    dual = TRIGGERS["dual_grade"]
    pairs = list(zip(*(data.draw(grades_of_a_month()) for _ in "ti"), strict=True))
    quiet, days = data.draw(st.sampled_from([0, 6, 24])), range(len(pairs))
    asked = loaded(dual, {"regimes": regime, "cooldown_hours": quiet})
    told_of = history_of(
        source_of(dual, asked), dual,
        [
            (day * DAY, {"tm_trader_grade": t, "investor_grades.tm_investor_grade": i})
            for day, (t, i) in zip(days, pairs, strict=True)
        ],
        others=others_of(dual, asked),
    )  # fmt: skip
    trader, investor = REGIMES[regime]
    options = of(
        ("grade_threshold", {"grade": "trader", "preset": "own", **trader}),
        ("grade_threshold", {"grade": "investor", "preset": "own", **investor}),
        cooldown_hours=quiet,
    )
    names = {"trader_grades": "tm_trader_grade", "investor_grades": "tm_investor_grade"}
    clock, other = TRIGGER.sources(options)
    by_name = {"trader_grades": 0, "investor_grades": 1}
    rows = [
        (day * DAY, {names[clock]: pair[by_name[clock]], f"{other}.{names[other]}": pair[by_name[other]]})
        for day, pair in zip(days, pairs, strict=True)
    ]
    history = history_of(source_of(TRIGGER, options), TRIGGER, rows, others=others_of(TRIGGER, options))
    assert [f.as_of for f in TRIGGER.scan(history, options)] == [f.as_of for f in dual.scan(told_of, asked)]


#: Signs of a bearish warning that are triggers of their own. Grades have two decimals: below 30 is 29.99 or less.
SIGNS = {
    "low_grade": ("grade_threshold", {"grade": "trader", "preset": "own", "level": 29.99, "direction": "down", "hysteresis": 0}),
    "bearish_crossover": ("signal_flipped", {"direction": "bearish"}),
    "volume_drying": (
        "volume_changed",
        {"times": 2, "direction": "down", "hysteresis": 0, "flat_only": True, "flat_percent": 5, "flat_days": 7},
    ),
}
READINGS = {
    "trader_grades": {"tm_trader_grade": st.sampled_from([20.0, 29.99, 30.0, 45.0])},
    "trading_signals": {"token_trend": st.sampled_from([1.0, 1.0, -1.0])},
    "risk_30d": {"volume_ratio": st.sampled_from([0.4, 0.5, 0.51, 1.0])},
    "daily_ohlcv": {"close": st.sampled_from([100.0, 100.0, 105.0, 111.0])},
}


@pytest.mark.parametrize("at_least", [1, 2, 3])
@examples(100)
@given(data=st.data())
def test_a_bearish_warning_is_a_compound_of_those_of_its_signs_that_are_triggers(at_least: int, data: st.DataObject) -> None:
    """The other three signs have none: a return since a signal whatever followed it, a fundamental grade below that of
    thirty days before, and the age of a signal are states that no trigger watches by itself."""
    warning = TRIGGERS["bearish_warning"]
    asked = loaded(warning, {"signs": ",".join(SIGNS), "at_least": at_least})
    options = of(*SIGNS.values(), at_least=at_least)
    said = [{source: {m: data.draw(v) for m, v in each.items()} for source, each in READINGS.items()} for _ in range(24)]
    for each in said[:7]:  # until a week of prices is known, nobody knows whether they held
        each["risk_30d"]["volume_ratio"] = 1.0

    def past(trigger: Trigger, asked: Options) -> History:
        clock, *others = trigger.sources(asked)
        rows = [
            (day * DAY, {**each[clock], **{f"{name}.{m}": v for name in others for m, v in each[name].items()}})
            for day, each in enumerate(said)
        ]
        return history_of(source_of(trigger, asked), trigger, rows, others=others_of(trigger, asked))

    warned = [(f.as_of, f.fields["signs_count"]) for f in warning.scan(past(warning, asked), asked)]
    assert [(f.as_of, f.fields["met_count"]) for f in TRIGGER.scan(past(TRIGGER, options), options)] == warned
