"""What something is worth over time, also in units of something else, and what it returned and lost over some days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from integration.domain.history import Floats, History, Ints, Joined
from integration.domain.retry import DAY


@dataclass(frozen=True, slots=True)
class Worth:
    """Worth at each reading of a history, NaN where it is not known, and the day that this is of."""

    values: Floats
    days: Ints


def in_units_of(history: History, own: Floats, other: Joined, theirs: Floats) -> Worth:
    """What a history's own worth was in units of what stands beside it, on the newest day that is known of the other.

    It is not known where there is no reading of its own on that day, since the last long silence.
    """
    days, then, parts = history.as_of // DAY, other.as_of // DAY, _stretches(history)
    known: dict[tuple[int, int], float] = {}
    same_day = np.full(len(own), np.nan)
    for at, (part, day, asked) in enumerate(zip(parts.tolist(), days.tolist(), then.tolist(), strict=True)):
        known[part, day] = float(own[at])
        same_day[at] = known.get((part, asked), np.nan)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        worth = same_day / np.where(theirs > 0, theirs, np.nan)
    return Worth(np.where(np.isfinite(worth), worth, np.nan), then)


def returns(history: History, worth: Worth, length: int) -> Floats:
    """Worth / worth `length` days before - 1; NaN where there is none on that day, or a long silence lies between."""
    return _over(history, worth, lambda known, day: known.get(day - length, np.nan))


def drawdowns(history: History, worth: Worth, length: int) -> Floats:
    """Worth / the highest of the last `length` days, the day's own included, since the last long silence - 1."""
    return _over(history, worth, lambda known, day: max(known[d] for d in range(day - length, day + 1) if d in known))


def _over(history: History, worth: Worth, base: Callable[[Mapping[int, float], int], float]) -> Floats:
    """Worth / a base - 1, which is taken of what is known by day since the last long silence."""
    found = np.full(len(worth.values), np.nan)
    known: dict[int, float] = {}
    part = -1
    for at, (stretch, now, day) in enumerate(
        zip(_stretches(history).tolist(), worth.values.tolist(), worth.days.tolist(), strict=True)
    ):
        if stretch != part:
            known, part = {}, stretch
        if now > 0:
            known[day] = now
            found[at] = now / base(known, day) - 1
    return rounded(found)


def _stretches(history: History) -> Ints:
    """The number of the stretch between long silences that each reading belongs to."""
    return np.concatenate(([0], np.cumsum(np.diff(history.as_of) > history.max_gap)))[: len(history.as_of)]


def rounded(found: Floats) -> Floats:
    """To ten decimals, as 1.21 / 1.1 - 1 is a hair less than 0.1; NaN where it is beyond all numbers."""
    with np.errstate(over="ignore"):
        ten = np.round(found, 10)
    return np.where(np.isfinite(ten), ten, np.nan)
