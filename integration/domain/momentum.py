"""Token Metrics' words for momentum, as levels."""

from __future__ import annotations

#: Levels by rank; upstream lists its words without an order, which follows from what they say.
LEVELS = {
    1: "Momentum Crashing",
    2: "Losing Momentum",
    3: "Holding Steady",
    4: "Gaining Momentum",
    5: "Momentum Surging",
}
STEADY = 3
_RANKS = {word.casefold(): rank for rank, word in LEVELS.items()} | {"no momentum": STEADY}


def rank(word: object) -> int | None:
    """The level, 1 to 5, of a word however it is written; None for one that is not known.

    >>> rank(" gaining momentum")
    4
    """
    return _RANKS.get(str(word).strip().casefold())
