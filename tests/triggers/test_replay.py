"""Rules 7, 8 and 14: for any order of arrival, replaying a log tells what was told live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import Options, Trigger, told_by
from integration.domain.history import History, Log, Told
from integration.triggers import load
from tests.laws import examples
from tests.triggers.logs import cut_log
from tests.triggers.strategies import rules_with_log

TRIGGERS = load()
EVERY = pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
#: Those that tell of readings, not of what became known when.
SETTLED = {key: trigger for key, trigger in TRIGGERS.items() if trigger.tell is None}
LAW = examples(120)


def settled(log: Log, arrived: int) -> list[int]:
    """The positions of the readings that count once `arrived` have come, by as_of: rules 7 and 8 word for word."""
    times = [int(time) for time in log.as_of[:arrived]]
    counted = {}
    for as_of in sorted(set(times)):
        versions = [position for position in range(arrived) if times[position] == as_of]
        # "the last version observed before any later as_of was"
        overtaken = next((position for position in range(arrived) if times[position] > as_of), arrived)
        in_time = [position for position in versions if position < overtaken]
        # "one that arrives within one interval takes its place"; an older one, and what restates it later, stays out
        first = versions[0]
        if in_time:
            counted[as_of] = in_time[-1]
        elif max(times[:first]) - as_of <= log.cadence:
            counted[as_of] = first
    return [counted[as_of] for as_of in sorted(counted)]


def history(log: Log, positions: Sequence[int]) -> History:
    return log.history(np.asarray(positions, dtype=np.int64))


def live(trigger: Trigger, options: Options, log: Log) -> list[Told]:
    """Evaluate after each arrival, from scratch, at the newest as_of if it is new or restated; tell an as_of once."""
    if trigger.tell is not None:
        return live_by_moments(trigger, options, log)
    told: dict[int, Told] = {}
    for position in range(len(log.as_of)):
        as_of = int(log.as_of[position])
        earlier = log.as_of[:position].tolist()
        if earlier and as_of < max(earlier):
            continue
        for firing in trigger.scan(history(log, settled(log, position + 1)), options):
            if firing.as_of == as_of and as_of not in told:
                told[as_of] = Told(firing, int(log.known_at[position]), restated=as_of in earlier)
    return list(told.values())


def live_by_moments(trigger: Trigger, options: Options, log: Log) -> list[Told]:
    """What follows from what became known when is evaluated after each moment: what arrives together counts together."""
    found = []
    for stop in moments(log):
        found += [each for each in told_by(trigger, options, cut_log(log, stop)) if each.known_at == log.known_at[stop - 1]]
    return found


def moments(log: Log) -> list[int]:
    """How many readings had arrived after each moment."""
    return [at + 1 for at in range(len(log.as_of)) if at + 1 == len(log.as_of) or log.known_at[at + 1] > log.known_at[at]]


def replayed(trigger: Trigger, options: Options, log: Log) -> list[Told]:
    return told_by(trigger, options, log)


def ids_of(told: Sequence[Told]) -> list[Any]:
    return [(t.firing.as_of, dict(t.firing.fields), t.known_at, t.restated) for t in told]


@EVERY
@LAW
@given(data=st.data())
def test_live_evaluation_equals_a_replay_of_the_log(trigger: Trigger, data: st.DataObject) -> None:
    options, log = data.draw(rules_with_log(trigger))
    assert ids_of(replayed(trigger, options, log)) == ids_of(live(trigger, options, log))


@EVERY
@LAW
@given(data=st.data())
def test_more_readings_never_change_what_was_told(trigger: Trigger, data: st.DataObject) -> None:
    options, log = data.draw(rules_with_log(trigger))
    whole = ids_of(replayed(trigger, options, log))
    for stop in moments(log) if trigger.tell else range(len(log.as_of)):
        before = ids_of(replayed(trigger, options, cut_log(log, stop)))
        assert whole[: len(before)] == before


@pytest.mark.parametrize("trigger", SETTLED.values(), ids=SETTLED)
@LAW
@given(data=st.data())
def test_a_late_reading_tells_nothing_itself(trigger: Trigger, data: st.DataObject) -> None:
    options, log = data.draw(rules_with_log(trigger))
    for position in range(1, len(log.as_of)):
        if log.as_of[position] < log.as_of[:position].max():
            before = ids_of(replayed(trigger, options, cut_log(log, position)))
            assert ids_of(replayed(trigger, options, cut_log(log, position + 1))) == before


@EVERY
@LAW
@given(data=st.data())
def test_an_as_of_is_told_once_and_not_before_it_was_known(trigger: Trigger, data: st.DataObject) -> None:
    options, log = data.draw(rules_with_log(trigger))
    told = replayed(trigger, options, log)
    assert len({t.firing.as_of for t in told}) == len(told)
    assert [t.known_at for t in told] == sorted(t.known_at for t in told)
    arrivals = set(zip(log.as_of.tolist(), log.known_at.tolist(), strict=True))
    if trigger.tell is None:
        assert all((t.firing.as_of, t.known_at) in arrivals for t in told)
    assert all(any(a == t.firing.as_of and k <= t.known_at for a, k in arrivals) for t in told)
    assert {t.known_at for t in told} <= {known_at for _, known_at in arrivals}


@EVERY
@LAW
@given(data=st.data())
def test_readings_in_order_replay_as_one_scan(trigger: Trigger, data: st.DataObject) -> None:
    options, log = data.draw(rules_with_log(trigger))
    order = [p for p in range(len(log.as_of)) if p == 0 or log.as_of[p] > log.as_of[:p].max()]
    picked = np.asarray(order, dtype=np.int64)
    in_order = Log(
        log.subject, log.metrics, log.cadence, log.as_of[picked], log.known_at[picked], log.values[picked],
        tuple(log.texts[p] for p in order), {name: other.take(picked) for name, other in log.joined.items()},
    )  # fmt: skip
    scanned = [(f.as_of, dict(f.fields)) for f in trigger.scan(history(in_order, range(len(order))), options)]
    told = replayed(trigger, options, in_order)
    assert [(t.firing.as_of, dict(t.firing.fields)) for t in told] == scanned
    assert not any(t.restated for t in told)
