"""Membership of the top of a ranking against the plain reference, and examples of its rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.token_ranking import RANKINGS, TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded
from tests.triggers.reference import HOUR, quiet, turn_at

#: (time, order of symbols with the best first, how many are ranked); None where the reading has no ranking.
Snapshots = Sequence[tuple[int, str | None, int]]
NOWHERE = 10_000


def history(snapshots: Snapshots, cadence: int = DAY) -> History:
    readings: list[tuple[int, Any]] = []
    for time, order, ranked in snapshots:
        rows = [{"token_id": ord(c), "name": f"Coin {c}", "symbol": c, "value": 99.0 - at} for at, c in enumerate(order or "")]
        text = None if order is None else json.dumps({"trader_grade": {"ranked": ranked, "rows": rows}})
        readings.append((time, {"text": text}))
    return history_of(SOURCES["trader_ranking"], TRIGGER, readings, cadence)


def fields_of(asked: Mapping[str, Any], *orders: str | None, ranked: Sequence[int] = ()) -> dict[int, dict[str, Any]]:
    snapshots = [(day * DAY, order, ranked[day] if ranked else 100) for day, order in enumerate(orders)]
    firings = TRIGGER.scan(history(snapshots), loaded(TRIGGER, asked))
    return {firing.as_of // DAY: dict(firing.fields) for firing in firings}


def fired(asked: Mapping[str, Any], *orders: str | None, ranked: Sequence[int] = ()) -> dict[int, tuple[str, str]]:
    return {day: (f["entered_symbols"], f["left_symbols"]) for day, f in fields_of(asked, *orders, ranked=ranked).items()}


def alike(snapshots: Snapshots) -> list[list[tuple[int, str]]]:
    """Snapshots in runs within which as many are ranked, to three tenths."""
    runs: list[list[tuple[int, str]]] = []
    before = None
    for time, order, ranked in snapshots:
        if order is None:
            continue
        if before is None or 10 * min(ranked, before) < 7 * max(ranked, before):
            runs.append([])
        runs[-1].append((time, order))
        before = ranked
    return runs


def expected(snapshots: Snapshots, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, Any, Any]]:
    top, buffer = options["top"], options["exit_buffer"]
    happened: dict[int, tuple[list[Any], list[Any]]] = {}

    def side(rank: float) -> int:
        return 1 if rank <= top else (-1 if rank > top + buffer else 0)

    for run in alike(snapshots):
        for symbol in sorted({symbol for _, order in run for symbol in order}):
            seen = [(time, float(order.index(symbol) + 1 if symbol in order else NOWHERE)) for time, order in run]
            turns = [turn_at(seen, at, cadence, options["min_observations"], side, unsure=-1) for at in range(len(seen))]
            crossings = [at for at, turn in enumerate(turns) if turn]
            for turn in filter(None, turns):
                wanted = options["moves"] in ("both", "enter" if turn.side > 0 else "leave")
                if wanted and not quiet(seen, crossings, turn.at, round(options["cooldown_hours"] * HOUR)):
                    entered, left = happened.setdefault(run[turn.at][0], ([], []))
                    (entered if turn.side > 0 else left).append((symbol, seen[turn.before][1], seen[turn.at][1]))
    return [(time, sorted(entered), sorted(left)) for time, (entered, left) in sorted(happened.items())]


def found(snapshots: Snapshots, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, Any, Any]]:
    def moved(rows: Any) -> list[Any]:
        return sorted((r["symbol"], r["previous_rank"] or NOWHERE, r["rank"] or NOWHERE) for r in rows)

    firings = TRIGGER.scan(history(snapshots, cadence), options)
    return [(f.as_of, moved(f.fields["entered"]), moved(f.fields["left"])) for f in firings]


@st.composite
def questions(draw: st.DrawFn) -> tuple[Snapshots, int, dict[str, Any]]:
    asked = {
        "top": draw(st.sampled_from([1, 2, 3])),
        "exit_buffer": draw(st.sampled_from([0, 1, 2])),
        "moves": draw(st.sampled_from(["enter", "leave", "both", "both"])),
        "min_observations": draw(st.sampled_from([1, 1, 2, 3])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 25.0, 100.0, 720.0])),
    }
    order = st.permutations("abcdef").flatmap(lambda all_: st.integers(1, 6).map(lambda n: "".join(all_[:n])))
    seen = st.sampled_from([*draw(st.lists(order, min_size=2, max_size=5)), None])
    ranked = st.sampled_from([100, 100, 100, 100, 100, 71, 70, 69, 143])
    cadence = draw(st.sampled_from([DAY, DAY, 10 * DAY]))
    step = st.sampled_from([(1, 10)] * 8 + [(1, 1), (1, 20), (1, 21), (1, 26), (1, 30), (1, 31), (35, 10), (36, 10)])
    snapshots, time = [], 0
    for (stays, tenths), symbols, count in draw(st.lists(st.tuples(step, seen, ranked), max_size=20)):
        for again in range(stays if cadence > DAY else 1):
            time += (10 if again else tenths) * cadence // 10
            snapshots.append((time, symbols, count))
    return snapshots, cadence, loaded(TRIGGER, asked)


@examples(300)
@given(question=questions())
def test_moves_are_those_of_the_rules_read_plainly(question: tuple[Snapshots, int, dict[str, Any]]) -> None:
    snapshots, cadence, options = question
    assert found(snapshots, cadence, options) == expected(snapshots, cadence, options)


@examples(150)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: tuple[Snapshots, int, dict[str, Any]]) -> None:
    snapshots, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(snapshots, cadence), options)


def test_rule_10_a_token_is_in_at_rank_n_and_out_only_past_the_buffer() -> None:
    assert fired({"top": 2, "exit_buffer": 1}, "abcd", "acbd", "acdb") == {1: ("c", ""), 2: ("", "b")}
    assert fired({"top": 2, "exit_buffer": 1}, "abcd", "acbd", "abcd", "acbd") == {1: ("c", "")}


def test_rule_10_one_event_holds_all_moves_of_a_snapshot_with_ranks_and_values() -> None:
    fields = fields_of({"top": 2, "exit_buffer": 0}, "abcd", "cdax")[1]
    assert [(row["symbol"], row["rank"], row["previous_rank"], row["value"]) for row in fields["entered"]] == [
        ("c", 1, 3, 99.0),
        ("d", 2, 4, 98.0),
    ]
    assert [(row["symbol"], row["rank"], row["previous_rank"], row["value"]) for row in fields["left"]] == [
        ("a", 3, 1, 97.0),
        ("b", None, 2, None),
    ]
    assert (fields["entered_count"], fields["left_count"], fields["top_1_symbol"]) == (2, 2, "c")


def test_rule_5_tokens_cool_down_one_by_one() -> None:
    asked = {"top": 2, "exit_buffer": 0, "cooldown_hours": 30}
    assert fired(asked, "abcd", "acbd", "abcd") == {1: ("c", "b")}
    assert fired(asked, "abcd", "acbd", "adbc") == {1: ("c", "b"), 2: ("d", "")}


@pytest.mark.parametrize(("before", "after", "told"), [(100, 70, True), (100, 69, False), (70, 100, True), (69, 100, False)])
def test_a_part_of_the_market_is_no_yardstick_for_the_whole_of_it(before: int, after: int, told: bool) -> None:
    assert bool(fired({"top": 1, "exit_buffer": 0}, "ab", "ba", ranked=[before, after])) is told


def test_once_begun_anew_changes_are_told_again() -> None:
    asked = {"top": 1, "exit_buffer": 0}
    assert fired(asked, "ab", "xy", "yx", ranked=[10, 100, 100]) == {2: ("y", "x")}


def test_many_moves_are_summed_up() -> None:
    fields = fields_of({"top": 12, "exit_buffer": 0}, "abcdefghijkl", "mnopqrstuvwx")[1]
    text = TRIGGER.summary({**TRIGGER.sample, **fields})
    assert "m, n, o, p, q, r, s, t, u, v and 2 more entered" in text
    assert fields["entered_symbols"] == "m, n, o, p, q, r, s, t, u, v, w, x"


@pytest.mark.parametrize(("top", "buffer"), [(100, 51), (60, 91)])
def test_a_place_that_no_ranking_shows_is_refused_with_the_remedy(top: int, buffer: int) -> None:
    with pytest.raises(ValidationError, match=f"use {150 - top} at most") as caught:
        loaded(TRIGGER, {"top": top, "exit_buffer": buffer})
    assert set(caught.value.messages_dict) == {"exit_buffer"}
    assert loaded(TRIGGER, {"top": top, "exit_buffer": 150 - top})["exit_buffer"] == 150 - top
    assert loaded(TRIGGER, {"top": 100})["exit_buffer"] == 10


def test_every_metric_is_one_that_its_source_ranks_by() -> None:
    for metric, (source, _) in RANKINGS.items():
        assert f"{metric}_ranked" in {each.name for each in SOURCES[source].metrics}
        assert TRIGGER.sources(loaded(TRIGGER, {"metric": metric})) == (source,)
