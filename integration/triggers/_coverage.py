"""What coverage triggers share: which tokens each complete poll of the token list shows, and who appeared or disappeared.

A poll with far fewer tokens than others shortly before is part of an answer, and nothing is concluded from it. One with
far more than the one before shows that that was only a part: all begins anew. A token is gone once it is absent from
three complete polls; absent from fewer, it is still there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from marshmallow import Schema, fields

from integration.domain.catalogue import Lookback, Options
from integration.domain.delta import Sides
from integration.domain.history import History, Ints
from integration.domain.payload import described
from integration.triggers._levels import level_lookback
from integration.triggers._snapshots import said, stretches, symbols, turned, whole

SOURCE = "tokens"
#: A token is gone once so many complete polls in a row do not have it.
GONE = 3

#: The symbol of each token, by its id as text.
Poll = Mapping[str, str]


class CoveredToken(Schema):
    """A token that appeared or disappeared."""

    token_id = fields.Integer(required=True, metadata=described("Token ID"))
    symbol = fields.String(required=True, metadata=described("Symbol"))


@dataclass(frozen=True, slots=True)
class Changed:
    """A token that appeared or disappeared; `seen` is the position of the last poll, up to the present one, that had it."""

    token_id: int
    symbol: str
    seen: int


@dataclass(frozen=True, slots=True)
class Polls:
    """The complete polls of a history, and their times (ms)."""

    as_of: Ints
    polls: Sequence[Poll]


def sources(_options: Options) -> tuple[str, ...]:
    """The token list."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """Whether a token is listed is remembered like a side; whether a list is whole is seen beside those shortly before."""
    return level_lookback(options, 3)


def complete(history: History) -> Polls:
    """The polls from which something may be concluded."""
    as_of, polls = said(history, "tokens")
    there = whole(as_of, np.asarray([len(poll) for poll in polls], dtype=np.float64), history.max_gap)
    return Polls(as_of[there], [poll for poll, fine in zip(polls, there.tolist(), strict=True) if fine])


def changes(history: History, shown: Polls, options: Options, side: int, gone: int = GONE) -> dict[int, list[Changed]]:
    """Who appeared (side 1, once enough polls agree) or disappeared (-1, absent from `gone` polls), by position of the poll."""
    found: dict[int, list[Changed]] = {}
    counts = np.asarray([len(poll) for poll in shown.polls], dtype=np.float64)
    agree = options["min_observations"] if side > 0 else 1
    for part in stretches(counts):
        polls, as_of = shown.polls[part], shown.as_of[part]
        for token in _unsteady(polls):
            for crossing in turned(history, as_of, _sides(token, polls, gone), options, (side,), agree):
                seen = next(at for at in range(crossing.at, -1, -1) if token in polls[at])
                change = Changed(int(token), polls[seen][token], part.start + seen)
                found.setdefault(part.start + crossing.at, []).append(change)
    return dict(sorted(found.items()))


def change_fields(name: str, rows: Sequence[Mapping[str, Any]], tokens: int) -> dict[str, Any]:
    """What a payload says of the tokens that one poll shows changed, under a name; `tokens` are covered now."""
    return {
        name: rows,
        f"{name}_count": len(rows),
        f"{name}_symbols": symbols(rows),
        "first_token_id": rows[0]["token_id"],
        "tokens": tokens,
    }


def _unsteady(polls: Sequence[Poll]) -> list[str]:
    """The tokens that some polls have and some have not, in order of id."""
    some: set[str] = set().union(*polls)
    every = set(polls[0]).intersection(*polls)
    return sorted(some - every, key=int)


def _sides(token: str, polls: Sequence[Poll], gone: int) -> Sides:
    """1 where a poll has the token, -1 from the poll on that makes it gone, 0 between."""
    sides = np.zeros(len(polls), dtype=np.int8)
    absent = 0
    for at, poll in enumerate(polls):
        absent = 0 if token in poll else absent + 1
        sides[at] = 1 if not absent else -1 if absent >= gone else 0
    return sides


def polled(*lists: str) -> list[tuple[float, Any]]:
    """Readings for cases, a poll a day, from strings: "abc" covers a, b and c. An empty string is a poll that was not whole."""
    each = [{str(ord(c)): c for c in symbols} for symbols in lists]
    return [(day, {"tokens": len(poll), "text": json.dumps({"tokens": poll}) if poll else None}) for day, poll in enumerate(each)]
