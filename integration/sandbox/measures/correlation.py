"""Correlation of daily returns over the last 90 days."""

import numpy as np

from integration.sandbox.market.base import Floats, Ints, Market

DAYS = 90


class Correlation:
    """Standardised returns of one day at a time; correlations are products of them."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._day = -1
        self._scores: Floats = np.zeros((0, 0))
        self._usable: Ints = np.zeros(0, dtype=np.int_)

    def with_all(self, token: int, day: int) -> tuple[Ints, Floats]:
        """Other columns with 90 days of returns, and this token's correlation with each; empty when it has not."""
        if day != self._day:
            self._prepare(day)
        if token not in self._usable:
            return np.zeros(0, dtype=np.int_), np.zeros(0)
        own = self._scores[:, np.searchsorted(self._usable, token)]
        others = self._usable != token
        return self._usable[others], (own @ self._scores)[others]

    def _prepare(self, day: int) -> None:
        self._day = day
        close = self._market.close.rows[max(0, day - DAYS) : day + 1]
        if len(close) <= DAYS:
            self._usable, self._scores = np.zeros(0, dtype=np.int_), np.zeros((DAYS, 0))
            return
        with np.errstate(all="ignore"):
            returns = close[1:] / close[:-1] - 1
            off = returns - returns.mean(axis=0)
            scores = off / np.sqrt((off * off).sum(axis=0))
        self._usable = np.flatnonzero(np.isfinite(scores).all(axis=0))
        self._scores = scores[:, self._usable]
