"""What triggers over moves share: a change over a window or a time, and when it begins to be far enough."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from integration.domain.catalogue import Lookback, Options
from integration.domain.delta import COUNTED, cool_down
from integration.domain.history import Floats, Ints
from integration.triggers._levels import DOWN, UP, WANTED
from integration.triggers._options import cooldown

#: Decimals in binary: 33.3 - 23.3 is a hair less than 10.
HAIR = 1e-9


def began(change: Floats, clock: Ints, least: float, window: int) -> list[int]:
    """Positions at which a move of at least `least` begins, up or down; NaN is none.

    Within `window` of a far move in the same direction none begins: a longer one is told once, when it becomes far.
    `clock` and `window` are numbers of readings, or times in ms.
    """
    found: list[int] = []
    latest: dict[bool, int] = {}
    for at in np.flatnonzero(np.abs(change) >= least - HAIR).tolist():
        up, now = bool(change[at] > 0), int(clock[at])
        if up not in latest or now - latest[up] >= window:
            found.append(at)
        latest[up] = now
    return found


class Told(NamedTuple):
    """A move that is told: at a position, by so much, after so many were kept silent."""

    at: int
    change: float
    suppressed: int


def told_moves(as_of: Ints, change: Floats, least: float, options: Options) -> list[Told]:
    """The moves that a rule tells: in a direction that is asked for, each when it begins, not within another's quiet time.

    `change` is that over `window` readings at each observation, NaN where there is none.
    """
    begun = began(change, np.arange(len(change)), least, options["window"])
    wanted = WANTED[options["direction"]]
    notices = cool_down(as_of, begun, cooldown(options), lambda k: (UP if change[begun[k]] > 0 else DOWN) in wanted)
    return [Told(notice.at, float(change[notice.at]), notice.suppressed) for notice in notices]


def window_lookback(options: Options) -> Lookback:
    """A move needs `window` readings, twice: its own and those it is told once in."""
    return move_lookback(options, 2 * options["window"] + 2)


def since(as_of: Ints, span: int, max_gap: int) -> Ints:
    """For each observation the position of the newest one at least `span` ms before it; -1 where there is none, or where
    a silence longer than `max_gap` lies between."""
    back = np.searchsorted(as_of, as_of - span, side="right") - 1
    stretch = np.concatenate(([0], np.cumsum(np.diff(as_of) > max_gap)))
    return np.where((back >= 0) & (stretch[back] == stretch[: len(as_of)]), back, -1)


def move_lookback(options: Options, observations: int, milliseconds: int = 0) -> Lookback:
    """Silent moves are counted for COUNTED, each by its own quiet time; the rest is what a single move looks back to."""
    return Lookback(observations, COUNTED + cooldown(options) + milliseconds)
