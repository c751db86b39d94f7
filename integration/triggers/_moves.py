"""What triggers over moves share: a change over a window or a time, and when it begins to be far enough."""

from __future__ import annotations

import numpy as np

from integration.domain.catalogue import Lookback, Options
from integration.domain.delta import COUNTED
from integration.domain.history import Floats, Ints
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


def since(as_of: Ints, span: int, max_gap: int) -> Ints:
    """For each observation the position of the newest one at least `span` ms before it; -1 where there is none, or where
    a silence longer than `max_gap` lies between."""
    back = np.searchsorted(as_of, as_of - span, side="right") - 1
    stretch = np.concatenate(([0], np.cumsum(np.diff(as_of) > max_gap)))
    return np.where((back >= 0) & (stretch[back] == stretch[: len(as_of)]), back, -1)


def move_lookback(options: Options, observations: int, milliseconds: int = 0) -> Lookback:
    """Silent moves are counted for COUNTED, each by its own quiet time; the rest is what a single move looks back to."""
    return Lookback(observations, COUNTED + cooldown(options) + milliseconds)
