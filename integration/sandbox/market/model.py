"""The market model: made-up daily bars along a seeded walk, at the listed prices on its opening date."""

from datetime import date, timedelta

import numpy as np

from integration.sandbox.market.base import Bools, Floats, Market
from integration.sandbox.market.universe import universe
from integration.sandbox.market.walk import Walk

OPENING = date(2024, 1, 1)
"""The opening date of every market that starts on it or later, so that a later start finds the same market."""

HISTORY_DAYS = 500
"""Days of history before the opening date."""

APART_DAYS = 10
"""Days between the listings of tokens that come after the opening date."""

_YOUNGEST = 60
_LISTING, _TURNOVER, _BAR = 2, 6, 7
_SHARE_OF_OLD = 0.3


class ModelMarket(Market):
    """A made-up market of ``count`` tokens with 500 days before its opening date, or before an earlier ``start``.

    The well-known tokens and about a third of the others have all of them, the rest were listed 60 to 500 days
    before the opening, but for the last ``coming`` ones, which follow it. A day's values depend on the seed and the date alone.
    """

    def __init__(self, count: int, seed: int, start: date, coming: int = 0) -> None:
        super().__init__(universe(count, seed), min(start, OPENING) - timedelta(days=HISTORY_DAYS), None, seed)
        self._walk = Walk(self.tokens, seed)
        self._level = np.log([token.price for token in self.tokens]) - self._walked(seed)
        self._turnover = np.exp(self.draw(_TURNOVER).normal(-3.2, 0.6, count))
        age = self.draw(_LISTING).integers(_YOUNGEST, HISTORY_DAYS, count)
        old = self.well_known | (self.draw(_LISTING, 1).random(count) < _SHARE_OF_OLD)
        self.listed = np.where(old, 0, HISTORY_DAYS - age).astype(np.int_)
        opening = (OPENING - self.first).days
        self.listed[count - coming :] = opening + APART_DAYS * np.arange(1, coming + 1)

    def ensure(self, day: int) -> None:
        """Walk the market on to day index ``day``."""
        while len(self.close) <= day:
            self._append(len(self.close))

    def _walked(self, seed: int) -> Floats:
        """Where the walk stands on the opening date: subtracted, so that the listed prices hold on that day."""
        ahead = Walk(self.tokens, seed)
        for _ in range(HISTORY_DAYS):
            ahead.step()
        return ahead.step()

    def _append(self, day: int) -> None:
        present = self.listed <= day
        close = np.where(present, significant(np.exp(self._level + self._walk.step())), np.nan)
        before = self.close[day - 1] if day else close
        self._append_bar(day, np.where(np.isnan(before), close, before), close, present)

    def _append_bar(self, day: int, opened: Floats, close: Floats, present: Bools) -> None:
        """Open = the close before; high and low reach past both; volume follows size and the size of the move."""
        n, rng = len(self.tokens), self.draw(_BAR, day)
        reach = np.abs(rng.normal(0, 0.4, (2, n))) * self._walk.volatility
        top, bottom = np.maximum(opened, close), np.minimum(opened, close)
        move = np.abs(np.log(close / opened))
        turnover = self._turnover * np.exp(rng.normal(0, 0.3, n) + 6 * np.minimum(move, 0.4))
        self.open.append(opened)
        self.close.append(close)
        self.high.append(np.maximum(significant(top * (1 + reach[0])), top))
        self.low.append(np.minimum(significant(bottom / (1 + reach[1])), bottom))
        self.volume.append(np.round(close * self.supply * np.minimum(turnover, 2.0), 4))
        self.present.append(present)


def significant(values: Floats, digits: int = 6) -> Floats:
    """Values rounded to a number of significant digits, as prices are printed."""
    scale = 10.0 ** (digits - 1 - np.floor(np.log10(values)))
    rounded: Floats = np.round(values * scale) / scale
    return rounded
