"""What a backtest says beside its events: gaps, flaps, what came after, other options, and what a chart shows. All pure.

Times are UTC epoch milliseconds, days are counted since 1970, returns are fractions (0.05 = +5 %).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from integration.domain.catalogue import Trigger
from integration.domain.history import Floats, History, Ints, Joined
from integration.domain.retry import DAY, HOUR

Bools = NDArray[np.bool_]

#: Days after a firing at which its return is taken.
HORIZONS = (1, 7, 30)
#: Quiet times people choose from, in hours: what else is tried lies among them.
QUIET = (0.0, 1.0, 2.0, 6.0, 12.0, 24.0, 48.0, 72.0, 168.0, 336.0, 720.0)


@dataclass(frozen=True, slots=True)
class Mark:
    """A firing in short. `direction` is its payload's, None where its trigger has none."""

    subject: str
    as_of: int
    known_at: int
    direction: str | None = None


# -- the past as it became known -------------------------------------------------------------------------------------


def counted_from(as_of: Ints, known_at: Ints, filled: Bools) -> Ints:
    """When each of a subject's readings counts as known, where some were filled in later.

    Such a reading counts from its own as_of on, but neither before what was known of the time before it nor after what
    was known of the time after it: so it stands where it would have stood, and makes nothing else come late.
    """
    counted = np.where(filled, as_of, known_at)
    if not filled.any() or filled.all():
        return counted
    order = np.lexsort((known_at[~filled], as_of[~filled]))
    times, first = np.unique(as_of[~filled][order], return_index=True)
    known = known_at[~filled][order][first]
    after = np.searchsorted(times, as_of[filled], side="right")
    earliest = np.where(after > 0, known[np.maximum(after - 1, 0)], 0)
    latest = np.where(after < len(times), known[np.minimum(after, len(times) - 1)], np.iinfo(np.int64).max)
    counted[filled] = np.minimum(np.maximum(as_of[filled], earliest), latest)
    return counted


def gaps(times: Ints, start: int, end: int, longest: int) -> list[tuple[int, int]]:
    """The stretches between two times that are longer than `longest` ms without a reading, their ends included."""
    inside = np.unique(times[(times >= start) & (times < end)])
    edges = np.concatenate(([start], inside, [end]))
    wide = np.flatnonzero(np.diff(edges) > longest)
    return list(zip(edges[wide].tolist(), edges[wide + 1].tolist(), strict=True))


# -- how calm it would have been -------------------------------------------------------------------------------------


def flaps(marks: Sequence[Mark], days: int) -> list[tuple[Mark, Mark]]:
    """Firings of one subject that follow each other in another direction within so many days, oldest first."""
    ordered = sorted(marks, key=lambda mark: (mark.subject, mark.as_of))
    found = [
        (one, next_)
        for one, next_ in pairwise(ordered)
        if one.subject == next_.subject
        and None not in (one.direction, next_.direction)
        and one.direction != next_.direction
        and next_.as_of - one.as_of <= days * DAY
    ]
    return sorted(found, key=lambda pair: (pair[1].as_of, pair[1].subject))


def others(options: Mapping[str, Any], usual_band: float | None, cadence: int) -> list[tuple[str, float]]:
    """Values of `hysteresis` and `cooldown_hours` around the chosen ones, these included, in rising order of each.

    `usual_band` is what a band left empty is. A quiet time no longer than the interval between readings keeps nothing
    silent, so one of these stands for all.
    """
    found: list[tuple[str, float]] = []
    band, quiet = options.get("hysteresis"), options.get("cooldown_hours")
    if band is not None:
        around = {round((band or usual_band or 0.0) * share, 6) for share in (0.5, 1, 2, 4)}
        found += [("hysteresis", value) for value in sorted({band, *around})]
    if quiet is not None:
        rungs = [rung for rung in QUIET if rung * HOUR > cadence or (not rung and quiet * HOUR > cadence)]
        below, above = [rung for rung in rungs if rung < quiet], [rung for rung in rungs if rung > quiet]
        found += [("cooldown_hours", value) for value in (*below[-2:], quiet, *above[:3])]
    return found


# -- what came after -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prices:
    """One subject's daily closes: days rise strictly; `known_at` is when each day's close was first known."""

    days: Ints
    known_at: Ints
    closes: Floats

    def entries(self, as_of: Ints, known_at: Ints) -> Ints:
        """The day whose close each firing's return is measured from.

        The newest close known when the firing was, or the firing's own day's where that is later: a price from before
        the firing's own data would count what made it fire as what came of it.
        """
        order = np.argsort(self.known_at, kind="stable")
        newest = np.maximum.accumulate(self.days[order])
        place = np.searchsorted(self.known_at[order], known_at, side="right") - 1
        seen = np.where(place >= 0, newest[np.maximum(place, 0)], 0) if len(newest) else np.zeros(len(as_of), dtype=np.int64)
        return np.maximum(as_of // DAY, seen)

    def after(self, entries: Ints, days: int) -> Floats:
        """The return from each day's close to the one so many days later; NaN where either is not there."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = self._at(entries + days) / self._at(entries) - 1
        return np.where(np.isfinite(found), found, np.nan)

    def _at(self, days: Ints) -> Floats:
        if not len(self.days):
            return np.full(len(days), np.nan)
        place = np.minimum(np.searchsorted(self.days, days), len(self.days) - 1)
        close = np.where(self.days[place] == days, self.closes[place], np.nan)
        return np.where(close > 0, close, np.nan)


@dataclass(frozen=True, slots=True)
class Rate:
    """Returns in short: how many, their mean and median, and the share of them above zero; None where there are none."""

    count: int
    mean: float | None = None
    median: float | None = None
    positive: float | None = None


def rate(returns: Floats) -> Rate:
    """Returns in short; NaN are none."""
    there = returns[np.isfinite(returns)]
    if not len(there):
        return Rate(0)
    with np.errstate(over="ignore"):
        mean = float(there.mean())
    finite = mean if np.isfinite(mean) else None
    return Rate(len(there), finite, float(np.median(there)), float((there > 0).mean()))


def returns_after(prices: Mapping[str, Prices], marks: Sequence[Mark]) -> Floats:
    """Returns after firings: marks × HORIZONS, NaN where no price says."""
    found = np.full((len(marks), len(HORIZONS)), np.nan)
    places: dict[str, list[int]] = {}
    for place, mark in enumerate(marks):
        places.setdefault(mark.subject, []).append(place)
    for subject, own in places.items():
        if subject not in prices:
            continue
        as_of, known_at = (np.array([getattr(marks[at], name) for at in own], dtype=np.int64) for name in ("as_of", "known_at"))
        entries = prices[subject].entries(as_of, known_at)
        for column, days in enumerate(HORIZONS):
            found[own, column] = prices[subject].after(entries, days)
    return found


def base_returns(prices: Mapping[str, Prices], first: int, last: int) -> list[Floats]:
    """For each of HORIZONS the returns from every day between two, both included, of every subject."""
    days = np.arange(first, last + 1, dtype=np.int64)
    each = [[one.after(days, horizon) for one in prices.values()] for horizon in HORIZONS]
    return [np.concatenate(returns) if returns else np.empty(0) for returns in each]


# -- what a chart shows ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _WatchedJoined(Joined):
    name: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)

    def column(self, metric: str) -> Floats:
        self.seen.append((self.name, metric))
        return Joined.column(self, metric)


@dataclass(frozen=True, slots=True)
class _Watched(History):
    seen: list[tuple[str, str]] = field(default_factory=list)

    def column(self, metric: str) -> Floats:
        self.seen.append(("", metric))
        return History.column(self, metric)


def watched(trigger: Trigger, options: Mapping[str, Any], history: History) -> tuple[str, str] | None:
    """(source, metric) of the first number that a trigger's scan looks at, the clock's before others; "" is the clock.

    None for triggers that read texts alone.
    """
    seen: list[tuple[str, str]] = []
    joined = {
        name: _WatchedJoined(other.metrics, other.as_of, other.values, other.texts, name, seen)
        for name, other in history.joined.items()
    }
    parts = (history.subject, history.metrics, history.cadence, history.as_of, history.values, history.texts)
    trigger.scan(_Watched(*parts, joined, seen), options)
    return next((entry for entry in seen if not entry[0]), next(iter(seen), None))


def thin(values: Floats, most: int) -> Ints:
    """The positions that a chart of at most `most` points shows: of each of as many stretches the lowest and the highest."""
    if len(values) <= most:
        return np.arange(len(values), dtype=np.int64)
    edges = np.linspace(0, len(values), most // 2 + 1).astype(np.int64)
    low, high = np.where(np.isnan(values), np.inf, values), np.where(np.isnan(values), -np.inf, values)
    kept = {
        position
        for start, end in pairwise(edges.tolist())
        for position in (start + int(low[start:end].argmin()), start + int(high[start:end].argmax()))
    }
    return np.array(sorted(kept), dtype=np.int64)
