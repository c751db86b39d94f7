"""Fires when tokens enter or leave the top N of an index, by weight.

A token is in from rank N up and out only below rank N plus the exit buffer; between, it is what it was last. Ranks come
from complete snapshots only, by weight, then market cap, then token id. All moves of one snapshot are one event.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from marshmallow import Schema, fields, post_load, validate

from integration.domain.catalogue import Case, Lookback, Options, Trigger
from integration.domain.delta import COUNTED, MEMORY, Crossing, crossings
from integration.domain.history import Firing, History
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.retry import HOUR
from integration.triggers._options import TriggerOptions

SOURCE = "indices_holdings"
ABSENT = 1_000_000

Holding = dict[str, Any]


class RankingOptions(TriggerOptions):
    """How many places are watched."""

    top = fields.Integer(
        load_default=10, validate=validate.Range(1, 100), metadata=described("Top", "How many places count as the top")
    )
    exit_buffer = fields.Integer(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 100),
        metadata=described(
            "Exit Buffer", "How many places below the top still count as in; empty means 10 % of the top, at least 1"
        ),
    )
    moves = fields.String(
        load_default="both",
        validate=validate.OneOf(["enter", "leave", "both"]),
        metadata=described("Moves", "Tell when tokens enter, leave, or both"),
    )

    @post_load
    def _buffer(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        if options["exit_buffer"] is None:
            options["exit_buffer"] = max(1, round(options["top"] * 0.1))
        return options


class RankedToken(Schema):
    """A token that moved."""

    token_id = fields.Integer(required=True, metadata=described("Token ID"))
    name = fields.String(required=True, metadata=described("Name"))
    symbol = fields.String(required=True, metadata=described("Symbol"))
    rank = fields.Integer(required=True, allow_none=True, metadata=described("Rank", "Empty where it is no longer held"))
    previous_rank = fields.Integer(
        required=True, allow_none=True, metadata=described("Previous Rank", "Empty where it was not held")
    )
    weight = fields.Float(required=True, allow_none=True, metadata=described("Weight", "Share of the index", unit="fraction"))


class RankingPayload(EventPayload):
    """The moves of one snapshot."""

    top = fields.Integer(required=True, metadata=described("Top"))
    entered = fields.List(fields.Nested(RankedToken), required=True, metadata=described("Entered"))
    left = fields.List(fields.Nested(RankedToken), required=True, metadata=described("Left"))
    entered_count = fields.Integer(required=True, metadata=described("Entered Count"))
    left_count = fields.Integer(required=True, metadata=described("Left Count"))
    entered_symbols = fields.String(required=True, metadata=described("Entered Symbols"))
    left_symbols = fields.String(required=True, metadata=described("Left Symbols"))
    top_1_symbol = fields.String(required=True, allow_none=True, metadata=described("First Symbol", "The heaviest holding"))
    top_1_weight = fields.Float(required=True, allow_none=True, metadata=described("First Weight", unit="fraction"))


def sources(_options: Options) -> tuple[str, ...]:
    """Holdings of the index."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """Membership is remembered like a side."""
    return Lookback(2, MEMORY + COUNTED + round(options["cooldown_hours"] * HOUR))


def scan(history: History, options: Options) -> list[Firing]:
    """Snapshots in which membership of the top N changed."""
    snapshots = [orjson.loads(text)["holdings"] if text else [] for text in history.texts]
    complete = np.asarray([bool(holdings) for holdings in snapshots], dtype=bool)
    as_of = history.as_of[complete]
    held = [holdings for holdings in snapshots if holdings]
    ranks = _ranks(held)
    cooldown = round(options["cooldown_hours"] * HOUR)
    moved: dict[int, list[tuple[int, Crossing]]] = {}
    for token, places in ranks.items():
        sides = np.where(places <= options["top"], 1, np.where(places > options["top"] + options["exit_buffer"], -1, 0))
        if (sides == sides[0]).all():
            continue
        found = crossings(
            as_of,
            sides.astype(np.int8),
            cadence=history.cadence,
            max_gap=history.max_gap,
            observations=options["min_observations"],
            assumed=-1,
        )
        for number, crossing in enumerate(found):
            quiet = number and as_of[crossing.at] - as_of[found[number - 1].at] < cooldown
            wanted = options["moves"] in ("both", "enter" if crossing.side > 0 else "leave")
            if wanted and not quiet:
                moved.setdefault(crossing.at, []).append((token, crossing))
    return [_firing(int(as_of[at]), at, moved[at], held, ranks, options) for at in sorted(moved)]


def _ranks(held: Sequence[Sequence[Holding]]) -> dict[int, Any]:
    """Each token's rank in each snapshot (1 = heaviest), ABSENT where it is not held."""
    ranks: dict[int, Any] = defaultdict(lambda: np.full(len(held), ABSENT))
    for position, holdings in enumerate(held):
        ordered = sorted(holdings, key=lambda h: (-h["weight"], -(h["market_cap"] or 0), h["token_id"]))
        for place, holding in enumerate(ordered, 1):
            ranks[holding["token_id"]][position] = place
    return ranks


def _firing(
    as_of: int,
    at: int,
    tokens: Sequence[tuple[int, Crossing]],
    held: Sequence[Sequence[Holding]],
    ranks: Mapping[int, Any],
    options: Options,
) -> Firing:
    def row(token: int, before: int) -> dict[str, Any]:
        # one that left may have been gone for some snapshots before that was confirmed
        last = next(p for p in range(at, -1, -1) if ranks[token][p] != ABSENT)
        known = next(holding for holding in held[last] if holding["token_id"] == token)
        rank, previous = int(ranks[token][at]), int(ranks[token][before])
        return {
            "token_id": token,
            "name": known["name"],
            "symbol": known["symbol"],
            "rank": None if rank == ABSENT else rank,
            "previous_rank": None if previous == ABSENT else previous,
            "weight": known["weight"] if last == at else None,
        }

    entered = sorted((row(t, c.before) for t, c in tokens if c.side > 0), key=lambda r: (r["rank"], r["token_id"]))
    left = sorted((row(t, c.before) for t, c in tokens if c.side < 0), key=lambda r: (r["previous_rank"], r["token_id"]))
    first = min(held[at], key=lambda h: int(ranks[h["token_id"]][at]))
    return Firing(
        as_of,
        {
            "top": options["top"],
            "entered": entered,
            "left": left,
            "entered_count": len(entered),
            "left_count": len(left),
            "entered_symbols": ", ".join(r["symbol"] for r in entered),
            "left_symbols": ", ".join(r["symbol"] for r in left),
            "top_1_symbol": first["symbol"],
            "top_1_weight": first["weight"],
        },
    )


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    parts = []
    if event["entered_count"]:
        parts.append(f"{event['entered_symbols']} entered")
    if event["left_count"]:
        parts.append(f"{event['left_symbols']} left")
    return f"{' and '.join(parts)} the top {event['top']} of {event['subject_name']} on {day_and_month(event['as_of'])}."


_TIME = "2025-06-10T00:00:00Z"
_SOL = {"token_id": 3988, "name": "Solana", "symbol": "SOL", "rank": 9, "previous_rank": 11, "weight": 0.041}
_ADA = {"token_id": 3315, "name": "Cardano", "symbol": "ADA", "rank": 12, "previous_rank": 10, "weight": 0.028}
_EXAMPLE = {
    "top": 10,
    "entered": [_SOL],
    "left": [_ADA],
    "entered_count": 1,
    "left_count": 1,
    "entered_symbols": "SOL",
    "left_symbols": "ADA",
    "top_1_symbol": "BTC",
    "top_1_weight": 0.31,
}


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
    description="Triggers when a token enters or leaves the top of an index.",
    semantics=1,
    subject="index",
    options=RankingOptions,
    payload=RankingPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample(
        "index_ranking",
        "New Index Ranking Change",
        ("index:1", 1, "Layer-1 Index", ""),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Layer-1 Index", "as_of": _TIME}),
        _TIME,
    ),
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
        Case("too long a silence lies between", {"top": 2}, [_snapshots("abcd")[0], (4, _snapshots("acdb")[0][1])]),
    ),
)
