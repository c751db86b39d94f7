"""What triggers over moves share: a change over a window, and when it begins to be far enough."""

from __future__ import annotations

import numpy as np

from integration.domain.history import Floats, Ints

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
