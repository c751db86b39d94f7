"""Fires when tokens enter or leave the top N of the whole market by a grade, valuation or gain.

Ranks are among all tokens that Token Metrics grades or prices, of equals the lower token id first. Rankings show the best
150: below, a token has no rank. Where far more or far fewer tokens are ranked than before, what is compared is not the
same market, and all begins anew. All moves of one snapshot are one event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields, validate, validates_schema

from integration.domain.catalogue import Case, Lookback, Options, Trigger
from integration.domain.history import Firing, History
from integration.domain.payload import day_and_month, described, sample
from integration.triggers._levels import level_lookback
from integration.triggers._ranking import (
    Moved,
    MovesPayload,
    RankedToken,
    TopOptions,
    items,
    move_fields,
    moves_in_words,
    moves_of,
)
from integration.triggers._snapshots import THE_MARKET, said, stretches

#: How many of the best a ranking shows.
SHOWN = 150
#: Where each ranking comes from, and what a sentence calls it.
RANKINGS: Mapping[str, tuple[str, str]] = {
    "trader_grade": ("trader_ranking", "trader grade"),
    "investor_grade": ("investor_ranking", "investor grade"),
    "valuation_grade": ("investor_ranking", "valuation grade"),
    "gain_1d": ("gain_ranking", "gain over 1 day"),
    "gain_7d": ("gain_ranking", "gain over 7 days"),
    "gain_30d": ("gain_ranking", "gain over 30 days"),
}


class RankingOptions(TopOptions):
    """By what tokens are ranked, and how many places are watched."""

    metric = fields.String(
        load_default="trader_grade",
        validate=validate.OneOf(list(RANKINGS)),
        metadata=described("Metric", "By what tokens are ranked: a grade, the valuation, or the gain over some days"),
    )

    @validates_schema
    def _shown(self, options: dict[str, Any], **_: Any) -> None:
        if options["top"] + (options["exit_buffer"] or 0) > SHOWN:
            most = SHOWN - options["top"]
            raise ValidationError(f"Rankings show the best {SHOWN}: use {most} at most for this top.", "exit_buffer")


class GradedToken(RankedToken):
    """A token that moved, with what it is ranked by."""

    value = fields.Float(
        required=True,
        allow_none=True,
        metadata=described("Value", "Grade or gain; empty where it is no longer shown", unit="points, or fraction for gains"),
    )


class RankingPayload(MovesPayload):
    """The moves of one snapshot."""

    metric = fields.String(required=True, metadata=described("Metric", "By what tokens are ranked"))
    entered = items(GradedToken, "Entered")
    left = items(GradedToken, "Left")
    ranked = fields.Integer(required=True, metadata=described("Ranked", "How many tokens are ranked in all"))
    top_1_symbol = fields.String(required=True, metadata=described("First Symbol", "The best of all"))
    top_1_value = fields.Float(
        required=True, metadata=described("First Value", "Its grade or gain", unit="points, or fraction for gains")
    )


def sources(options: Options) -> tuple[str, ...]:
    """The ranking by the metric."""
    return (RANKINGS[options["metric"]][0],)


def lookback(options: Options) -> Lookback:
    """Membership is remembered like a side."""
    return level_lookback(options)


def scan(history: History, options: Options) -> list[Firing]:
    """Snapshots in which membership of the top N changed."""
    as_of, boards = said(history, options["metric"])
    ranked = np.asarray([board["ranked"] for board in boards], dtype=np.float64)
    orders = [[row["token_id"] for row in board["rows"]] for board in boards]
    found = moves_of(history, as_of, orders, options, stretches(ranked))
    return [Firing(int(as_of[at]), _fields(boards, at, moved, options)) for at, moved in found.items()]


def _fields(boards: list[Any], at: int, moved: list[Moved], options: Options) -> dict[str, Any]:
    rows = boards[at]["rows"]

    def row(move: Moved) -> dict[str, Any]:
        known = next(each for each in boards[move.shown]["rows"] if each["token_id"] == move.token)
        value = float(known["value"]) if move.shown == at else None
        return {"name": known["name"], "symbol": known["symbol"], "value": value}

    return {
        "metric": options["metric"],
        "top": options["top"],
        "ranked": int(boards[at]["ranked"]),
        "top_1_symbol": rows[0]["symbol"] or rows[0]["name"],
        "top_1_value": float(rows[0]["value"]),
        **move_fields(moved, row),
    }


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    by = RANKINGS[event["metric"]][1]
    return f"{moves_in_words(event)} the top {event['top']} by {by} on {day_and_month(event['as_of'])}."


_TIME = "2025-06-10T00:00:00Z"
_EXAMPLE = {
    "metric": "trader_grade",
    "top": 10,
    "ranked": 2345,
    "top_1_symbol": "AAVE",
    "top_1_value": 92.2,
    "entered": [{"token_id": 3988, "name": "Solana", "symbol": "SOL", "rank": 9, "previous_rank": 14, "value": 89.4}],
    "left": [{"token_id": 3315, "name": "Cardano", "symbol": "ADA", "rank": 12, "previous_rank": 10, "value": 87.1}],
    "entered_count": 1,
    "left_count": 1,
    "entered_symbols": "SOL",
    "left_symbols": "ADA",
}


def _boards(*orders: str, metric: str = "trader_grade", ranked: int = 100) -> list[tuple[float, Any]]:
    """A ranking a day from strings: "abc" shows a, b and c, the best first. An empty string is a day without a ranking."""
    days: list[tuple[float, Any]] = []
    for day, order in enumerate(orders):
        rows = [{"token_id": ord(c), "name": c, "symbol": c, "value": 90.0 - place} for place, c in enumerate(order)]
        text = json.dumps({metric: {"ranked": ranked, "rows": rows}}) if order else None
        days.append((day, {"text": text, f"{metric}_ranked": ranked}))
    return days


TRIGGER = Trigger(
    key="token_ranking",
    noun="Token Ranking Change",
    label="New Token Ranking Change",
    description="Triggers when a token enters or leaves the top tokens by a grade, valuation or gain.",
    semantics=1,
    subject="market",
    options=RankingOptions,
    payload=RankingPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample(
        "token_ranking", "New Token Ranking Change", THE_MARKET, _EXAMPLE, summary({**_EXAMPLE, "as_of": _TIME}), _TIME
    ),
    presets={
        "Enters the ten best trader grades": {"top": 10, "moves": "enter", "metric": "trader_grade"},
        "Enters the ten largest gains of a week": {"top": 10, "moves": "enter", "metric": "gain_7d"},
    },
    fires=(
        Case(
            "one enters and another leaves past the buffer",
            {"top": 2},
            _boards("abcd", "acdb"),
            {1: {"entered_symbols": "c", "left_symbols": "b", "top_1_symbol": "a", "ranked": 100}},
        ),
        Case(
            "one from below what is shown",
            {"top": 1, "exit_buffer": 0},
            _boards("ab", "xa"),
            {1: {"entered_symbols": "x", "left_symbols": "a", "top_1_value": 90.0}},
        ),
        Case(
            "by valuation",
            {"metric": "valuation_grade", "top": 1},
            _boards("abc", "bca", metric="valuation_grade"),
            {1: {"metric": "valuation_grade", "entered_symbols": "b", "left_symbols": "a"}},
        ),
        Case(
            "by gain",
            {"metric": "gain_7d", "top": 2, "moves": "enter"},
            _boards("abc", "cab", metric="gain_7d"),
            {1: {"entered_symbols": "c", "left": []}},
        ),
        Case("a day without a ranking is passed over", {"top": 2}, _boards("abcd", "", "acdb"), {2: {"entered_count": 1}}),
        Case(
            "confirmed by a second ranking",
            {"top": 1, "exit_buffer": 0, "min_observations": 2, "moves": "enter"},
            _boards("ab", "ba", "ba"),
            {2: {"entered_symbols": "b"}},
        ),
    ),
    silent=(
        Case("the first ranking", {"top": 2}, _boards("abcd")),
        Case("the order changes within the top", {"top": 3}, _boards("abcd", "cbad")),
        Case("it falls into the buffer and returns", {"top": 2}, _boards("abcd", "abdc", "abcd")),
        Case("one ranking does not confirm", {"top": 1, "exit_buffer": 0, "min_observations": 2}, _boards("ab", "ba", "ab")),
        Case(
            "far more tokens are ranked than before",
            {"top": 2},
            [_boards("ab", ranked=20)[0], *_boards("xyab", "xyab", ranked=100)[1:]],
        ),
        Case("too long a silence lies between", {"top": 2}, [_boards("abcd")[0], (4, _boards("acdb")[0][1])]),
    ),
)
