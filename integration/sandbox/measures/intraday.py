"""Prices within a day: a Brownian bridge from one daily close to the next, seeded by (seed, token id, day).

During market date D the price walks from close D to close D + 1 and stays within the low and high of D + 1.
A price changes every five minutes. Hourly bars are stamped some 25 minutes past the hour, as upstream's are.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from integration.sandbox.clock import DAY_MS, date_ms
from integration.sandbox.market.base import Floats, Ints, Market

_PATH, _STAMPS = 51, 52
_REFRESH_MS = 300_000
_HOUR_MS = DAY_MS // 24
_ON_THE_HOUR = np.arange(25)
# The expected range of a day's random walk is about 1.6 times its standard deviation.
_RANGE_FACTOR = 1.6


@dataclass(frozen=True)
class Hour:
    """One hourly bar: UTC epoch milliseconds, prices in USD, volume of the last 24 hours in USD."""

    stamp: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Intraday:
    """Prices between daily closes."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._start = date_ms(market.first)
        self._nodes = lru_cache(maxsize=4096)(self._walked)
        self.stamps = lru_cache(maxsize=64)(self._drawn_stamps)

    def price(self, token: int, now_ms: int) -> float:
        """Price in USD at a market time; the close of D at D 00:00Z; NaN before the listing."""
        day, passed = divmod(now_ms - self._start, DAY_MS)
        nodes = self._nodes(token, day)
        hours = (passed // _REFRESH_MS * _REFRESH_MS) / _HOUR_MS
        if not hours:
            return float(nodes[0])
        return float(f"{np.interp(hours, _ON_THE_HOUR, nodes):.8g}")

    def bar(self, token: int, day: int, hour: int) -> Hour:
        """The bar of an hour (0 to 23) of a day, reaching back to the one before; NaN before the listing."""
        nodes = self._nodes(token, day)
        stamp = int(self.stamps(day)[hour])
        opened = self._at(nodes, day, hour - 1) if hour else float(nodes[0])
        closed = self._at(nodes, day, hour)
        prices = (opened, float(nodes[hour]), closed)
        volume = self._volume(token, day, (stamp - self._start) % DAY_MS / DAY_MS)
        return Hour(stamp, _six(opened), _six(max(prices)), _six(min(prices)), _six(closed), volume)

    def _at(self, nodes: Floats, day: int, hour: int) -> float:
        """Price at the stamp of an hour."""
        passed = (int(self.stamps(day)[hour]) - self._start) % DAY_MS / _HOUR_MS
        return float(nodes[hour] + (nodes[hour + 1] - nodes[hour]) * (passed - hour))

    def _drawn_stamps(self, day: int) -> Ints:
        """The 24 stamps of a day, UTC epoch milliseconds."""
        jitter = self._market.draw(_STAMPS, day).integers(0, 80_000, 24)
        stamps: Ints = self._start + day * DAY_MS + np.arange(24) * _HOUR_MS + 25 * 60_000 + jitter
        return stamps

    def _walked(self, token: int, day: int) -> Floats:
        """25 prices on the hour, from close ``day`` to close ``day + 1``."""
        market = self._market
        day, after = market.newest(day), market.newest(day + 1)
        first, last = float(market.close[day][token]), float(market.close[after][token])
        if np.isnan(first) or after == day or not market.present[after][token]:
            return np.full(25, first)
        low, high = float(market.low[after][token]), float(market.high[after][token])
        walk = market.draw(_PATH, int(market.ids[token]), day).standard_normal(24).cumsum()
        share = np.arange(1, 25) / 24
        bridge = (walk - share * walk[-1]) * max(np.log(high / low), 1e-6) / _RANGE_FACTOR / np.sqrt(24)
        inner = np.exp(np.log(first) + share * np.log(last / first) + bridge)
        nodes = np.concatenate([[first], np.clip(inner, min(low, first), max(high, first))])
        nodes[-1] = last
        return nodes

    def _volume(self, token: int, day: int, share: float) -> float:
        """Rolling 24 hours of volume: the two days' figures weighted by the time passed."""
        market = self._market
        today, after = (np.nan_to_num(market.volume[market.newest(index)][token]) for index in (day, day + 1))
        return round(float(today * (1 - share) + after * share), 4)


def _six(price: float) -> float:
    """A price with six significant digits."""
    return float(f"{price:.6g}")
