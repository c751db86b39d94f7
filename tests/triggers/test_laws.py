"""The laws of every scan, over random options and readings."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import Trigger, told_by
from integration.domain.delta import MAX_COOLDOWN
from integration.triggers import load
from tests.laws import examples
from tests.triggers.logs import (
    DAY,
    assert_nothing_older_than_the_lookback_matters,
    case_log,
    cut,
    joined_logs,
    loaded,
    plain,
)  # fmt: skip
from tests.triggers.strategies import rules_with_history

TRIGGERS = load()
EVERY = pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
LAW = examples(100)


@EVERY
@LAW
@given(data=st.data())
def test_the_firings_of_a_prefix_are_a_prefix_of_the_firings(trigger: Trigger, data: st.DataObject) -> None:
    options, history = data.draw(rules_with_history(trigger))
    whole = plain(trigger.scan(history, options))
    for stop in range(0, len(history.as_of), 1 + len(history.as_of) // 20):
        end = history.as_of[stop]
        assert plain(trigger.scan(cut(history, 0, stop), options)) == [firing for firing in whole if firing[0] < end]


@EVERY
@LAW
@given(data=st.data())
def test_nothing_older_than_the_lookback_influences_a_firing(trigger: Trigger, data: st.DataObject) -> None:
    options, history = data.draw(rules_with_history(trigger))
    assert_nothing_older_than_the_lookback_matters(trigger, history, options)


@EVERY
@LAW
@given(data=st.data())
def test_there_is_at_most_one_firing_a_reading_in_order_and_never_at_the_first(trigger: Trigger, data: st.DataObject) -> None:
    options, history = data.draw(rules_with_history(trigger))
    fired = [firing.as_of for firing in trigger.scan(history, options)]
    assert fired == sorted(set(fired))
    assert set(fired) <= set(history.as_of[1:].tolist())
    assert all(type(as_of) is int for as_of in fired)


@EVERY
@LAW
@given(data=st.data())
def test_a_scan_leaves_its_arguments_alone_and_repeats_itself(trigger: Trigger, data: st.DataObject) -> None:
    options, history = data.draw(rules_with_history(trigger))
    before, values = copy.deepcopy(options), history.values.tobytes()
    first = trigger.scan(history, options)
    assert plain(trigger.scan(history, options)) == plain(first)
    assert options == before
    assert history.values.tobytes() == values


@EVERY
@LAW
@given(data=st.data())
def test_a_subject_that_never_changes_is_never_told(trigger: Trigger, data: st.DataObject) -> None:
    options, history = data.draw(rules_with_history(trigger))
    if not len(history.as_of):
        return
    still = replace(history.take(np.zeros(len(history.as_of), dtype=np.int64)), as_of=history.as_of)
    assert trigger.scan(still, options) == []


@EVERY
@LAW
@given(data=st.data())
def test_what_lies_before_too_long_a_silence_is_forgotten(trigger: Trigger, data: st.DataObject) -> None:
    options, history = data.draw(rules_with_history(trigger))
    whole = plain(trigger.scan(history, options))
    gaps = [at for at in range(1, len(history.as_of)) if history.as_of[at] - history.as_of[at - 1] > history.max_gap]
    for at in gaps:
        before, after = history.as_of[at - 1], history.as_of[at]
        fresh = plain(trigger.scan(cut(history, at), options))
        # a cooldown may be longer than a silence, and counts what it kept silent before it
        unheard = [f for f in fresh if f[0] > before + MAX_COOLDOWN]
        assert {f[0] for f in unheard} <= {f[0] for f in whole}
        assert {f[0] for f in whole if f[0] >= after} <= {f[0] for f in fresh}


@EVERY
def test_it_finds_changes_across_years_of_daily_readings(trigger: Trigger) -> None:
    """A rule that fires in its first case fires as often as that case is repeated with silence between."""
    case = trigger.fires[0]
    options = loaded(trigger, case.options)
    length = max(day for day, _ in case.readings) + 10
    log = joined_logs([case_log(trigger, options, case.readings, later=repeat * length) for repeat in range(40)])
    fired = sorted(each.firing.as_of for each in told_by(trigger, options, log))
    assert fired == [round((r * length + day) * DAY) for r in range(40) for day in sorted(case.fires)]
