"""How fast sources are, for triggers that take their sources from other triggers: they must know which one is the fastest."""

from __future__ import annotations

from integration.domain.catalogue import split_source
from integration.domain.retry import DAY, HOUR, MINUTE

#: The interval of every source that is not daily (ms); a test holds it against the sources themselves.
NOT_DAILY = {"hourly_ohlcv": HOUR, "hourly_signals": HOUR, "prices": 10 * MINUTE, "sentiments": HOUR}


def pace(name: str) -> int:
    """The interval in ms of a source as a trigger names it."""
    return NOT_DAILY.get(split_source(name)[0], DAY)
