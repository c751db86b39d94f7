"""The screen misses nothing, whatever the rules and readings are; and what it proposes follows from the rungs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import Trigger
from integration.domain.history import History
from integration.domain.retry import HOUR
from integration.domain.screen import Condition, Move, Pairs, Past, Recent, Screen, Watch
from integration.triggers import load
from tests.laws import examples
from tests.triggers.logs import DAY, cut, plain
from tests.triggers.strategies import rules_with_history

SCREENED = {key: trigger for key, trigger in load().items() if trigger.watch is not None}
EVERY = pytest.mark.parametrize("trigger", SCREENED.values(), ids=SCREENED)


def recent_of(history: History, depth: int) -> Recent:
    """The last readings of one history, as many as are there."""
    count = min(depth, len(history.as_of))
    times = np.full((1, depth), -1, dtype=np.int64)
    values = np.full((1, depth, len(history.metrics)), np.nan)
    if count:
        times[0, -count:], values[0, -count:] = history.as_of[-count:], history.values[-count:]
    return Recent(times, history.metrics, values, history.cadence)


def proposed(conditions: tuple[Condition, ...], recent: Recent, *, broad: bool = False) -> bool:
    named = Pairs(*(np.empty(0, dtype=np.int64),) * 2) if broad else Pairs(np.array([0]), np.array([0]))
    screen = Screen({0: conditions}, 1, named, [[0]] if broad else [])
    spans = screen.spans(recent)
    return bool(len(screen.named(spans, np.array([0])).rules) or len(screen.broad(spans, [np.array([0])] if broad else []).rules))


@EVERY
@examples(300)
@given(data=st.data())
def test_what_fires_at_the_newest_reading_is_proposed(trigger: Trigger, data: st.DataObject) -> None:
    options, history = data.draw(rules_with_history(trigger))
    assert trigger.watch is not None
    conditions, depth = trigger.watch(options), data.draw(st.integers(1, 40))
    if not conditions:
        return  # these options cannot be screened: every reading is looked at
    for stop in range(1, len(history.as_of) + 1):
        known = cut(history, 0, stop)
        fired = trigger.scan(known, options)
        if fired and fired[-1].as_of == known.as_of[-1]:
            assert proposed(conditions, recent_of(known, depth))
            assert proposed(conditions, recent_of(known, depth), broad=True)


@EVERY
@examples(300)
@given(data=st.data())
def test_a_history_that_is_enough_fires_as_a_longer_one(trigger: Trigger, data: st.DataObject) -> None:
    options, history = data.draw(rules_with_history(trigger, max_size=60))
    assert trigger.watch is not None
    conditions = trigger.watch(options)
    if not conditions:
        return
    whole = plain(trigger.scan(history, options))
    for start in range(0, len(history.as_of), 1 + len(history.as_of) // 12):
        shorter = cut(history, start)
        if Past(shorter).enough(conditions):
            last = int(history.as_of[-1])
            assert [f for f in plain(trigger.scan(shorter, options)) if f[0] == last] == [f for f in whole if f[0] == last]


@EVERY
@examples(400)
@given(data=st.data())
def test_of_even_readings_a_few_tell_where_quiet_times_are_no_longer(trigger: Trigger, data: st.DataObject) -> None:
    options, history = data.draw(rules_with_history(trigger, max_size=40))
    options = {**options, "cooldown_hours": min(options["cooldown_hours"], history.cadence / HOUR)}
    assert trigger.watch is not None
    conditions, steps = trigger.watch(options), data.draw(st.sampled_from([[1], [1, 1, 1, 2, 3, 4]]))
    gaps = [data.draw(st.sampled_from(steps)) for _ in history.as_of]
    even = replace(history, as_of=np.cumsum(np.array(gaps, dtype=np.int64)) * history.cadence)
    whole = plain(trigger.scan(even, options))
    for count in range(1, 7):
        few = cut(even, max(0, len(even.as_of) - count))
        if conditions and Past(few).tells(conditions):
            last = int(even.as_of[-1])
            assert [f for f in plain(trigger.scan(few, options)) if f[0] == last] == [f for f in whole if f[0] == last]


def days(*values: float | None) -> Recent:
    column = np.array([np.nan if v is None else v for v in values])
    times = np.arange(len(values), dtype=np.int64) * DAY
    return Recent(times[None, :], ("x",), column[None, :, None], DAY)


UP = Watch("x", 1.0, 0.95, (1,), 1, 0)
BOTH = Watch("x", 1.0, 0.95, (1, -1), 1, 0)
CONFIRMED = Watch("x", 1.0, 0.95, (1,), 3, 0)


@pytest.mark.parametrize(
    ("condition", "recent", "wanted"),
    [
        (UP, days(0.9, 1.0), True),
        (UP, days(1.0, 1.2), False),
        (UP, days(0.9, 0.97), False),
        (UP, days(1.1, 0.9), False),
        (BOTH, days(1.1, 0.95), True),
        (BOTH, days(0.94, 0.9), False),
        (UP, days(0.9, None, 1.1), True),
        (UP, days(1.1, None), False),
        (UP, days(1.1), True),  # nothing is seen before it
        (CONFIRMED, days(0.9, 1.1, 1.1, 1.1), True),
        (CONFIRMED, days(0.9, 1.1, 1.1, 1.1, 1.1), False),
        (CONFIRMED, days(0.9, 0.9, 1.1, 1.1), True),  # superset: the reading three before lies on the other side
        (Move("x", 10.0, 2, 0), days(50, 0, 60), True),
        (Move("x", 10.0, 2, 0), days(50, 0, 59.9), False),
        (Move("x", 10.0, 2, 0), days(None, 50, 55), True),  # nothing is seen so far back
        (Move("x", 0.1, 1, 0), days(0.2, 0.3), True),
    ],
)
def test_a_condition_is_proposed_where_it_may_have_come_true(condition: Condition, recent: Recent, wanted: bool) -> None:
    assert proposed((condition,), recent) is proposed((condition,), recent, broad=True) is wanted


@examples(200)
@given(data=st.data())
def test_many_rules_at_once_are_proposed_as_each_would_be_alone(data: st.DataObject) -> None:
    level = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1.5, 2.0])
    watch = st.builds(
        lambda metric, upper, band, tells, observations: Watch(metric, upper, upper - band, tells, observations, 0),
        st.sampled_from(["x", "y"]), level, st.sampled_from([0.0, 0.5]), st.sampled_from([(1,), (-1,), (1, -1)]),
        st.integers(1, 3),
    )  # fmt: skip
    move = st.builds(Move, st.sampled_from(["x", "y"]), st.sampled_from([0.5, 1.0, 2.0]), st.integers(1, 3), st.just(0))
    conditions = dict(enumerate(data.draw(st.lists(st.lists(watch | move, min_size=1, max_size=3), min_size=1, max_size=8))))
    count = data.draw(st.integers(1, 5))
    number = st.sampled_from([-1.0, 0.0, 0.4, 0.5, 0.6, 1.0, 1.5, 2.0, None])
    drawn = data.draw(st.lists(st.lists(number, min_size=12, max_size=12), min_size=count, max_size=count))
    values: Any = np.array([[np.nan if v is None else v for v in row] for row in drawn]).reshape(count, 6, 2)
    recent = Recent(np.tile(np.arange(6, dtype=np.int64) * DAY, (count, 1)), ("x", "y"), values, DAY)
    asked = sorted(data.draw(st.sets(st.tuples(st.sampled_from(list(conditions)), st.integers(0, count - 1)))))
    scope = st.tuples(st.lists(st.sampled_from(list(conditions)), max_size=5), st.sets(st.integers(0, count - 1)))
    scopes = data.draw(st.lists(scope, max_size=3))
    rules, subjects = (np.array([pair[at] for pair in asked], dtype=np.int64) for at in (0, 1))
    screen = Screen(conditions, count, Pairs(rules, subjects), [rules for rules, _ in scopes])
    spans = screen.spans(recent)
    members = [np.array(sorted(held), dtype=np.int64) for _, held in scopes]
    found = (screen.named(spans, np.arange(count)), screen.broad(spans, members))
    named, everywhere = (set(zip(pairs.rules.tolist(), pairs.subjects.tolist(), strict=True)) for pairs in found)
    fits = {
        (rule, subject)
        for subject in range(count)
        for rule in conditions
        if proposed(tuple(conditions[rule]), Recent(recent.times[[subject]], ("x", "y"), values[[subject]], DAY))
    }
    assert named == fits & set(asked)
    assert everywhere == {(rule, row) for rule, row in fits if any(rule in asks and row in held for asks, held in scopes)}
