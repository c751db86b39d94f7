"""Corrections against the plain reading of rule 7: what was told, beside what the newest versions say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.catalogue import Options, Trigger, told_by
from integration.domain.history import Log, Told
from integration.domain.ids import canonical, event_id
from integration.triggers import load
from integration.triggers._conditions import WRITTEN
from integration.triggers.data_corrected import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, case_log, cut_log, loaded
from tests.triggers.strategies import rules_with_log
from tests.triggers.test_replay import live, moments

TRIGGERS = load()
SHARPE = TRIGGERS["sharpe_threshold"]


def sharpe(*arrivals: tuple[float, float | None, float]) -> Log:
    """A log of (day, Sharpe ratio, day on which it became known)."""
    readings = [(day, {"sharpe": value, "known_at": known_at}) for day, value, known_at in arrivals]
    return case_log(TRIGGER, loaded(TRIGGER, {}), readings)


def corrected(log: Log, asked: Mapping[str, Any] | None = None) -> list[Told]:
    return told_by(TRIGGER, loaded(TRIGGER, asked or {}), log)


def days(told: Sequence[Told]) -> list[tuple[float, float, str]]:
    """(day, day on which it became known, reason)."""
    return [(t.firing.as_of / DAY, t.known_at / DAY, t.firing.fields["reason"]) for t in told]


@st.composite
def rules_with_trouble(draw: st.DrawFn) -> tuple[dict[str, Any], Log]:
    """A rule over a Sharpe ratio that crosses its level often, is restated often, and comes late or several at once."""
    asked = {"cooldown_hours": draw(st.sampled_from([0, 30])), "min_observations": draw(st.sampled_from([1, 1, 2]))}
    arrivals, day, known_at = [], 0, 0.0
    for _ in range(draw(st.integers(2, 20))):
        day += draw(st.sampled_from([0, 1, 1, 1, 1, 2, 5]))
        known_at = max(known_at + draw(st.sampled_from([0, 0.25, 1])), day)
        back = draw(st.sampled_from([0, 0, 0, 0, 1, 2, 3]))
        arrivals.append((day - back, draw(st.sampled_from([0.5, 0.9, 0.97, 1.1, 1.5, None])), known_at))
    return loaded(TRIGGER, {"of": {"trigger": "sharpe_threshold", "options": asked}}), sharpe(*arrivals)


ANY = rules_with_trouble() | rules_with_log(TRIGGER)


# -- rule 7, word for word -------------------------------------------------------------------------------------------


def expected(trigger: Trigger, options: Options, log: Log) -> list[tuple[Any, ...]]:
    """Go from moment to moment; where one restates or is late, compare all that was told with the newest versions."""
    told = live(trigger, options, log)
    done: set[int] = set()
    found = []
    start = 0
    for stop in moments(log):
        known_at = int(log.known_at[stop - 1])
        times = log.as_of[:stop].tolist()
        odd = [at for at in range(start, stop) if at and times[at] <= max(times[:at])]
        start = stop
        if not odd:
            continue
        newest = {as_of: max(at for at in range(stop) if times[at] == as_of) for as_of in times}
        rows = np.asarray([newest[as_of] for as_of in sorted(newest)], dtype=np.int64)
        now = {f.as_of: dict(f.fields) for f in trigger.scan(log.history(rows), options)}
        for each in sorted(told, key=lambda t: t.firing.as_of):
            as_of, old = each.firing.as_of, dict(each.firing.fields)
            if each.known_at > known_at or as_of in done or as_of < min(times[at] for at in odd):
                continue
            if now.get(as_of) != old:
                done.add(as_of)
                restated = any(times[at] in times[:at] for at in odd)
                found.append((as_of, known_at, old, now.get(as_of), restated))
    return found


@examples(300)
@given(question=ANY)
def test_corrections_are_those_of_rule_7_read_plainly(question: tuple[dict[str, Any], Log]) -> None:
    options, log = question
    rule = options["of"]
    found = [
        (t.firing.as_of, t.known_at, t.firing.fields["old"], t.firing.fields["new"], t.restated)
        for t in told_by(TRIGGER, options, log)
    ]
    assert found == expected(TRIGGERS[rule["trigger"]], rule["options"], log)


@examples(200)
@given(question=ANY)
def test_nothing_is_corrected_where_nothing_is_restated_or_late(question: tuple[dict[str, Any], Log]) -> None:
    options, log = question
    order = [at for at in range(len(log.as_of)) if at == 0 or log.as_of[at] > log.as_of[:at].max()]
    picked = np.asarray(order, dtype=np.int64)
    in_order = replace(
        log, as_of=log.as_of[picked], known_at=log.known_at[picked], values=log.values[picked],
        texts=tuple(log.texts[at] for at in order), joined={n: o.take(picked) for n, o in log.joined.items()},
    )  # fmt: skip
    assert told_by(TRIGGER, options, in_order) == []


@examples(200)
@given(question=ANY)
def test_corrections_change_nothing_that_was_told_before(question: tuple[dict[str, Any], Log]) -> None:
    options, log = question
    rule = options["of"]
    trigger, asked = TRIGGERS[rule["trigger"]], rule["options"]
    events, told = told_by(trigger, asked, log), told_by(TRIGGER, options, log)
    for stop in moments(log):
        part = cut_log(log, stop)
        before, so_far = told_by(trigger, asked, part), told_by(TRIGGER, options, part)
        assert (events[: len(before)], told[: len(so_far)]) == (before, so_far)


def test_a_correction_names_the_event_that_was_told() -> None:
    log = sharpe((0, 0.9, 0), (1, 1.1, 1), (1, 0.8, 2))
    (told,) = told_by(SHARPE, loaded(SHARPE, {}), log)
    (found,) = corrected(log)
    identity = event_id("sharpe_threshold", SHARPE.semantics, canonical(loaded(SHARPE, {})), "token:1", DAY)
    assert found.firing.fields["corrects"] == identity
    assert found.firing.fields["old"] == told.firing.fields
    assert found.firing.fields["corrected_known_at"] == "1970-01-02T00:00:00Z"
    assert (found.firing.as_of, found.known_at, found.restated) == (told.firing.as_of, 2 * DAY, True)


def test_its_own_id_differs_from_that_of_the_event_and_from_other_rules_corrections() -> None:
    ids = set()
    for asked in ({}, {"of": {"trigger": "sharpe_threshold", "options": {"level": 2}}}, {"of": {"trigger": "grade_changed"}}):
        options = loaded(TRIGGER, asked)
        ids.add(event_id(TRIGGER.key, TRIGGER.semantics, canonical(options), "token:1", DAY))
    ids.add(event_id("sharpe_threshold", SHARPE.semantics, canonical(loaded(SHARPE, {})), "token:1", DAY))
    assert len(ids) == 4


def test_a_late_reading_corrects_without_restating() -> None:
    (found,) = corrected(sharpe((0, 0.9, 0), (2, 1.1, 2), (1, 1.2, 3)))
    assert days([found]) == [(2, 3, "would_not_have_fired")]
    assert found.restated is False


def test_one_that_is_too_late_for_history_corrects_as_well() -> None:
    log = sharpe((0, 0.9, 0), (1, 0.9, 1), (2, 0.9, 2), (3, 1.1, 3), (4, 1.1, 4), (5, 1.1, 5), (0, 0.8, 6), (2, 1.2, 6))
    assert days(corrected(log)) == [(3, 6, "would_not_have_fired")]


def test_what_arrives_together_is_looked_at_together() -> None:
    """A day and the one before it are restated in one answer, and the crossing is the same again."""
    log = sharpe((0, 0.9, 0), (1, 0.9, 1), (2, 1.1, 2), (1, 1.2, 3), (1, 0.9, 3))
    assert corrected(log) == []


def test_what_is_told_on_readings_that_are_known_to_be_wrong_is_corrected_at_once() -> None:
    """A restated older day stays out of history, so that a crossing is told; the newest versions know it happened before."""
    log = sharpe((0, 0.9, 0), (1, 0.9, 1), (2, 0.97, 2), (1, 1.2, 3), (3, 1.2, 3))
    assert [t.firing.as_of // DAY for t in told_by(SHARPE, loaded(SHARPE, {}), log)] == [3]
    assert days(corrected(log)) == [(3, 3, "would_not_have_fired")]


def test_nothing_older_than_the_reach_of_a_change_is_doubted_or_needed() -> None:
    """What live evaluation loads, the readings since the oldest new one and the look back before it, is enough."""
    options = loaded(TRIGGER, {})
    long_ago = [(float(day), 0.9 if day % 2 else 1.1, float(day)) for day in range(0, 900, 2)]
    log = sharpe(*long_ago, (900, 0.9, 900), (902, 1.1, 902), (904, 0.9, 904), (902, 1.2, 905), (904, 1.1, 905))
    reach = TRIGGER.lookback(options).total(3 * DAY)
    short = np.flatnonzero(log.as_of >= 902 * DAY - reach)
    assert len(short) < len(log.as_of)
    part = replace(
        log,
        as_of=log.as_of[short],
        known_at=log.known_at[short],
        values=log.values[short],
        texts=tuple(log.texts[s] for s in short),
    )

    def now(log: Log) -> list[Told]:
        return [t for t in told_by(TRIGGER, options, log) if t.known_at == 905 * DAY]

    assert now(log) == now(part)
    assert days(now(log)) == [(902, 905, "would_differ"), (904, 905, "would_not_have_fired")]


# -- what may be asked -----------------------------------------------------------------------------------------------


def test_a_rule_as_an_object_or_as_json_text_is_one_rule_with_every_default_written_out() -> None:
    of = {"trigger": "sharpe_threshold", "options": {"level": "1"}}
    assert loaded(TRIGGER, {"of": of}) == loaded(TRIGGER, {"of": json.dumps(of)}) == loaded(TRIGGER, {})
    assert loaded(TRIGGER, {})["of"]["options"] == loaded(SHARPE, {})


def test_events_of_a_compound_rule_can_be_corrected() -> None:
    options = loaded(TRIGGER, {"of": {"trigger": "all_of"}})
    assert TRIGGER.sources(options) == TRIGGERS["all_of"].sources(options["of"]["options"])


@pytest.mark.parametrize(
    ("of", "messages"),
    [
        (
            {"trigger": "data_corrected"},
            {"trigger": ["Corrections are not corrected: name the trigger whose events you were told."]},
        ),
        (
            {"trigger": "token_rankin"},
            {"trigger": ["There is no trigger 'token_rankin'. Did you mean token_ranking or index_ranking?"]},
        ),
        ({"trigger": "sharpe_threshold", "options": {"levl": 1}}, {"options": {"levl": ["Unknown option. Did you mean level?"]}}),
        ({"options": {}}, {"trigger": ["Name a trigger, such as grade_threshold."]}),
        ({"trigger": "sharpe_threshold", "options": []}, {"options": ['Write options as an object, such as {"level": 80}.']}),
        (None, [f"Write a rule as {WRITTEN}."]),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(of: Any, messages: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        loaded(TRIGGER, {"of": of})
    assert caught.value.messages == {"of": messages}


# -- what it says ----------------------------------------------------------------------------------------------------


def test_a_correction_ends_with_what_would_have_been_told() -> None:
    (found,) = corrected(sharpe((0, 0.9, 0), (1, 1.1, 1), (0, 0.8, 2)))
    said = TRIGGER.summary({**TRIGGER.sample, **found.firing.fields, "subject_name": "One"})
    assert said == (
        "Correction: on restated data the Sharpe Ratio Crossing of One on 2 January 1970 would read: "
        "One's 90-day Sharpe ratio rose above 1: 0.80 → 1.10 on 2 January 1970."
    )
