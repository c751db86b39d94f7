"""Listings and delistings against a plain reference, and examples of rule 6."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.catalogue import Trigger
from integration.domain.history import History
from integration.triggers.token_delisted import TRIGGER as DELISTED
from integration.triggers.token_listed import TRIGGER as LISTED
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded
from tests.triggers.reference import HOUR, quiet, turn_at

#: (time, the tokens that a poll shows); None where it shows none.
Polls = Sequence[tuple[int, str | None]]
BOTH = pytest.mark.parametrize("trigger", [LISTED, DELISTED], ids=["listed", "delisted"])


def history(polls: Polls, cadence: int = DAY) -> History:
    readings: list[tuple[int, Any]] = []
    for when, tokens in polls:
        covered = {str(ord(c)): c for c in tokens or ""}
        readings.append((when, {"tokens": len(covered), "text": json.dumps({"tokens": covered}) if covered else None}))
    return history_of(SOURCES["tokens"], LISTED, readings, cadence)


def found(trigger: Trigger, polls: Polls, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, str]]:
    name = "listed_symbols" if trigger is LISTED else "delisted_symbols"
    return [(firing.as_of, firing.fields[name]) for firing in trigger.scan(history(polls, cadence), options)]


def told(trigger: Trigger, asked: Mapping[str, Any], *lists: str | None) -> dict[int, str]:
    polls = [(day * DAY, tokens) for day, tokens in enumerate(lists)]
    return {when // DAY: symbols for when, symbols in found(trigger, polls, DAY, loaded(trigger, asked))}


def runs(polls: Polls, max_gap: int) -> list[list[tuple[int, str]]]:
    """The complete polls, in runs within which all are of the same list: rule 6, and seven tenths either way."""
    whole: list[tuple[int, str]] = []
    for when, tokens in polls:
        near = [len(other or "") for then, other in polls if when - max_gap <= then <= when]
        if tokens and 10 * len(tokens) >= 7 * max(near):
            whole.append((when, tokens))
    parts: list[list[tuple[int, str]]] = []
    for at, (when, tokens) in enumerate(whole):
        before = len(whole[at - 1][1]) if at else 0
        if not at or 10 * min(before, len(tokens)) < 7 * max(before, len(tokens)):
            parts.append([])
        parts[-1].append((when, tokens))
    return parts


def expected(trigger: Trigger, polls: Polls, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, str]]:
    wanted, gone = (1, 3) if trigger is LISTED else (-1, options["min_observations"])
    confirm = options["min_observations"] if trigger is LISTED else 1
    happened: dict[int, list[str]] = {}
    for part in runs(polls, max(2 * DAY, 3 * cadence)):
        for symbol in sorted({symbol for _, tokens in part for symbol in tokens}):
            # 0: it is there; 1, 2, …: so many polls in a row were without it
            absences = [next((n for n in range(at + 1) if symbol in part[at - n][1]), at + 1) for at in range(len(part))]
            seen = [(when, float(absences[at])) for at, (when, _) in enumerate(part)]

            def side(absent: float) -> int:
                return 1 if absent == 0 else (-1 if absent >= gone else 0)

            turns = [turn_at(seen, at, cadence, confirm, side, unsure=-1) for at in range(len(seen))]
            changes = [at for at, turn in enumerate(turns) if turn]
            for turn in filter(None, turns):
                if turn.side == wanted and not quiet(seen, changes, turn.at, round(options["cooldown_hours"] * HOUR)):
                    happened.setdefault(part[turn.at][0], []).append(symbol)
    return [(when, ", ".join(symbols)) for when, symbols in sorted(happened.items())]


@st.composite
def questions(draw: st.DrawFn, trigger: Trigger) -> tuple[Polls, int, dict[str, Any]]:
    asked = {
        "min_observations": draw(st.sampled_from([1, 1, 2, 3] if trigger is LISTED else [3, 3, 4])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 25.0, 100.0, 720.0])),
    }
    size = draw(st.sampled_from([4, 8]))
    few = st.sets(st.sampled_from("abcdefgh"[:size]), min_size=size // 4, max_size=size)
    most = st.sets(st.sampled_from("abcdefgh"[:size]), min_size=size - 2, max_size=size)
    tokens = (most | most | few).map(sorted).map("".join)
    seen = st.sampled_from([*draw(st.lists(tokens, min_size=2, max_size=5)), None])
    cadence = draw(st.sampled_from([DAY, DAY, 10 * DAY]))
    step = st.sampled_from([(1, 10)] * 8 + [(2, 10), (3, 10), (1, 1), (1, 20), (1, 21), (1, 26), (1, 30), (1, 31), (35, 10)])
    polls, when = [], 0
    for (stays, tenths), shown in draw(st.lists(st.tuples(step, seen), max_size=20)):
        for again in range(min(stays, 3) if cadence == DAY else stays):
            when += (10 if again else tenths) * cadence // 10
            polls.append((when, shown))
    return polls, cadence, loaded(trigger, asked)


@BOTH
@examples(300)
@given(data=st.data())
def test_who_appears_and_disappears_is_what_the_rules_read_plainly_say(trigger: Trigger, data: st.DataObject) -> None:
    polls, cadence, options = data.draw(questions(trigger))
    assert found(trigger, polls, cadence, options) == expected(trigger, polls, cadence, options)


@BOTH
@examples(150)
@given(data=st.data())
def test_nothing_older_than_the_lookback_influences_a_firing(trigger: Trigger, data: st.DataObject) -> None:
    polls, cadence, options = data.draw(questions(trigger))
    assert_nothing_older_than_the_lookback_matters(trigger, history(polls, cadence), options)


@pytest.mark.parametrize("absent", [1, 2])
def test_rule_6_one_that_is_absent_from_fewer_than_three_polls_was_never_gone(absent: int) -> None:
    lists = ["abcd", *["abc"] * absent, "abcd"]
    assert told(LISTED, {}, *lists) == told(DELISTED, {}, *lists) == {}


def test_rule_6_absent_from_three_complete_polls_is_gone() -> None:
    lists = ["abcd", "abc", None, "abc", "ab", "abc", "abc"]
    assert told(DELISTED, {}, *lists) == {5: "d"}


@pytest.mark.parametrize(("left", "told_of"), [(7, "h, i, j"), (6, "")])
def test_rule_6_a_list_that_shrinks_by_more_than_thirty_percent_delists_nobody(left: int, told_of: str) -> None:
    lists = ["abcdefghij", *["abcdefghij"[:left]] * 8]
    assert told(DELISTED, {}, *lists) == ({3: told_of} if told_of else {})


def test_rule_6_a_part_of_a_list_neither_delists_nor_makes_the_rest_new() -> None:
    for parts in range(1, 9):
        lists = ["abcdefghij", *["abcdef"] * parts, "abcdefghij", "abcdefghij"]
        assert told(LISTED, {}, *lists) == told(DELISTED, {}, *lists) == {}


def test_after_a_part_of_a_list_those_who_are_really_gone_are_told() -> None:
    lists = ["abcdefghij", "abc", "abcdefghi", "abcdefghi", "abcdefghi"]
    assert told(DELISTED, {}, *lists) == {4: "j"}


def test_a_delisted_token_is_told_with_when_it_was_last_seen() -> None:
    polls = [(day * DAY, tokens) for day, tokens in enumerate(["abcd", "abcd", "abc", None, "abc", "abc"])]
    (firing,) = DELISTED.scan(history(polls), loaded(DELISTED, {}))
    assert firing.fields["delisted"] == [{"token_id": 100, "symbol": "d", "last_seen": "1970-01-02T00:00:00Z"}]


def test_fewer_than_three_polls_cannot_be_asked_for() -> None:
    with pytest.raises(ValidationError):
        loaded(DELISTED, {"min_observations": 2})
    assert loaded(DELISTED, {})["min_observations"] == 3


def test_a_year_of_six_thousand_tokens_is_scanned_in_seconds() -> None:
    everyone = {str(number): f"T{number}" for number in range(6_000)}
    readings: list[tuple[int, Any]] = []
    for day in range(400):
        gone = {str(number) for number in range(day, day + 5)}
        covered = {key: symbol for key, symbol in everyone.items() if key not in gone}
        readings.append((day * DAY, {"tokens": len(covered), "text": json.dumps({"tokens": covered})}))
    past = history_of(SOURCES["tokens"], LISTED, readings)
    began = time.process_time()
    assert len(DELISTED.scan(past, loaded(DELISTED, {}))) > 390
    assert time.process_time() - began < 5
