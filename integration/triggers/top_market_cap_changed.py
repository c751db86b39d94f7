"""Fires when tokens enter or leave the top N by market cap.

Stablecoins, and what is wrapped, bridged or staked of another token, may be left out; ranks are then among the rest. All
moves of one snapshot are one event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import fields

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

SOURCE, METRIC = "market_cap_ranking", "market_cap"


class LargestOptions(TopOptions):
    """How many places are watched, and among which tokens."""

    exclude_stablecoins = fields.Boolean(
        load_default=True, metadata=described("Leave Out Stablecoins", "Rank among tokens that are no stablecoins")
    )
    exclude_wrapped = fields.Boolean(
        load_default=True,
        metadata=described("Leave Out Wrapped", "Rank among tokens that are not wrapped, bridged or staked ones of another"),
    )


class LargestToken(RankedToken):
    """A token that moved."""

    market_rank = fields.Integer(
        required=True,
        allow_none=True,
        metadata=described("Market Rank", "Among all tokens; empty where no longer shown"),
    )


class LargestPayload(MovesPayload):
    """The moves of one snapshot."""

    entered = items(LargestToken, "Entered")
    left = items(LargestToken, "Left")
    exclude_stablecoins = fields.Boolean(required=True, metadata=described("Without Stablecoins"))
    exclude_wrapped = fields.Boolean(required=True, metadata=described("Without Wrapped"))


def sources(_options: Options) -> tuple[str, ...]:
    """Market cap ranks."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """Membership is remembered like a side."""
    return level_lookback(options)


def scan(history: History, options: Options) -> list[Firing]:
    """Snapshots in which membership of the top N changed."""
    as_of, boards = said(history, METRIC)
    among = [[row for row in board["rows"] if _counts(row, options)] for board in boards]
    ranked = np.asarray([board["ranked"] for board in boards], dtype=np.float64)
    found = moves_of(history, as_of, [[row["token_id"] for row in rows] for rows in among], options, stretches(ranked))
    return [Firing(int(as_of[at]), _fields(among, at, moved, options)) for at, moved in found.items()]


def _counts(row: Mapping[str, Any], options: Options) -> bool:
    """Whether a token is one of those that are ranked."""
    left_out = (options["exclude_stablecoins"] and row["stablecoin"]) or (options["exclude_wrapped"] and row["wrapped"])
    return not left_out


def _fields(among: list[list[Any]], at: int, moved: list[Moved], options: Options) -> dict[str, Any]:
    def row(move: Moved) -> dict[str, Any]:
        known = next(each for each in among[move.shown] if each["token_id"] == move.token)
        rank = int(known["value"]) if move.shown == at else None
        return {"name": known["name"], "symbol": known["symbol"], "market_rank": rank}

    return {
        "top": options["top"],
        "exclude_stablecoins": options["exclude_stablecoins"],
        "exclude_wrapped": options["exclude_wrapped"],
        **move_fields(moved, row),
    }


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    without = [word for word in ("stablecoins", "wrapped") if event[f"exclude_{word}"]]
    words = " or ".join(without).replace("wrapped", "wrapped tokens")
    among = f" without {words}" if without else ""
    return f"{moves_in_words(event)} the top {event['top']} by market cap{among} on {day_and_month(event['as_of'])}."


_TIME = "2025-06-10T00:00:00Z"
_EXAMPLE = {
    "top": 10,
    "exclude_stablecoins": True,
    "exclude_wrapped": True,
    "entered": [{"token_id": 25383, "name": "Sui", "symbol": "SUI", "rank": 10, "previous_rank": 12, "market_rank": 13}],
    "left": [{"token_id": 3796, "name": "Chainlink", "symbol": "LINK", "rank": 12, "previous_rank": 10, "market_rank": 16}],
    "entered_count": 1,
    "left_count": 1,
    "entered_symbols": "SUI",
    "left_symbols": "LINK",
}


def _lists(*orders: str) -> list[tuple[float, Any]]:
    """A list a day from strings, the largest first; s and t are stablecoins, w is wrapped. An empty string is no list."""
    days: list[tuple[float, Any]] = []
    for day, order in enumerate(orders):
        rows = [
            {"token_id": ord(c), "name": c, "symbol": c, "value": place, "stablecoin": c in "st", "wrapped": c == "w"}
            for place, c in enumerate(order, 1)
        ]
        days.append((day, {"text": json.dumps({METRIC: {"ranked": 1000, "rows": rows}}) if order else None}))
    return days


TRIGGER = Trigger(
    key="top_market_cap_changed",
    noun="Top Market Cap Change",
    label="New Top Market Cap Change",
    description="Triggers when a token enters or leaves the largest tokens by market cap.",
    semantics=1,
    subject="market",
    options=LargestOptions,
    payload=LargestPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample(
        "top_market_cap_changed",
        "New Top Market Cap Change",
        THE_MARKET,
        _EXAMPLE,
        summary({**_EXAMPLE, "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "one enters and another leaves past the buffer",
            {"top": 2},
            _lists("abcd", "acdb"),
            {1: {"entered_symbols": "c", "left_symbols": "b"}},
        ),
        Case(
            "ranks are among the rest",
            {"top": 2, "exit_buffer": 0},
            _lists("aswbc", "aswcb"),
            {1: {"entered_symbols": "c", "left_symbols": "b"}},
        ),
        Case(
            "a stablecoin where they count",
            {"top": 2, "exit_buffer": 0, "exclude_stablecoins": False, "moves": "enter"},
            _lists("abs", "asb"),
            {1: {"entered_symbols": "s", "exclude_stablecoins": False}},
        ),
        Case("a day without a list is passed over", {"top": 2}, _lists("abcd", "", "acdb"), {2: {"entered_count": 1}}),
        Case("only leaving is asked for", {"top": 1, "moves": "leave"}, _lists("abc", "bca"), {1: {"left_symbols": "a"}}),
    ),
    silent=(
        Case("the first list", {"top": 2}, _lists("abcd")),
        Case("a stablecoin overtakes", {"top": 2, "exit_buffer": 0}, _lists("abcs", "asbc", "satbc")),
        Case("the order changes within the top", {"top": 3}, _lists("abcd", "cbad")),
        Case("it falls into the buffer and returns", {"top": 2}, _lists("abcd", "acbd", "abcd")[:1] + _lists("abcd", "abdc")[1:]),
        Case("too long a silence lies between", {"top": 2}, [_lists("abcd")[0], (4, _lists("acdb")[0][1])]),
    ),
)
