"""Investor grade and the grades and scores behind it, as pure functions of (seed, day, token).

FUNDAMENTAL and TECHNOLOGY = a fixed level of the token + 2.5 * a mean of four weekly draws: they change once a week.
VALUATION = 50 - 38 * tanh(0.9 * (log close - EMA100 of log close)): cheap against its past is high.
TM_INVESTOR_GRADE = (5 F + 4 T + 4 V) / 13, the published identity.
Scores = a fixed level of the token + 0.4 * a sum of four weekly draws, within 0 to 10 (made up: real ones were seen on one day).
"""

from functools import lru_cache

import numpy as np

from integration.sandbox.market.base import Floats, Market
from integration.sandbox.measures.grades import Grades

_LEVELS, _WEEKS, _SCORES, _SCORE_NULLS, _SCORE_WEEKS = 41, 42, 43, 44, 45

SCORES = {
    "DEFI_USAGE_SCORE": 0.5,
    "COMMUNITY_SCORE": 0.0,
    "EXCHANGE_SCORE": 0.0,
    "VC_SCORE": 0.9,
    "TOKENOMICS_SCORE": 0.3,
    "DEFI_SCANNER_SCORE": 0.2,
    "ACTIVITY_SCORE": 0.5,
    "SECURITY_SCORE": 0.2,
    "REPOSITORY_SCORE": 0.5,
    "COLLABORATION_SCORE": 0.5,
}
"""Scores from 0 to 10 in upstream's order, with the share of null values in its example rows."""

CLASSES = ((80, "storeOfValue"), (65, "blueChip"), (50, "emerging"), (35, "speculative"), (0, "highRisk"))
"""FUNDAMENTAL_GRADE_CLASS by lowest fundamental grade (the limits are made up)."""


class Investor:
    """``fundamental``, ``technology``, ``valuation`` and ``investor``: grades by token of a day index (NaN before the
    listing where prices enter), kept for the days last asked for; ``scores`` of a day index has shape (scores, tokens)."""

    def __init__(self, market: Market, grades: Grades, nulls: bool) -> None:
        self._market, self._grades = market, grades
        n = len(market.tokens)
        size = np.linspace(18, -12, n)
        self._level = np.clip(52 + size + market.draw(_LEVELS).normal(0, 9, (2, n)), 15, 92)
        self._score_level = np.clip(market.draw(_SCORES).normal(6.5, 2.2, (len(SCORES), n)), 0.5, 10)
        if nulls:
            shares = np.array(list(SCORES.values()))[:, None]
            missing = market.draw(_SCORE_NULLS).random((len(SCORES), n)) < shares
            self._score_level[missing] = np.nan
        self._week = lru_cache(maxsize=64)(self._draw_week)
        self._scores = lru_cache(maxsize=8)(self._of_scores)
        self.fundamental = lru_cache(maxsize=64)(self._of_fundamental)
        self.technology = lru_cache(maxsize=64)(self._of_technology)
        self.valuation = lru_cache(maxsize=64)(self._of_valuation)
        self.investor = lru_cache(maxsize=64)(self._of_investor)

    def scores(self, day: int) -> Floats:
        """Every score by token on a day index; NaN where a token has none."""
        return self._scores(day // 7)

    def _of_scores(self, week: int) -> Floats:
        noise = np.zeros(self._score_level.shape)
        for number in range(week, week + 4):
            noise += self._market.draw(_SCORE_WEEKS, number).standard_normal(noise.shape)
        scores: Floats = (self._score_level + 0.4 * noise).clip(0, 10).round(2)
        return scores

    def _of_fundamental(self, day: int) -> Floats:
        return self._slow(0, day)

    def _of_technology(self, day: int) -> Floats:
        return self._slow(1, day)

    def _of_valuation(self, day: int) -> Floats:
        grade: Floats = np.round(50 - 38 * np.tanh(0.9 * self._grades.value_gap[day].astype(np.float64)), 2)
        return grade

    def _of_investor(self, day: int) -> Floats:
        parts = 5 * self.fundamental(day) + 4 * self.technology(day) + 4 * self.valuation(day)
        grade: Floats = np.round(parts / 13, 2)
        return grade

    def _slow(self, which: int, day: int) -> Floats:
        week = day // 7
        noise = sum(self._week(which, number) for number in range(week, week + 4)) / 2
        grade: Floats = np.round(np.clip(self._level[which] + 2.5 * noise, 5, 98), 2)
        return grade

    def _draw_week(self, which: int, week: int) -> Floats:
        return self._market.draw(_WEEKS, which, week).standard_normal(len(self._market.tokens))


def grade_class(fundamental: float) -> str:
    """FUNDAMENTAL_GRADE_CLASS of a fundamental grade."""
    return next(name for lowest, name in CLASSES if fundamental >= lowest)
