"""What triggers over snapshots of the whole market share: which of them may be compared with each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
from marshmallow import Schema, fields

from integration.domain.catalogue import Bools, Options
from integration.domain.delta import Crossing, crossings
from integration.domain.history import Floats, History, Ints
from integration.domain.payload import described
from integration.triggers._options import cooldown

#: A snapshot with less than this share of what another holds is part of an answer beside it.
ENOUGH = 0.7
#: The subject of market triggers, as a sample names it.
THE_MARKET = ("market", None, "The crypto market", "")


class ListedToken(Schema):
    """A token in a list of line items."""

    token_id = fields.Integer(required=True, metadata=described("Token ID"))
    name = fields.String(required=True, metadata=described("Name"))
    symbol = fields.String(required=True, metadata=described("Symbol"))


def texts(history: History) -> tuple[Ints, list[Any]]:
    """The times (ms) of the readings that have a text, and what these say."""
    there = np.asarray([bool(text) for text in history.texts], dtype=bool)
    return history.as_of[there], [orjson.loads(text) for text in history.texts if text]


def said(history: History, name: str) -> tuple[Ints, list[Any]]:
    """The times (ms) of the readings whose text says something under a name, and what they say."""
    as_of, every = texts(history)
    there = np.asarray([name in each for each in every], dtype=bool)
    return as_of[there], [each[name] for each in every if name in each]


def whole(as_of: Ints, counts: Floats, max_gap: int) -> Bools:
    """Whether each snapshot holds enough of the most that any held within `max_gap` ms before it."""
    first = np.searchsorted(as_of, as_of - max_gap)
    most = [counts[start : at + 1].max() for at, start in enumerate(first.tolist())]
    return np.asarray(counts >= ENOUGH * np.asarray(most, dtype=np.float64), dtype=bool)


def stretches(counts: Floats) -> list[slice]:
    """Runs of snapshots that may be compared: where one holds far more or far fewer than the one before, all begins anew.

    What was only part of the market is no yardstick for the whole of it, nor the other way round.
    """
    if not len(counts):
        return []
    low, high = np.minimum(counts[1:], counts[:-1]), np.maximum(counts[1:], counts[:-1])
    cuts = [0, *(np.flatnonzero(low < ENOUGH * high) + 1).tolist(), len(counts)]
    return [slice(start, stop) for start, stop in pairwise(cuts)]


def compared_since(as_of: Ints, span: int, max_gap: int) -> Ints:
    """The position of the oldest snapshot that each may be compared with: at most `span` ms before it, and no silence longer
    than `max_gap` ms between."""
    silences = np.flatnonzero(np.diff(as_of) > max_gap) + 1
    after = np.concatenate(([0], silences))[np.searchsorted(silences, np.arange(len(as_of)), side="right")]
    return np.maximum(np.searchsorted(as_of, as_of - span), after)


def turned(
    history: History, as_of: Ints, sides: Any, options: Options, wanted: Collection[int], observations: int | None = None
) -> list[Crossing]:
    """Changes of what one token is in (1) or out of (-1): confirmed, of a wanted kind, and not within the quiet time of
    another of its own. One that is first seen in between (0) was out."""
    found = crossings(
        as_of,
        np.asarray(sides, dtype=np.int8),
        cadence=history.cadence,
        max_gap=history.max_gap,
        observations=observations or options["min_observations"],
        assumed=-1,
    )
    quiet = cooldown(options)
    return [
        crossing
        for number, crossing in enumerate(found)
        if crossing.side in wanted and not (number and as_of[crossing.at] - as_of[found[number - 1].at] < quiet)
    ]


def symbols(rows: Sequence[Mapping[str, Any]]) -> str:
    """The symbols of line items in one text; the name of one that has none."""
    return ", ".join(str(row["symbol"] or row.get("name") or row.get("token_id")) for row in rows)


def some(text: str, most: int = 5) -> str:
    """The first of a list of words in one text, and how many more there are.

    >>> some("A, B, C, D", 2)
    'A, B and 2 more'
    """
    words = text.split(", ")
    return text if len(words) <= most else f"{', '.join(words[:most])} and {len(words) - most} more"
