"""Seven made-up indices that pick tokens by a rule and rebalance at a period; weights drift with prices in between."""

from dataclasses import dataclass

import numpy as np

from integration.sandbox.market.base import Floats, Ints, Market
from integration.sandbox.measures.grades import GRADE_AGE, Grades

START = 30
"""Day index on which the indices begin at level 1."""


@dataclass(frozen=True)
class IndexSpec:
    """An index: active or passive, days between rebalances, number of tokens, rule of choice, sector if any."""

    index_id: int
    name: str
    ticker: str
    kind: str
    period: int
    size: int
    rule: str
    sector: str | None = None


SPECS = (
    IndexSpec(1, "Sandbox Large Cap Index", "SBX10", "passive", 7, 10, "market_cap"),
    IndexSpec(2, "Sandbox Layer-1 Index", "SBXL1", "passive", 7, 12, "market_cap", "layer-1"),
    IndexSpec(3, "Sandbox DeFi Index", "SBXDEFI", "passive", 14, 10, "market_cap", "defi"),
    IndexSpec(4, "Sandbox Trader Grade Index", "SBXTG", "active", 3, 20, "trader_grade"),
    IndexSpec(5, "Sandbox Momentum Index", "SBXMOM", "active", 2, 15, "momentum"),
    IndexSpec(6, "Sandbox Market 25 Index", "SBX25", "passive", 7, 25, "market_cap"),
    IndexSpec(7, "Sandbox Shelter Index", "SBXSAFE", "active", 7, 10, "shelter"),
)

_POOL = 100
_MOMENTUM_DAYS = 14
_SHELTERED = 0.5
"""What the shelter index holds of the largest stablecoin while the whole market is worth less than 14 days before."""


class Indices:
    """Holdings and levels by (index, day); pure in the market."""

    def __init__(self, market: Market, grades: Grades) -> None:
        self._market, self._grades = market, grades
        self._chosen: dict[tuple[int, int], tuple[Ints, Floats]] = {}
        self._levels: dict[int, list[float]] = {spec.index_id: [1.0] for spec in SPECS}
        sectors = np.array([token.sector for token in market.tokens])
        self._in_sector = {spec.index_id: sectors == spec.sector for spec in SPECS}

    def find(self, index_id: int) -> IndexSpec | None:
        """The index of an id."""
        return next((spec for spec in SPECS if spec.index_id == index_id), None)

    def holdings(self, spec: IndexSpec, day: int) -> tuple[Ints, Floats]:
        """Columns held on a day and their weights (sum 1), heaviest first; empty before the index begins."""
        if day < START:
            return np.zeros(0, dtype=np.int_), np.zeros(0)
        chosen = self.rebalanced(spec, day)
        tokens, weights = self._choice(spec, chosen)
        grown = weights * self._market.close[day][tokens] / self._market.close[chosen][tokens]
        order = np.argsort(-grown, kind="stable")
        return tokens[order], (grown / grown.sum())[order]

    def rebalanced(self, spec: IndexSpec, day: int) -> int:
        """The newest rebalancing day up to a day."""
        return day - (day - START) % spec.period

    def level(self, spec: IndexSpec, day: int) -> float:
        """Value of one dollar put into the index on its first day."""
        levels = self._levels[spec.index_id]
        while START + len(levels) <= day:
            before = START + len(levels) - 1
            tokens, weights = self.holdings(spec, before)
            growth = self._market.close[before + 1][tokens] / self._market.close[before][tokens]
            levels.append(levels[-1] * float((weights * growth).sum()))
        return levels[max(0, day - START)]

    def _choice(self, spec: IndexSpec, day: int) -> tuple[Ints, Floats]:
        key = (spec.index_id, day)
        if key not in self._chosen:
            self._chosen[key] = self._choose(spec, day)
        return self._chosen[key]

    def _choose(self, spec: IndexSpec, day: int) -> tuple[Ints, Floats]:
        """Tokens by the rule; those chosen by a score weigh by rank, others by the root of market cap."""
        market = self._market
        may = market.present[day] & market.listed_by(day, GRADE_AGE) & ~market.stable
        cap = np.where(may, np.nan_to_num(market.market_cap(day)), 0.0)
        scored = spec.rule in ("trader_grade", "momentum")
        if not scored:
            # A sector too small for the index is filled up with the largest of the others.
            rank = cap + (np.where(self._in_sector[spec.index_id] & may, 1e18, 0.0) if spec.sector else 0.0)
        else:
            rank = np.where(cap >= np.sort(cap)[-_POOL:][0], self._score(spec, day), -np.inf)
        best = np.argsort(-rank, kind="stable")[: min(spec.size, int(may.sum()))]
        weights = np.linspace(2, 1, len(best)) if scored else np.sqrt(cap[best])
        if spec.rule == "shelter" and self._falls(day):
            return self._sheltered(day, best.astype(np.int_), weights)
        return best.astype(np.int_), weights / weights.sum()

    def _falls(self, day: int) -> bool:
        return bool(np.nansum(self._market.market_cap(day)) < np.nansum(self._market.market_cap(day - _MOMENTUM_DAYS)))

    def _sheltered(self, day: int, tokens: Ints, weights: Floats) -> tuple[Ints, Floats]:
        """The same with the largest stablecoin in the last one's place; as they are where there is no stablecoin."""
        market = self._market
        caps = np.where(market.stable & market.present[day], np.nan_to_num(market.market_cap(day)), 0.0)
        if not caps.any():
            return tokens, weights / weights.sum()
        kept = weights[:-1] / weights[:-1].sum() * (1 - _SHELTERED)
        return np.append(tokens[:-1], int(caps.argmax())).astype(np.int_), np.append(kept, _SHELTERED)

    def _score(self, spec: IndexSpec, day: int) -> Floats:
        if spec.rule == "trader_grade":
            score = self._grades.trader[day].astype(np.float64)
        else:
            score = self._market.close[day] / self._market.close[day - _MOMENTUM_DAYS]
        usable: Floats = np.where(self._market.stable | np.isnan(score), -np.inf, score)
        return usable


def percents(weights: Floats) -> list[float]:
    """Weights as percent with 2 digits that sum to exactly 100; the heaviest takes the rest."""
    rounded = [round(100 * float(weight), 2) for weight in weights]
    if rounded:
        rounded[0] = round(rounded[0] + 100 - sum(rounded), 2)
    return rounded
