"""What rankings share: who entered or left the top N between complete snapshots, all moves of one snapshot as one event.

A token is in from rank N up and out only below rank N plus the exit buffer; between, it is what it was last. One that a
ranking does not show is below all that it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from marshmallow import Schema, fields, post_load, validate

from integration.domain.catalogue import Options
from integration.domain.delta import Crossing, Sides
from integration.domain.history import Floats, History, Ints
from integration.domain.numerals import Whole
from integration.domain.payload import EventPayload, described
from integration.triggers._options import TriggerOptions
from integration.triggers._snapshots import ListedToken, some, symbols, turned

#: The rank of a token that a snapshot does not show.
ABSENT = 1_000_000
Ranks = Ints
#: The sides that moves are to: 1 in the top, -1 out of it.
WANTED: Mapping[str, tuple[int, ...]] = {"enter": (1,), "leave": (-1,), "both": (1, -1)}


class TopOptions(TriggerOptions):
    """How many places are watched, and which moves are told."""

    top = Whole(load_default=10, validate=validate.Range(1, 100), metadata=described("Top", "How many places count as the top"))
    exit_buffer = Whole(
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


class RankedToken(ListedToken):
    """A token that moved."""

    rank = fields.Integer(required=True, allow_none=True, metadata=described("Rank", "Empty where it is not shown any more"))
    previous_rank = fields.Integer(
        required=True, allow_none=True, metadata=described("Previous Rank", "Empty where it was not shown")
    )


class MovesPayload(EventPayload):
    """The moves of one snapshot; a trigger adds the two lists, `entered` and `left`, of its own kind of line item."""

    top = fields.Integer(required=True, metadata=described("Top"))
    entered_count = fields.Integer(required=True, metadata=described("Entered Count"))
    left_count = fields.Integer(required=True, metadata=described("Left Count"))
    entered_symbols = fields.String(required=True, metadata=described("Entered Symbols"))
    left_symbols = fields.String(required=True, metadata=described("Left Symbols"))


def items(of: type[Schema], label: str) -> fields.List[Any]:
    """A list of line items."""
    return fields.List(fields.Nested(of), required=True, metadata=described(label))


@dataclass(frozen=True, slots=True)
class Moved:
    """A token that entered (side 1) or left (-1) at a snapshot; a rank is None where it was not shown.

    `shown` is the position of the last snapshot that showed it: one that left may have been gone for some before that was
    confirmed.
    """

    token: int
    side: int
    rank: int | None
    previous_rank: int | None
    shown: int


def top_sides(ranks: Floats | Ranks, options: Options) -> Sides:
    """1 in the top, -1 out of it, 0 in its exit buffer."""
    low = options["top"] + options["exit_buffer"]
    return np.where(ranks <= options["top"], 1, np.where(ranks > low, -1, 0)).astype(np.int8)


def moves_of(
    history: History, as_of: Ints, orders: Sequence[Sequence[int]], options: Options, parts: Sequence[slice] | None = None
) -> dict[int, list[Moved]]:
    """The moves that are told, by the position of their snapshot, in order.

    `orders` are token ids, the best first, of each complete snapshot; `as_of` (ms) their times. `parts` are the runs of
    snapshots that may be compared, None where all may.
    """
    found: dict[int, list[Moved]] = {}
    for part in [slice(0, len(orders))] if parts is None else parts:
        tokens, ranks = _ranks(orders[part])
        sides = top_sides(ranks, options)
        for row in np.flatnonzero((sides != sides[:, :1]).any(axis=1)).tolist():
            for crossing in turned(history, as_of[part], sides[row], options, WANTED[options["moves"]]):
                moved = _moved(tokens[row], ranks[row], crossing, part.start)
                found.setdefault(part.start + crossing.at, []).append(moved)
    return dict(sorted(found.items()))


def _ranks(orders: Sequence[Sequence[int]]) -> tuple[list[int], Ranks]:
    """Every token that any snapshot shows, and its rank in each of them (tokens × snapshots), ABSENT where it is not shown."""
    tokens = sorted({token for order in orders for token in order})
    place = {token: row for row, token in enumerate(tokens)}
    ranks = np.full((len(tokens), len(orders)), ABSENT, dtype=np.int64)
    for position, order in enumerate(orders):
        ranks[[place[token] for token in order], position] = np.arange(1, len(order) + 1)
    return tokens, ranks


def _moved(token: int, ranks: Ranks, crossing: Crossing, start: int) -> Moved:
    def rank(position: int) -> int | None:
        return None if ranks[position] == ABSENT else int(ranks[position])

    shown = int(np.flatnonzero(ranks[: crossing.at + 1] != ABSENT)[-1])
    return Moved(token, crossing.side, rank(crossing.at), rank(crossing.before), start + shown)


def move_fields(moved: Sequence[Moved], row: Callable[[Moved], Mapping[str, Any]]) -> dict[str, Any]:
    """The lists of an event and their flat twins. `row` gives what a line item says beyond the ranks: name, symbol and more."""

    def lines(side: int, by: str) -> list[dict[str, Any]]:
        found = [
            {"token_id": each.token, "rank": each.rank, "previous_rank": each.previous_rank, **row(each)}
            for each in moved
            if each.side == side
        ]
        return sorted(found, key=lambda line: (line[by] or ABSENT, line["token_id"]))

    entered, left = lines(1, "rank"), lines(-1, "previous_rank")
    return {
        "entered": entered,
        "left": left,
        "entered_count": len(entered),
        "left_count": len(left),
        "entered_symbols": symbols(entered),
        "left_symbols": symbols(left),
    }


def moves_in_words(event: Mapping[str, Any]) -> str:
    """Who entered and who left, as the beginning of a sentence."""
    parts = [f"{some(event['entered_symbols'], 10)} entered"] if event["entered_count"] else []
    parts += [f"{some(event['left_symbols'], 10)} left"] if event["left_count"] else []
    return " and ".join(parts)
