"""Risk metrics as people speak of them: their units, which side of a limit is worse, and what values can be."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from integration.triggers._levels import DOWN, UP
from integration.triggers._possible import Possible


class Risk(NamedTuple):
    """A metric: what a sentence calls it, its name over a window and as published (empty: there is none), which side is
    worse, what one of the units that people say is upstream's, what is possible in people's unit, and the default limit."""

    words: str
    windowed: str
    published: str
    worse: int
    unit: str
    values: Possible
    limit: float

    @property
    def below(self) -> bool:
        """Whether the worse side lies below the limit, as people say it: a loss is the worse the higher it is said."""
        return self.worse == DOWN and self.unit != LOSS


LOSS, SHARE, RATIO = "loss", "share", "ratio"
#: What each is called.
PEOPLES: Mapping[str, str] = {LOSS: "% lost", SHARE: "%", RATIO: "ratio"}
#: What one of each unit that people say is in upstream's.
SCALE: Mapping[str, Decimal] = {LOSS: Decimal("-0.01"), SHARE: Decimal("0.01"), RATIO: Decimal(1)}
#: The narrowest band that is filled in, in people's unit.
FLOOR: Mapping[str, float] = {LOSS: 0.5, SHARE: 2.0, RATIO: 0.05}
#: No return loses all, nor does a price; a price at its highest is no drawdown.
LOSSES, DRAWDOWNS = Possible(-100, 100, "()"), Possible(0, 100, "[)")
METRICS = {
    "volatility": Risk("volatility", "volatility", "volatility", UP, SHARE, Possible(0, 2000, "(]"), 80),
    "value_at_risk": Risk("value at risk (95 %)", "value_at_risk_95", "daily_value_at_risk", DOWN, LOSS, LOSSES, 5),
    "value_at_risk_99": Risk("value at risk (99 %)", "value_at_risk_99", "", DOWN, LOSS, LOSSES, 10),
    "drawdown": Risk("drawdown", "drawdown", "", DOWN, LOSS, DRAWDOWNS, 20),
    "max_drawdown": Risk("maximum drawdown", "max_drawdown", "max_drawdown", DOWN, LOSS, DRAWDOWNS, 50),
    "sharpe": Risk("Sharpe ratio", "sharpe", "sharpe", DOWN, RATIO, Possible(-50, 50), 0),
    "sortino": Risk("Sortino ratio", "sortino", "sortino", DOWN, RATIO, Possible(-50, 50), 0),
    "beta": Risk("beta to Bitcoin", "beta", "", UP, RATIO, Possible(-20, 20), 1.5),
    "correlation": Risk("correlation with Bitcoin", "correlation", "", UP, RATIO, Possible(-1, 1, "()"), 0.9),
    "tail_ratio": Risk("tail ratio", "", "tail_ratio", DOWN, RATIO, Possible(0, 50, "(]"), 1),
    "risk_reward_ratio": Risk("risk-reward ratio", "", "risk_reward_ratio", DOWN, RATIO, Possible(0, 1000, "(]"), 1),
    "profit_factor": Risk("profit factor", "", "profit_factor", DOWN, RATIO, Possible(0, 50, "(]"), 1),
    "skew": Risk("skewness", "", "skew", DOWN, RATIO, Possible(-50, 50), 0),
    "kurtosis": Risk("kurtosis", "", "kurtosis", UP, RATIO, Possible(-10, 1000), 10),
}
#: Metrics that are 1 for Bitcoin, always.
TO_BITCOIN = ("beta", "correlation")
