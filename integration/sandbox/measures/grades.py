"""Grades from prices, day by day. All grades lie within 0 to 100 and are rounded to 2 digits before they combine.

Trader grade (published identity): TM_TRADER_GRADE = 0.8 * TA_GRADE + 0.2 * QUANT_GRADE.
  x = (EMA5 - EMA15 of log close) / volatility, volatility = root of an EMA (decay 0.94) of squared log returns
  TA_GRADE = 9.6 + 88.4 / (1 + exp(-6 (x - 0.1))): a steep curve, hence plateaus and jumps. On real BTC closes its
  trader grade moves a median of about 0.4 points a day with a 95th percentile of about 20, as upstream's does.
  QUANT_GRADE = 20 + 60 / (1 + exp(-(0.25 q - 0.9 (v - 0.9)))), q = EMA60 of log returns a year / v,
  v = annual volatility from an EMA60 of squared log returns: slow.
TM_GRADE, the trader grade's successor, has no published formula: here it equals TM_TRADER_GRADE (assumed).
Investor grade (published identity): (5 FUNDAMENTAL + 4 TECHNOLOGY + 4 VALUATION) / 13, see investor.py.
"""

import numpy as np

from integration.sandbox.market.base import Floats, Market, absent
from integration.sandbox.market.table import Table

GRADE_AGE = 20
"""Days after a token's listing before it is graded."""

FAST, SLOW, QUANT_SPAN, VALUE_SPAN = 5, 15, 60, 100
_DECAY = 0.94
_FIRST_VARIANCE = 0.04**2


class Grades:
    """Tables of shape (days, tokens): ta, quant, trader; ``value_gap`` = log close - EMA100 of log close."""

    def __init__(self, market: Market) -> None:
        self._market = market
        n = len(market.tokens)
        self.ta, self.quant, self.trader, self.value_gap = (Table(n, np.float32) for _ in range(4))
        self._fast, self._slow, self._value = absent(n), absent(n), absent(n)
        self._variance: Floats = np.full(n, _FIRST_VARIANCE)
        self._slow_variance: Floats = np.full(n, _FIRST_VARIANCE)
        self._drift: Floats = np.zeros(n)
        self._log: Floats = absent(n)

    def ensure(self, day: int) -> None:
        """Have every day up to and including index ``day``."""
        self._market.ensure(day)
        while len(self.trader) <= day:
            self._append(len(self.trader))

    def _append(self, day: int) -> None:
        log = np.log(self._market.close[day])
        change = np.where(np.isnan(self._log), 0.0, log - self._log)
        new = np.isnan(self._fast)
        self._fast, self._slow, self._value = (
            np.where(new, log, average + (log - average) * 2 / (span + 1))
            for average, span in ((self._fast, FAST), (self._slow, SLOW), (self._value, VALUE_SPAN))
        )
        moved = ~np.isnan(log)
        self._variance = np.where(moved, _DECAY * self._variance + (1 - _DECAY) * change**2, self._variance)
        self._slow_variance, self._drift = (
            np.where(moved, average + (value - average) * 2 / (QUANT_SPAN + 1), average)
            for average, value in ((self._slow_variance, change**2), (self._drift, change))
        )
        self._log = log
        deviation = np.sqrt(self._variance)
        ta = np.round(technical((self._fast - self._slow) / deviation), 2)
        quant = np.round(quantitative(self._drift, np.sqrt(self._slow_variance)), 2)
        self.ta.append(ta)
        self.quant.append(quant)
        self.trader.append(np.round(0.8 * ta + 0.2 * quant, 2))
        self.value_gap.append(log - self._value)


def technical(x: Floats) -> Floats:
    """TA_GRADE from momentum measured in daily volatilities."""
    grade: Floats = 9.6 + 88.4 / (1 + np.exp(-6 * np.clip(x - 0.1, -20, 20)))
    return grade


def quantitative(drift: Floats, deviation: Floats) -> Floats:
    """QUANT_GRADE from mean and standard deviation of daily log returns."""
    year = deviation * np.sqrt(365)
    grade: Floats = 20 + 60 / (1 + np.exp(-np.clip(0.25 * drift * 365 / year - 0.9 * (year - 0.9), -20, 20)))
    return grade
