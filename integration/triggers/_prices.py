"""What triggers over prices share: changes over a time, and how much a price usually moves."""

from __future__ import annotations

import numpy as np

from integration.domain.history import Floats, Ints
from integration.domain.retry import DAY
from integration.triggers._moves import since

#: Days whose returns say how much a price usually moves, and how many of them must be there.
USUAL_DAYS, ENOUGH = 30, 27


def before(as_of: Ints, span: int, cadence: int, max_gap: int) -> Ints:
    """For each observation the position of the one `span` ms before it, to half an interval; -1 where there is none, or
    where a silence longer than `max_gap` lies between. Stamps are not quite regular: of several the newest is taken."""
    half = min(cadence, span) // 2
    back = since(as_of, span - half, max_gap)
    return np.where((back >= 0) & (as_of - as_of[back] <= span + half), back, -1) if len(back) else back


def change(values: Floats, back: Ints) -> Floats:
    """Each value against the one at the position `back`, as a fraction; NaN where that is -1 or no price."""
    found = np.full(len(values), np.nan)
    there = back >= 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found[there] = values[there] / values[back[there]] - 1
    return np.where(np.isfinite(found), found, np.nan)


def change_over(as_of: Ints, values: Floats, span: int, cadence: int, max_gap: int) -> Floats:
    """The change of prices over `span` ms at each reading; NaN where one of the two is missing or no price."""
    found = np.full(len(values), np.nan)
    known = values > 0
    found[known] = change(values[known], before(as_of[known], span, cadence, max_gap))
    return found


def usual_move(as_of: Ints, values: Floats, cadence: int, max_gap: int) -> Floats:
    """How much a price usually moves in a day: the standard deviation (ddof 1) of the daily returns of the 30 days up to
    each observation, as a fraction; NaN where fewer than 27 of them are there, or where it does not move at all."""
    daily = change_over(as_of, values, DAY, cadence, max_gap)
    sample = np.full((USUAL_DAYS, len(values)), np.nan)
    sample[0] = daily
    for days in range(1, USUAL_DAYS):
        back = before(as_of, days * DAY, cadence, max_gap)
        sample[days] = np.where(back >= 0, daily[back], np.nan) if len(back) else daily
    there = np.isfinite(sample)
    count = there.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        mean = np.where(there, sample, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(there, sample - mean, 0.0) ** 2).sum(axis=0) / (count - 1))
    # equal returns differ by rounding alone
    return np.where((count >= ENOUGH) & (spread > 1e-12) & np.isfinite(spread), spread, np.nan)
