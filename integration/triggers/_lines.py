"""Lines that a price meets: breaks, touches and approaches of levels, one's own or those that Token Metrics knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import orjson

from integration.domain.catalogue import Options
from integration.domain.delta import Crossing, Sides, level_sides
from integration.domain.history import Floats, History, Ints
from integration.triggers._levels import DOWN, UP, confirmed

LEVELS = "levels"
#: A distance in percent that is near nothing.
FAR = 1e9


@dataclass(frozen=True, slots=True)
class Bars:
    """What is there of a history of bars or prices, and the levels known at each of them. `low` and `high` span what the
    price went through since the reading before: its close belongs to them, unless a long silence lies between."""

    history: History
    close: Floats
    low: Floats
    high: Floats
    levels: tuple[tuple[float, ...], ...]

    @property
    def as_of(self) -> Ints:
        """The times of the bars."""
        return self.history.as_of


def bars_of(history: History, level: float | None) -> Bars:
    """The bars with one's own level or, where that is None, the levels known at each. Single prices are bars of no height."""
    last = "close" if "close" in history.metrics else "price"
    seen = history.take(np.flatnonzero(history.column(last) > 0))
    close = seen.column(last)
    high, low = (seen.column(name) if name in seen.metrics else close for name in ("high", "low"))
    before = np.concatenate((close[:1], close[:-1]))
    apart = np.concatenate(([0], np.diff(seen.as_of)))[: len(close)] > history.max_gap
    before = np.where(apart, close, before)
    low, high = np.fmin(np.fmin(low, close), before), np.fmax(np.fmax(high, close), before)
    levels = ((level,),) * len(close) if level is not None else tuple(map(_parsed, seen.of(LEVELS).texts))
    return Bars(seen, close, low, high, levels)


def _parsed(text: str | None) -> tuple[float, ...]:
    found = orjson.loads(text)["levels"] if text else ()
    return tuple(float(each["level"]) for each in found if each["level"] > 0)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A price meets a level: from below (UP) or above (DOWN). Positions are those of the bars: see `Crossing`."""

    level: float
    side: int
    at: int
    start: int
    before: int


def meetings(bars: Bars, options: Options) -> list[Meeting]:
    """Every break, touch or approach of a level that was known when the price was last away from it, by position."""
    found = []
    for level in sorted({level for known in bars.levels for level in known}):
        for side, crossing in _crossings(bars, level, options):
            if level in bars.levels[crossing.before]:
                found.append(Meeting(level, side, crossing.at, crossing.start, crossing.before))
    return sorted(found, key=lambda meeting: (meeting.at, meeting.level))


def _crossings(bars: Bars, level: float, options: Options) -> Iterator[tuple[int, Crossing]]:
    """(side it comes from, crossing) of one level."""
    if options["kind"] == "break":
        for side in (UP, DOWN):
            for crossing in confirmed(bars.history, bars.as_of, break_sides(bars, level, side, options), options):
                if crossing.side == side:
                    yield side, crossing
        return
    sides = near_sides(distances(bars, level, options), options)
    for crossing in confirmed(bars.history, bars.as_of, sides, options):
        if crossing.side == DOWN:
            yield UP if bars.close[crossing.before] < level else DOWN, crossing


def break_sides(bars: Bars, level: float, side: int, options: Options) -> Sides:
    """On which side of a level the price is, for breaks upwards or downwards: they begin at least a band away from it.

    By closes, or by the highest (for downward breaks the lowest) price of each bar.
    """
    band = level * options["hysteresis"] / 100
    if options["basis"] == "close":
        return level_sides(bars.close, level, band, below=side == DOWN)
    return level_sides(bars.high if side == UP else bars.low, level, band, below=side == DOWN)


def distances(bars: Bars, level: float, options: Options) -> Floats:
    """How far from a level each bar is, in percent of the level: its close, or for `touch` the nearest of its prices."""
    with np.errstate(over="ignore"):
        if options["basis"] == "close":
            return np.abs(bars.close / level - 1) * 100
        return np.maximum(np.maximum(bars.low / level - 1, 1 - bars.high / level), 0) * 100


def near_sides(distance: Floats, options: Options) -> Sides:
    """DOWN (a small distance) where a bar is near a level or, for touches, at it; UP where it is away by the band."""
    within = 0.0 if options["kind"] == "touch" else float(options["distance"])
    # in binary, 102 / 100 - 1 is a hair more than 0.02
    return level_sides(distance.clip(max=FAR).round(9), within, options["hysteresis"], below=True)


def nearest(bars: Bars, sides: Collection[int], options: Options) -> Floats:
    """The distance of each bar to the nearest level known at it that lies above (UP) or below (DOWN) its close, in
    percent; one at the close is both. Very far where there is none, NaN where no levels are known."""
    found = np.full(len(bars.close), np.nan)
    for level in sorted({level for known in bars.levels for level in known}):
        there = np.array([level in known for known in bars.levels])
        wanted = ((bars.close <= level) & (UP in sides)) | ((bars.close >= level) & (DOWN in sides))
        found = np.fmin(found, np.where(there, np.where(wanted, distances(bars, level, options), FAR), np.nan))
    return found
