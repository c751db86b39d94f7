"""Daily trading signals, and the market's own.

TRADING_SIGNAL is 1 on the day the trader grade reaches 70 while the trend is not up, -1 on the day it falls to 35
while the trend is not down, else 0. TOKEN_TREND is the last signal that was not 0 (0 before the first).
TRADING_SIGNALS_RETURNS is the return of holding the token on days after an up trend's day, cash otherwise;
HOLDING_RETURNS is last close / first - 1. Both are ROI as a multiple.
The market's signal works on the mean TA grade with limits 58 and 42.
"""

import numpy as np

from integration.sandbox.market.base import Bools, Floats, Market
from integration.sandbox.market.table import Table
from integration.sandbox.measures.grades import GRADE_AGE, Grades

BUY_AT, SELL_AT = 70.0, 35.0
HIGH_GRADE = 90.0
"""A coin with this trader grade or more counts as high in market-metrics."""
_MARKET_UP, _MARKET_DOWN = 58.0, 42.0


class Signals:
    """Tables of shape (days, tokens): signal, trend, growth (of one dollar that follows the signals)."""

    def __init__(self, market: Market, grades: Grades) -> None:
        self._market, self._grades = market, grades
        n = len(market.tokens)
        self.signal, self.trend, self.growth = Table(n, np.int8), Table(n, np.int8), Table(n)
        self.high_share: list[float] = []
        self.market_signal: list[int] = []
        self.market_trend: list[int] = []

    def ensure(self, day: int) -> None:
        """Have every day up to and including index ``day``."""
        self._grades.ensure(day)
        while len(self.signal) <= day:
            self._append(len(self.signal))

    def graded(self, day: int) -> Bools:
        """Which tokens have a grade row on a day index."""
        rows: Bools = self._market.present[day] & self._market.listed_by(day, GRADE_AGE)
        return rows

    def _append(self, day: int) -> None:
        n = len(self._market.tokens)
        trend = self.trend[day - 1] if day else np.zeros(n, dtype=np.int8)
        growth = self.growth[day - 1] if day else np.ones(n)
        grade, graded = self._grades.trader[day], self.graded(day)
        up = graded & (grade >= BUY_AT) & (trend != 1)
        down = graded & (grade <= SELL_AT) & (trend != -1)
        signal = up.astype(np.int8) - down.astype(np.int8)
        self.signal.append(signal)
        self.trend.append(np.where(signal != 0, signal, trend))
        self.growth.append(growth * np.where(trend == 1, 1 + self._returns(day), 1.0))
        self._append_market(self._grades.ta[day][graded], grade[graded])

    def _returns(self, day: int) -> Floats:
        """Simple return since the day before; 0 where there is none."""
        if not day:
            return np.zeros(len(self._market.tokens))
        returns: Floats = np.nan_to_num(self._market.close[day] / self._market.close[day - 1] - 1)
        return returns

    def _append_market(self, technical: Floats, trader: Floats) -> None:
        level = float(technical.mean()) if len(technical) else 50.0
        before = self.market_trend[-1] if self.market_trend else -1
        now = 1 if level >= _MARKET_UP else -1 if level <= _MARKET_DOWN else before
        self.high_share.append(100 * float((trader >= HIGH_GRADE).mean()) if len(trader) else 0.0)
        self.market_signal.append(now if now != before else 0)
        self.market_trend.append(now)
