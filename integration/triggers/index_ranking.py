"""Fires when tokens enter or leave the top N of an index, by weight, grade or return; or when an index does so among indices.

A token is in from rank N up and out only below rank N plus the exit buffer; between, it is what it was last. Ranks come
from complete snapshots only; of equals the heavier comes first, then the larger by market cap, then the lower token id.
A holding of which a snapshot leaves out the grade or return keeps its last one for a while: see `History.max_gap`. All
moves of one snapshot are one event. Indices are ranked among all there are: see the source of their ranks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from integration.domain.catalogue import Case, Lookback, Options, States, Trigger
from integration.domain.delta import observed
from integration.domain.history import Firing, History
from integration.domain.payload import day_and_month, described, sample
from integration.triggers._holdings import SOURCE, Holding, complete, orders
from integration.triggers._levels import UP, holding, level_lookback
from integration.triggers._ranking import (
    WANTED,
    Moved,
    MovesPayload,
    RankedToken,
    TopOptions,
    items,
    move_fields,
    moves_in_words,
    moves_of,
    top_sides,
)
from integration.triggers._snapshots import turned

RANKS = "index_ranks"
#: What holdings are ranked by: the key of the figure in a holding, and what a sentence calls it.
FIGURES = {"weight": ("weight", "weight"), "grade": ("trader_grade", "trader grade"), "return": ("roi", "return")}
#: What indices are ranked by, in words.
INDEX_METRICS = {
    "index_grade": "index grade",
    "change_24h": "24-hour return",
    "change_7d": "7-day return",
    "change_1m": "one-month return",
    "all_time": "all-time return",
    "market_cap": "market cap",
}


class RankingOptions(TopOptions):
    """What is ranked, by what, and how many places are watched."""

    rank_of = fields.String(
        load_default="tokens",
        validate=validate.OneOf(["tokens", "indices"]),
        metadata=described("Rank Of", "tokens: what the index holds; indices: the index itself among all indices"),
    )
    by = fields.String(
        load_default="weight",
        validate=validate.OneOf(list(FIGURES)),
        metadata=described(
            "By",
            "What holdings are ranked by: weight, grade (the trader grade) or return (since they were bought)",
            when={"rank_of": ["tokens"]},
        ),
    )
    index_metric = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(list(INDEX_METRICS)),
        metadata=described(
            "Index Metric",
            "What indices are ranked by; empty means index_grade; none where tokens are ranked",
            when={"rank_of": ["indices"]},
        ),
    )

    @validates_schema
    def _fits(self, options: dict[str, Any], **_: Any) -> None:
        if options["rank_of"] == "indices" and options["by"] != "weight":
            raise ValidationError("It ranks what an index holds: leave it out, and choose an index_metric.", "by")
        if options["rank_of"] == "tokens" and options["index_metric"] is not None:
            raise ValidationError("It ranks indices: leave it out, or choose rank_of indices.", "index_metric")

    @post_load
    def _metric(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        if options["rank_of"] == "indices":
            options["index_metric"] = options["index_metric"] or "index_grade"
        return options


class HeldToken(RankedToken):
    """A token that moved, and what the index holds of it."""

    weight = fields.Float(required=True, allow_none=True, metadata=described("Weight", "Share of the index", unit="fraction"))
    trader_grade = fields.Float(required=True, allow_none=True, metadata=described("Trader Grade", unit="points"))
    roi = fields.Float(required=True, allow_none=True, metadata=described("Return", "Since it was bought", unit="%"))


class RankingPayload(MovesPayload):
    """The moves of one snapshot, or the move of the index itself."""

    rank_of = fields.String(required=True, metadata=described("Rank Of", "tokens or indices"))
    by = fields.String(required=True, metadata=described("By", "What is ranked by"))
    entered = items(HeldToken, "Entered")
    left = items(HeldToken, "Left")
    top_1_symbol = fields.String(
        required=True, allow_none=True, metadata=described("First Symbol", "The first of the holdings; empty for indices")
    )
    top_1_weight = fields.Float(required=True, allow_none=True, metadata=described("First Weight", unit="fraction"))
    ranked = fields.Integer(required=True, metadata=described("Ranked", "How many holdings or indices are ranked"))
    move = fields.String(
        required=True, allow_none=True, metadata=described("Move", "enter or leave: the index itself; empty for tokens")
    )
    rank = fields.Integer(required=True, allow_none=True, metadata=described("Rank", "Of the index itself; empty for tokens"))
    previous_rank = fields.Integer(
        required=True, allow_none=True, metadata=described("Previous Rank", "Of the index itself; empty for tokens")
    )


def sources(options: Options) -> tuple[str, ...]:
    """Holdings of the index, or its ranks."""
    return (RANKS,) if options["rank_of"] == "indices" else (SOURCE,)


def lookback(options: Options) -> Lookback:
    """Membership is remembered like a side; a grade or return that is missing for one silence more."""
    return level_lookback(options, 2 if options["by"] == "weight" else 3)


def scan(history: History, options: Options) -> list[Firing]:
    """Snapshots in which membership of the top N changed."""
    return (_indices if options["rank_of"] == "indices" else _tokens)(history, options)


# -- tokens of an index ----------------------------------------------------------------------------------------------


def _tokens(history: History, options: Options) -> list[Firing]:
    seen = complete(history)
    ranked = orders(seen, FIGURES[options["by"]][0], history.max_gap)
    kept = [at for at, order in enumerate(ranked) if order]
    held, ranked = [seen.held[at] for at in kept], [ranked[at] for at in kept]
    as_of = seen.as_of[kept]
    found = moves_of(history, as_of, ranked, options)
    return [Firing(int(as_of[at]), _token_fields(held, ranked, at, moved, options)) for at, moved in found.items()]


def _token_fields(
    held: Sequence[Sequence[Holding]], ranked: Sequence[Sequence[int]], at: int, moved: Sequence[Moved], options: Options
) -> dict[str, Any]:
    now = {each["token_id"]: each for each in held[at]}

    def row(move: Moved) -> dict[str, Any]:
        before = {each["token_id"]: each for each in held[move.shown]}
        known, holds_it = now.get(move.token) or before[move.token], move.token in now
        figures = {name: known.get(name) if holds_it else None for name in ("weight", "trader_grade", "roi")}
        return {"name": known["name"], "symbol": known["symbol"], **figures}

    first = now[ranked[at][0]]
    return {
        "rank_of": "tokens",
        "by": options["by"],
        "top": options["top"],
        **move_fields(moved, row),
        "top_1_symbol": first["symbol"],
        "top_1_weight": first["weight"],
        "ranked": len(ranked[at]),
        "move": None,
        "rank": None,
        "previous_rank": None,
    }


# -- the index among indices -----------------------------------------------------------------------------------------


def _indices(history: History, options: Options) -> list[Firing]:
    column = history.column(f"rank_by_{options['index_metric']}")
    as_of, ranks = observed(history.as_of, column)
    counts = history.column("indices")[~np.isnan(column)]
    return [
        Firing(
            int(as_of[turn.at]),
            {
                "rank_of": "indices",
                "by": options["index_metric"],
                "top": options["top"],
                **move_fields([], lambda _: {}),
                "top_1_symbol": None,
                "top_1_weight": None,
                "ranked": int(counts[turn.at]) if np.isfinite(counts[turn.at]) else 0,
                "move": "enter" if turn.side > 0 else "leave",
                "rank": int(ranks[turn.at]),
                "previous_rank": int(ranks[turn.before]),
            },
        )
        for turn in turned(history, as_of, top_sides(ranks, options), options, WANTED[options["moves"]])
    ]


def holds(history: History, options: Options) -> States | None:
    """Whether the index itself is in the top; tokens only move."""
    if options["rank_of"] == "tokens":
        return None
    ranks = history.column(f"rank_by_{options['index_metric']}")
    return holding(history, ranks, top_sides(observed(history.as_of, ranks)[1], options), options, UP)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    name, when = event["subject_name"], day_and_month(event["as_of"])
    if event["rank_of"] == "indices":
        verb, by = "entered" if event["move"] == "enter" else "left", INDEX_METRICS[event["by"]]
        moved = f"rank {event['previous_rank']} → {event['rank']}"
        return f"{name} {verb} the top {event['top']} of {event['ranked']} indices by {by}: {moved} on {when}."
    by = "" if event["by"] == "weight" else f" by {FIGURES[event['by']][1]}"
    return f"{moves_in_words(event)} the top {event['top']} of {name}{by} on {when}."


_TIME = "2025-06-10T00:00:00Z"
_HELD = {"trader_grade": 71.4, "roi": 12.6}
_SOL = {"token_id": 3988, "name": "Solana", "symbol": "SOL", "rank": 9, "previous_rank": 11, **_HELD, "weight": 0.041}
_ADA = {"token_id": 3315, "name": "Cardano", "symbol": "ADA", "rank": 12, "previous_rank": 10, **_HELD, "weight": 0.028}
_EXAMPLE = {
    "rank_of": "tokens",
    "by": "weight",
    "top": 10,
    "entered": [_SOL],
    "left": [_ADA],
    "entered_count": 1,
    "left_count": 1,
    "entered_symbols": "SOL",
    "left_symbols": "ADA",
    "top_1_symbol": "BTC",
    "top_1_weight": 0.31,
    "ranked": 12,
    "move": None,
    "rank": None,
    "previous_rank": None,
}


def _graded(*snapshots: Mapping[str, float | None]) -> list[tuple[float, Any]]:
    """Snapshots of holdings of equal weight, by their grade; returns are the grades in reverse."""
    return [
        (
            day,
            json.dumps(
                {
                    "holdings": [
                        {
                            "token_id": ord(c), "name": c, "symbol": c, "weight": 1 / len(grades), "market_cap": None,
                            "trader_grade": grade, "roi": None if grade is None else -grade,
                        }
                        for c, grade in grades.items()
                    ]
                }
            ),
        )
        for day, grades in enumerate(snapshots)
    ]  # fmt: skip


def _ranked(*ranks: float | None) -> list[tuple[float, Any]]:
    """Ranks of the index itself by its grade, a day each."""
    return [(day, {"rank_by_index_grade": rank, "indices": 6}) for day, rank in enumerate(ranks)]


def _snapshots(*orders: str) -> list[tuple[float, Any]]:
    """Snapshots from strings: "abc" holds a, b and c, the heaviest first. An empty string is an incomplete snapshot."""
    rows: list[tuple[float, Any]] = []
    for day, order in enumerate(orders):
        total = len(order) * (len(order) + 1) / 2
        holdings = [
            {"token_id": ord(c), "name": c, "symbol": c, "weight": (len(order) - place) / total, "market_cap": None}
            for place, c in enumerate(order)
        ]
        rows.append((day, json.dumps({"holdings": holdings})))
    return rows


TRIGGER = Trigger(
    key="index_ranking",
    noun="Index Ranking Change",
    label="New Index Ranking Change",
    description="Triggers when a token enters or leaves the top of an index, or an index the top of all indices.",
    semantics=1,
    subject="index",
    options=RankingOptions,
    payload=RankingPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    summary=summary,
    sample=sample(
        "index_ranking",
        "New Index Ranking Change",
        ("index:1", 1, "Layer-1 Index", ""),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Layer-1 Index", "as_of": _TIME}),
        _TIME,
    ),
    presets={
        "A new token among the ten largest holdings": {"top": 10, "moves": "enter", "rank_of": "tokens"},
        "An index among the three best by index grade": {"top": 3, "moves": "enter", "rank_of": "indices"},
    },
    fires=(
        Case(
            "one enters and another leaves past the buffer",
            {"top": 2},
            _snapshots("abcd", "acdb"),
            {1: {"entered_symbols": "c", "left_symbols": "b", "top_1_symbol": "a"}},
        ),
        Case(
            "a token is bought into the top",
            {"top": 2},
            _snapshots("abc", "axbc"),
            {1: {"entered_symbols": "x", "left_count": 0}},
        ),
        Case("a token is sold", {"top": 2}, _snapshots("abc", "bc"), {1: {"left_symbols": "a"}}),
        Case(
            "an incomplete snapshot between is passed over", {"top": 2}, _snapshots("abcd", "", "acdb"), {2: {"entered_count": 1}}
        ),
        Case(
            "only entries are asked for",
            {"top": 1, "exit_buffer": 0, "moves": "enter"},
            _snapshots("ab", "ba"),
            {1: {"left": []}},
        ),
        Case(
            "by grade",
            {"top": 1, "exit_buffer": 0, "by": "grade"},
            _graded({"a": 80, "b": 70, "c": 60}, {"a": 80, "b": 90, "c": 60}),
            {1: {"entered_symbols": "b", "left_symbols": "a", "top_1_symbol": "b", "ranked": 3}},
        ),
        Case(
            "by return",
            {"top": 1, "exit_buffer": 0, "by": "return"},
            _graded({"a": 60, "b": 70}, {"a": 80, "b": 70}),
            {1: {"entered_symbols": "b"}},
        ),
        Case(
            "the index itself enters the top of all indices and leaves it",
            {"rank_of": "indices", "top": 2},
            _ranked(4, 2, 3, 4),
            {1: {"move": "enter", "rank": 2, "previous_rank": 4, "ranked": 6}, 3: {"move": "leave", "rank": 4}},
        ),
    ),
    silent=(
        Case("the first snapshot", {"top": 2}, _snapshots("abcd")),
        Case("the order changes within the top", {"top": 3}, _snapshots("abcd", "cbad")),
        Case(
            "it falls into the buffer and returns",
            {"top": 2},
            _snapshots("abcd", "adbc", "abdc")[:1] + _snapshots("abcd", "abcd")[1:],
        ),
        Case("an incomplete snapshot", {"top": 2}, _snapshots("abcd", "")),
        Case(
            "a grade is missing for a day",
            {"top": 1, "exit_buffer": 0, "by": "grade"},
            _graded({"a": 80, "b": 70}, {"a": None, "b": 70}, {"a": 80, "b": 70}),
        ),
        Case("an index falls into the buffer and returns", {"rank_of": "indices", "top": 2}, _ranked(2, 3, 1)),
        Case("an index is not ranked for a day", {"rank_of": "indices", "top": 2}, _ranked(2, None, 2)),
        Case("too long a silence lies between", {"top": 2}, [_snapshots("abcd")[0], (4, _snapshots("acdb")[0][1])]),
    ),
)
