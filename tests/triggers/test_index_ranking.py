"""Membership of an index's top against the plain reference, and examples of rule 10."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.index_ranking import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded, plain
from tests.triggers.reference import HOUR, observations, quiet, turn_at

Holding = tuple[str, float, float | None]
Snapshots = Sequence[tuple[int, Sequence[Holding] | None]]
NOWHERE = 10_000


def text(holdings: Sequence[Holding] | None) -> str | None:
    if holdings is None:
        return None
    rows = [
        {"token_id": ord(symbol), "name": f"Coin {symbol}", "symbol": symbol, "weight": weight, "market_cap": cap}
        for symbol, weight, cap in holdings
    ]
    return json.dumps({"holdings": rows})


def history(snapshots: Snapshots, cadence: int = DAY) -> History:
    readings: list[tuple[int, Any]] = [(time, {} if holdings is None else text(holdings)) for time, holdings in snapshots]
    return history_of(SOURCES["indices_holdings"], TRIGGER, readings, cadence)


def order(symbols: str) -> list[Holding]:
    """Holdings from a string, the heaviest first."""
    return [(symbol, round(1 - place / 100, 2), None) for place, symbol in enumerate(symbols)]


def fired(asked: Mapping[str, Any], *snapshots: str | Sequence[Holding] | None) -> dict[int, tuple[str, str]]:
    """(entered, left) by day, of one snapshot a day."""
    return {day: (f["entered_symbols"], f["left_symbols"]) for day, f in fields_of(asked, *snapshots).items()}


def fields_of(asked: Mapping[str, Any], *snapshots: str | Sequence[Holding] | None) -> dict[int, dict[str, Any]]:
    options = loaded(TRIGGER, asked)
    days = [(day * DAY, order(s) if isinstance(s, str) else s) for day, s in enumerate(snapshots)]
    return {firing.as_of // DAY: dict(firing.fields) for firing in TRIGGER.scan(history(days), options)}


def ranks_of(holdings: Sequence[Holding]) -> dict[str, int]:
    """Weight descending, market cap descending, token id."""
    best_first = sorted(holdings, key=lambda h: ord(h[0]))
    best_first.sort(key=lambda h: h[2] or 0, reverse=True)
    best_first.sort(key=lambda h: h[1], reverse=True)
    return {symbol: place for place, (symbol, _, _) in enumerate(best_first, 1)}


def expected(snapshots: Snapshots, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, Any, Any]]:
    complete = [(time, ranks_of(holdings)) for time, holdings in snapshots if holdings]
    top, buffer = options["top"], options["exit_buffer"]
    happened: dict[int, tuple[list[Any], list[Any]]] = {}
    for symbol in sorted({symbol for _, ranks in complete for symbol in ranks}):
        seen = [(time, float(ranks.get(symbol, NOWHERE))) for time, ranks in complete]

        def side(rank: float) -> int:
            return 1 if rank <= top else (-1 if rank > top + buffer else 0)

        turns = [turn_at(seen, at, cadence, options["min_observations"], side, unsure=-1) for at in range(len(seen))]
        crossings = [at for at, turn in enumerate(turns) if turn]
        for turn in filter(None, turns):
            wanted = options["moves"] in ("both", "enter" if turn.side > 0 else "leave")
            if wanted and not quiet(seen, crossings, turn.at, round(options["cooldown_hours"] * HOUR)):
                entered, left = happened.setdefault(complete[turn.at][0], ([], []))
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
        "top": draw(st.sampled_from([1, 2, 3, 4])),
        "exit_buffer": draw(st.sampled_from([0, 1, 2])),
        "moves": draw(st.sampled_from(["enter", "leave", "both", "both"])),
        "min_observations": draw(st.sampled_from([1, 1, 2, 3])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 25.0, 100.0, 720.0])),
    }
    holding = st.tuples(st.sampled_from("abcdef"), st.sampled_from([0.1, 0.2, 0.3]), st.sampled_from([None, 0.0, 5.0, 6.0]))
    snapshot = st.lists(holding, min_size=1, max_size=6, unique_by=lambda h: h[0])
    seen = st.sampled_from([*draw(st.lists(snapshot, min_size=2, max_size=5)), None])
    cadence = draw(st.sampled_from([DAY, DAY, 10 * DAY]))
    step = st.sampled_from([(1, 10)] * 8 + [(1, 1), (1, 20), (1, 21), (1, 26), (1, 30), (1, 31), (35, 10), (36, 10)])
    snapshots, time = [], 0
    for (stays, tenths), holdings in draw(st.lists(st.tuples(step, seen), max_size=20)):
        for again in range(stays if cadence > DAY else 1):
            time += (10 if again else tenths) * cadence // 10
            snapshots.append((time, holdings))
    return snapshots, cadence, loaded(TRIGGER, asked)


@examples(300)
@given(question=questions())
def test_moves_are_those_of_the_rules_read_plainly(question: tuple[Snapshots, int, dict[str, Any]]) -> None:
    snapshots, cadence, options = question
    assert found(snapshots, cadence, options) == expected(snapshots, cadence, options)


@examples(100)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: tuple[Snapshots, int, dict[str, Any]]) -> None:
    snapshots, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(snapshots, cadence), options)


@examples(100)
@given(question=questions(), data=st.data())
def test_the_order_of_rows_in_a_snapshot_does_not_matter(
    question: tuple[Snapshots, int, dict[str, Any]], data: st.DataObject
) -> None:
    snapshots, cadence, options = question
    shuffled = [(time, holdings and data.draw(st.permutations(holdings))) for time, holdings in snapshots]
    assert plain(TRIGGER.scan(history(shuffled, cadence), options)) == plain(TRIGGER.scan(history(snapshots, cadence), options))


def test_rule_10_ties_go_by_market_cap_then_token_id() -> None:
    apart = [("a", 0.5, 1.0), ("b", 0.3, 1.0), ("c", 0.2, 1.0)]
    by_cap = [("a", 0.4, 1.0), ("b", 0.3, 1.0), ("c", 0.3, 2.0)]
    by_id = [("a", 0.4, 1.0), ("c", 0.3, 1.0), ("b", 0.3, 1.0)]
    no_cap = [("a", 0.4, 1.0), ("b", 0.3, None), ("c", 0.3, 0.1)]
    asked = {"top": 2, "exit_buffer": 0}
    assert fired(asked, apart, by_cap) == {1: ("c", "b")}
    assert fired(asked, apart, by_id) == {}
    assert fired(asked, apart, no_cap) == {1: ("c", "b")}


@pytest.mark.parametrize(("top", "buffer"), [(1, 1), (10, 1), (20, 2), (50, 5), (100, 10)])
def test_rule_10_the_default_buffer_is_ten_percent_and_at_least_one(top: int, buffer: int) -> None:
    assert loaded(TRIGGER, {"top": top})["exit_buffer"] == buffer


def test_rule_10_a_token_is_in_at_rank_n_and_out_only_past_the_buffer() -> None:
    assert fired({"top": 2, "exit_buffer": 1}, "abcd", "acbd", "acdb") == {1: ("c", ""), 2: ("", "b")}
    assert fired({"top": 2, "exit_buffer": 2}, "abcde", "cdabe", "abcde") == {1: ("c, d", "")}


def test_rule_10_leaving_and_returning_within_the_buffer_tells_nothing_about_the_token() -> None:
    assert fired({"top": 2, "exit_buffer": 1}, "abcd", "acbd", "abcd", "acbd") == {1: ("c", "")}


def test_rule_10_a_token_first_seen_in_the_buffer_was_not_in_the_top() -> None:
    assert fired({"top": 2, "exit_buffer": 1}, "abcd", "acbd") == {1: ("c", "")}
    assert fired({"top": 2, "exit_buffer": 2}, "abcd", "abdc", "ab") == {}


def test_rule_10_and_4_a_token_first_seen_in_the_buffer_needs_confirmation_to_enter() -> None:
    asked = {"top": 2, "exit_buffer": 1, "min_observations": 2}
    assert fired(asked, "abcd", "acbd", "abcd", "abdc", "abdc") == {}
    assert fired(asked, "abcd", "acbd", "abcd", "acbd", "acbd") == {4: ("c", "")}


def test_rule_10_an_incomplete_snapshot_removes_nobody() -> None:
    assert fired({"top": 2}, "abcd", None, "abcd") == {}
    assert fired({"top": 2}, "abcd", None, "cdab") == {2: ("c, d", "b")}


def test_rule_10_one_event_holds_all_moves_of_a_snapshot() -> None:
    fields = fields_of({"top": 3, "exit_buffer": 0}, "abcdef", "defabc")[1]
    assert (fields["entered_symbols"], fields["left_symbols"]) == ("d, e, f", "a, b, c")
    assert [row["rank"] for row in fields["entered"]] == [1, 2, 3]
    assert [row["previous_rank"] for row in fields["left"]] == [1, 2, 3]
    assert (fields["top_1_symbol"], fields["top_1_weight"]) == ("d", 1.0)


def test_rule_4_one_that_was_sold_keeps_its_name_and_rank_until_that_is_confirmed() -> None:
    asked = {"top": 2, "min_observations": 3}
    (row,) = fields_of(asked, "abcd", "bcd", "bcd", "bcd")[3]["left"]
    gone = dict.fromkeys(["rank", "weight", "trader_grade", "roi"])
    assert row == {"token_id": 97, "name": "Coin a", "symbol": "a", "previous_rank": 1, **gone}


def test_rule_4_a_confirmed_entry_names_the_rank_it_came_from() -> None:
    asked = {"top": 2, "min_observations": 2, "exit_buffer": 0}
    (row,) = fields_of(asked, "abcd", "adbc", "adbc")[2]["entered"]
    assert (row["symbol"], row["rank"], row["previous_rank"]) == ("d", 2, 4)


def test_rule_5_tokens_cool_down_one_by_one() -> None:
    asked = {"top": 2, "exit_buffer": 0, "cooldown_hours": 30}
    assert fired(asked, "abcd", "acbd", "abcd") == {1: ("c", "b")}
    assert fired(asked, "abcd", "acbd", "adbc") == {1: ("c", "b"), 2: ("d", "")}


def test_rule_3_the_first_snapshot_tells_nothing_nor_does_the_first_after_too_long_a_silence() -> None:
    assert fired({"top": 2}, "abcd", None, None, None, "dcba") == {}
    assert fired({"top": 2}, "abcd", None, None, "dcba") == {3: ("d, c", "a")}


# -- by grade or return ----------------------------------------------------------------------------------------------

Figures = Mapping[str, float | None]


def graded(*snapshots: Figures) -> list[tuple[int, Any]]:
    """A snapshot a day: holdings of equal weight by their trader grade; their return is the grade below 100."""
    return [
        (
            day * DAY,
            json.dumps(
                {
                    "holdings": [
                        {"token_id": ord(symbol), "name": symbol, "symbol": symbol, "weight": 0.1, "market_cap": None,
                         "trader_grade": grade, "roi": None if grade is None else 100 - grade}
                        for symbol, grade in grades.items()
                    ]
                }
            ),
        )
        for day, grades in enumerate(snapshots)
    ]  # fmt: skip


def moved_by(by: str, *snapshots: Figures, **asked: Any) -> dict[int, tuple[str, str]]:
    """(entered, left) by day, of the first place alone."""
    options = loaded(TRIGGER, {"top": 1, "exit_buffer": 0, "by": by, **asked})
    found = TRIGGER.scan(history_of(SOURCES["indices_holdings"], TRIGGER, graded(*snapshots)), options)
    return {f.as_of // DAY: (f.fields["entered_symbols"], f.fields["left_symbols"]) for f in found}


def test_holdings_are_ranked_by_grade_or_return() -> None:
    assert moved_by("grade", {"a": 80, "b": 70}, {"a": 60, "b": 70}) == {1: ("b", "a")}
    assert moved_by("return", {"a": 60, "b": 70}, {"a": 80, "b": 70}) == {1: ("b", "a")}
    assert moved_by("weight", {"a": 80, "b": 70}, {"a": 60, "b": 70}) == {}


def test_a_grade_that_is_missing_is_the_last_one_for_as_long_as_a_silence_may_last() -> None:
    first, gone = {"a": 80.0, "b": 70.0}, {"a": None, "b": 70.0}
    assert moved_by("grade", first, gone, gone, gone, first) == {}
    assert moved_by("grade", first, *[gone] * 4) == {4: ("b", "a")}


def test_a_holding_that_never_had_a_grade_is_not_ranked() -> None:
    assert moved_by("grade", {"a": None, "b": 70}, {"a": None, "b": 70}, {"a": 80, "b": 70}) == {2: ("a", "b")}


def test_a_snapshot_from_before_grades_were_kept_is_passed_over() -> None:
    options = loaded(TRIGGER, {"top": 1, "by": "grade"})
    old = [(day * DAY, text(order("ab"))) for day in range(2)]
    assert TRIGGER.scan(history_of(SOURCES["indices_holdings"], TRIGGER, old), options) == []


@examples(100)
@given(question=questions())
def test_where_grades_go_with_weights_moves_by_grade_are_moves_by_weight(
    question: tuple[Snapshots, int, dict[str, Any]],
) -> None:
    snapshots, cadence, options = question
    with_grades = []
    for time, holdings in snapshots:
        said = text(holdings)
        rows = json.loads(said)["holdings"] if said else []
        for row in rows:
            row["trader_grade"] = row["weight"] * 100
        with_grades.append((time, json.dumps({"holdings": rows}) if rows else {}))
    past = history_of(SOURCES["indices_holdings"], TRIGGER, with_grades, cadence)

    def moves(by: str) -> list[Any]:
        firings = TRIGGER.scan(past, loaded(TRIGGER, {**options, "by": by}))
        return [(f.as_of, f.fields["entered"], f.fields["left"]) for f in firings]

    assert moves("grade") == moves("weight")
    assert_nothing_older_than_the_lookback_matters(TRIGGER, past, loaded(TRIGGER, {**options, "by": "grade"}))


# -- the index among indices -----------------------------------------------------------------------------------------


@examples(200)
@given(
    ranks=st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, None]), max_size=25),
    top=st.integers(1, 3),
    buffer=st.integers(0, 2),
    confirm=st.sampled_from([1, 1, 2]),
    hours=st.sampled_from([0.0, 30.0]),
    moves=st.sampled_from(["enter", "leave", "both"]),
)
def test_an_index_moves_among_indices_by_the_rules_of_a_token(
    ranks: list[float | None], top: int, buffer: int, confirm: int, hours: float, moves: str
) -> None:
    asked = {"rank_of": "indices", "index_metric": "change_7d", "top": top, "exit_buffer": buffer}
    options = loaded(TRIGGER, {**asked, "min_observations": confirm, "cooldown_hours": hours, "moves": moves})
    readings = [(day * DAY, {"rank_by_change_7d": rank, "indices": 5}) for day, rank in enumerate(ranks)]
    firings = TRIGGER.scan(history_of(SOURCES["index_ranks"], TRIGGER, readings), options)
    seen = observations([(day * DAY, rank) for day, rank in enumerate(ranks)])

    def side(rank: float) -> int:
        return 1 if rank <= top else (-1 if rank > top + buffer else 0)

    turns = {at: turn for at in range(len(seen)) if (turn := turn_at(seen, at, DAY, confirm, side, unsure=-1))}
    wanted = {"enter": (1,), "leave": (-1,), "both": (1, -1)}[moves]
    assert [(f.as_of, f.fields["rank"], f.fields["previous_rank"]) for f in firings] == [
        (seen[at][0], seen[at][1], seen[turn.before][1])
        for at, turn in turns.items()
        if turn.side in wanted and not quiet(seen, list(turns), at, round(hours * HOUR))
    ]


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"rank_of": "indices", "by": "grade"}, "by"), ({"index_metric": "change_7d"}, "index_metric")],
)
def test_what_does_not_go_together_is_refused(asked: Mapping[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match="leave it out") as caught:
        loaded(TRIGGER, asked)
    assert list(caught.value.messages_dict) == [field]


def test_indices_are_ranked_by_their_grade_unless_something_else_is_asked() -> None:
    assert loaded(TRIGGER, {"rank_of": "indices"})["index_metric"] == "index_grade"
    assert loaded(TRIGGER, {})["index_metric"] is None


def test_who_moved_is_said_in_one_sentence() -> None:
    (firing,) = TRIGGER.scan(
        history_of(
            SOURCES["index_ranks"], TRIGGER, [(day * DAY, {"rank_by_all_time": r, "indices": 6}) for day, r in ((0, 5), (1, 2))]
        ),
        loaded(TRIGGER, {"rank_of": "indices", "index_metric": "all_time", "top": 3}),
    )
    said = TRIGGER.summary({**TRIGGER.sample, **firing.fields, "as_of": "2025-06-10T00:00:00Z"})
    assert said == "Layer-1 Index entered the top 3 of 6 indices by all-time return: rank 5 → 2 on 10 June 2025."
