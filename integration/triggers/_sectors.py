"""Grades over time by token, and how strongly sectors rise in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from integration.domain.catalogue import Bools, Options
from integration.domain.history import Floats, History, Ints
from integration.domain.retry import DAY
from integration.triggers._moves import HAIR
from integration.triggers._snapshots import compared_since, texts


@dataclass(frozen=True, slots=True)
class Grades:
    """The grades and ranks of every token (tokens × times) and the sectors (slug -> rows) at each time (ms).

    `base` is the position of the snapshot that each is compared with, its own where there is none.
    """

    as_of: Ints
    snapshots: Sequence[Mapping[str, Any]]
    ids: list[int]
    trader: Floats
    investor: Floats
    ranks: Floats
    base: Ints

    def risen(self, grades: Floats, points: float) -> Bools:
        """Where a grade is so many points above that of the base; false where either is missing."""
        return np.asarray(grades - grades[:, self.base] >= points - HAIR, dtype=bool)


def grades_of(history: History, options: Options) -> Grades:
    """Those of every snapshot, each to be compared with the oldest within the days that no long silence parts from it."""
    as_of, snapshots = texts(history)
    ids = sorted({token for each in snapshots for token in each["token_ids"]})
    place = {token: row for row, token in enumerate(ids)}
    trader, investor, ranks = (np.full((len(ids), len(snapshots)), np.nan) for _ in range(3))
    for column, each in enumerate(snapshots):
        rows = [place[token] for token in each["token_ids"]]
        trader[rows, column] = np.asarray(each["trader_grades"], dtype=np.float64)
        investor[rows, column] = np.asarray(each["investor_grades"], dtype=np.float64)
        ranks[rows, column] = np.asarray(each["ranks"], dtype=np.float64)
    base = compared_since(as_of, options["days"] * DAY, history.max_gap)
    return Grades(as_of, snapshots, ids, trader, investor, ranks, base)


@dataclass(frozen=True, slots=True)
class Rising:
    """Which tokens rise, and which are compared at all (tokens × times); how strongly each sector does (by time).

    A strength of 1 is a breakout; it is missing where a sector was not there or had nothing to compare with.
    """

    tokens: Bools
    compared: Bools
    members: Sequence[Mapping[str, Ints]]
    strength: Mapping[str, Floats]


def rising(grades: Grades, options: Options) -> Rising:
    """Which tokens rise, and how strongly each sector that is asked for does."""
    change = grades.trader - grades.trader[:, grades.base] + grades.investor - grades.investor[:, grades.base]
    compared = np.isfinite(change) & (grades.ranks <= options["max_rank"]) & (grades.base < np.arange(len(grades.as_of)))
    risen = grades.risen(grades.trader, options["trader_points"]) & grades.risen(grades.investor, options["investor_points"])
    tokens = compared & risen
    place = {token: row for row, token in enumerate(grades.ids)}
    members = [
        {
            slug: np.asarray([place[token] for token in ids], dtype=np.int64)
            for slug, ids in each["sectors"].items()
            if options["category"] in ("", slug)
        }
        for each in grades.snapshots
    ]
    strength: dict[str, Floats] = {}
    for column, sectors in enumerate(members):
        for slug, rows in sectors.items():
            count, size = int(tokens[rows, column].sum()), int(compared[rows, column].sum())
            if size:
                found = strength.setdefault(slug, np.full(len(members), np.nan))
                found[column] = _strength(count, size, options)
    return Rising(tokens, compared, members, strength)


def _strength(count: int, size: int, options: Options) -> float:
    """The number and the share of the rising, each in parts of what is asked for: the smaller of the two."""
    least, share = int(options["min_tokens"]), float(options["min_share"])
    return min(count / least, 100 * count / (share * size)) if share else count / least
