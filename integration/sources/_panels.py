"""What sources derived from the whole market do with panels: what stands at a time, and whether enough is there to say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from integration.domain.catalogue import Bools, Panel, SubjectRow
from integration.domain.history import Floats, Ints
from integration.domain.retry import DAY

#: For so many days the last figure of a token stands in for one that an answer leaves out or has as null.
ABSENCE = 3
#: A time with fewer readings than this share of the most in the days before is part of an answer: nothing is said of it.
ENOUGH = 0.7
#: Where market cap ranks come from.
RANKS = "top_market_cap"


def numbers(panel: Panel) -> Ints:
    """The upstream ids of a panel's subjects."""
    return np.asarray([int(subject.partition(":")[2]) for subject in panel.subjects], dtype=np.int64)


def standing(values: Floats, times: Ints, at: Ints, days: int = ABSENCE) -> Floats:
    """The last figure of each row (subjects × times) that is dated at or before each time `at` (ms), at most `days` before."""
    columns = np.searchsorted(times, at, side="right") - 1
    if not values.shape[1] or not len(columns):
        return np.full((len(values), len(columns)), np.nan)
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(values.shape[1])), axis=1)
    last = np.where(columns >= 0, last[:, np.maximum(columns, 0)], -1)
    found = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    fresh = (last >= 0) & (at - times[np.maximum(last, 0)] <= days * DAY)
    return np.where(fresh, found, np.nan)


def whole(panel: Panel, at: Ints) -> Bools:
    """Whether as many of a panel's subjects have a reading at each time `at` as had one in the `ABSENCE` days before it."""
    counts, times = panel.there.sum(axis=0), panel.times
    columns, first = np.searchsorted(times, at), np.searchsorted(times, at - ABSENCE * DAY)
    before = [int(counts[start : stop + 1].max()) for start, stop in zip(first.tolist(), columns.tolist(), strict=True)]
    return np.asarray(counts[columns] >= ENOUGH * np.asarray(before), dtype=bool)


def ranks(panels: Mapping[str, Panel], known: Mapping[str, SubjectRow], subjects: Sequence[str], at: Ints) -> Floats:
    """Market cap ranks (subjects × times `at`, NaN = none): by the newest list of the `ABSENCE` days before, if there is one.

    Where there is none (a past from before lists were kept) it is the rank known now. That is no part of what the market
    said then; so it is only used where nothing better ever will be, and what was said of a time stays as it is.
    """
    now = np.asarray([_rank(known.get(subject)) for subject in subjects], dtype=np.float64)
    found = np.repeat(now[:, None], len(at), axis=1)
    panel = panels.get(RANKS)
    if panel is None or not len(panel.times):
        return found
    newest = np.searchsorted(panel.times, at, side="right") - 1
    listed = (newest >= 0) & (at - panel.times[np.maximum(newest, 0)] <= ABSENCE * DAY)
    place = {subject: row for row, subject in enumerate(panel.subjects)}
    rows = np.asarray([place.get(subject, len(place)) for subject in subjects], dtype=np.int64)
    lists = np.vstack((panel.of("market_rank"), np.full((1, len(panel.times)), np.nan)))
    found[:, listed] = lists[rows][:, newest[listed]]
    return found


def _rank(row: SubjectRow | None) -> float:
    return float("nan") if row is None or row.market_rank is None else float(row.market_rank)
