"""News of reports against a plain reading of the rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.sources.ai_reports import KINDS as FIELDS
from integration.triggers.report_published import KINDS, TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, assert_nothing_older_than_the_lookback_matters, history_of, loaded, source_of
from tests.triggers.reference import HOUR, quiet

#: A time, and the hash of each kind that there is a report of; None where nothing was said at all.
Reading = tuple[int, dict[str, str] | None]
Question = tuple[Sequence[Reading], int, dict[str, Any]]
YEAR = 360 * DAY


def history(readings: Sequence[Reading], cadence: int = DAY) -> History:
    def text(hashes: dict[str, str]) -> str:
        return json.dumps(
            {kind: {"sha256": hashes[kind], "length": 9, "title": kind} if kind in hashes else None for kind in KINDS}
        )

    values = [(time, {} if hashes is None else text(hashes)) for time, hashes in readings]
    return history_of(source_of(TRIGGER, loaded(TRIGGER, {})), TRIGGER, values, cadence)


def expected(readings: Sequence[Reading], cadence: int, options: dict[str, Any]) -> list[tuple[int, list[tuple[str, str]]]]:
    seen = [(time, hashes) for time, hashes in readings if hashes is not None]
    happened: dict[int, list[tuple[str, str]]] = {}
    for kind in options["kinds"].split(","):
        for at in range(len(seen)):
            if what := news(seen, at, kind, cadence):
                happened.setdefault(at, []).append((kind, what))
    times = [(time, 0.0) for time, _ in seen]
    told = []
    for at in sorted(happened):
        wanted = [each for each in happened[at] if options["news"] in ("both", each[1])]
        if wanted and not quiet(times, sorted(happened), at, round(options["cooldown_hours"] * HOUR)):
            told.append((seen[at][0], wanted))
    return told


def news(seen: Sequence[tuple[int, dict[str, str]]], at: int, kind: str, cadence: int) -> str:
    """What is new of one kind at a reading: nothing, that it appeared, or that it changed."""
    now = seen[at][1].get(kind)
    for back in range(at - 1, -1, -1):
        if seen[back + 1][0] - seen[back][0] > max(48 * HOUR, 3 * cadence):
            return "" if back == at - 1 or now is None else "appeared"
        then = seen[back][1].get(kind)
        if then is not None:
            if now is None or then == now:
                return "" if now is None or seen[at][0] - seen[back][0] <= YEAR else "appeared"
            return "changed" if seen[at][0] - seen[back][0] <= YEAR else "appeared"
    return "appeared" if at and now is not None else ""


@st.composite
def questions(draw: st.DrawFn) -> Question:
    kinds = ["deep_dive", "code_review"]
    asked = {
        "kinds": draw(st.sampled_from(["", "deep_dive", "deep_dive,code_review"])),
        "news": draw(st.sampled_from(["both", "appeared", "changed"])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 30.0])),
    }
    hashes = st.dictionaries(st.sampled_from(kinds), st.sampled_from("ab"))
    cadence = draw(st.sampled_from([DAY, DAY, 30 * DAY]))
    step = st.tuples(st.sampled_from([10] * 10 + [1, 20, 30, 31]), st.sampled_from([1, 1, 1, 11, 12, 13]), st.none() | hashes)
    time, readings = 0, []
    for tenths, stays, each in draw(st.lists(step, max_size=20)):
        for again in range(stays if cadence > DAY else 1):
            time += (10 if again else tenths) * cadence // 10
            readings.append((time, each))
    return readings, cadence, loaded(TRIGGER, asked)


@examples(400)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: Question) -> None:
    readings, cadence, options = question
    firings = TRIGGER.scan(history(readings, cadence), options)
    assert [(f.as_of, [(r["kind"], r["news"]) for r in f.fields["reports"]]) for f in firings] == expected(*question)


@examples(100)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: Question) -> None:
    readings, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(readings, cadence), options)


def test_the_kinds_are_those_of_the_source() -> None:
    assert list(KINDS) == list(FIELDS)


def test_a_kind_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match="Did you mean deep_dive"):
        loaded(TRIGGER, {"kinds": "deepdive"})


@pytest.mark.parametrize(
    ("before", "now", "sentence"),
    [
        ({"deep_dive": "a"}, {"deep_dive": "b"}, "Bitcoin's deep dive was rewritten on 2 January 1970."),
        ({}, {"code_review": "a"}, "Bitcoin's code review was published on 2 January 1970."),
        (
            {"deep_dive": "a"},
            {"deep_dive": "b", "code_review": "a"},
            "Bitcoin's deep dive and code review were published or rewritten on 2 January 1970.",
        ),
    ],
)
def test_sentences(before: dict[str, str], now: dict[str, str], sentence: str) -> None:
    (firing,) = TRIGGER.scan(history([(0, before), (DAY, now)]), loaded(TRIGGER, {}))
    assert TRIGGER.summary({**TRIGGER.sample, **firing.fields, "as_of": "1970-01-02T00:00:00Z"}) == sentence
