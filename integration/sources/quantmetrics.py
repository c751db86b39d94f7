"""Risk and return over a token's whole price history, one newest row a token.

Returns, drawdown and value at risk are fractions, losses negative. The bounds follow from that: a loss is never more
than everything, so that a change of unit to percent is refused.
"""

from __future__ import annotations

from integration.domain.catalogue import Metric, Source
from integration.domain.retry import DAY
from integration.sources._readings import readings

SOURCE = Source(
    key="quantmetrics",
    label="Quant metrics",
    path="quantmetrics",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(
        Metric("volatility", "VOLATILITY", "Volatility", "fraction", 0),
        Metric("all_time_return", "ALL_TIME_RETURN", "All-time return", "fraction", -1),
        Metric("cagr", "CAGR", "Compound annual growth rate", "fraction", -1),
        Metric("sharpe", "SHARPE", "Sharpe ratio", "ratio", -1e6, 1e6),
        Metric("sortino", "SORTINO", "Sortino ratio", "ratio", -1e6, 1e6),
        Metric("max_drawdown", "MAX_DRAWDOWN", "Maximum drawdown", "fraction", -1, 0),
        Metric("skew", "SKEW", "Skewness"),
        Metric("kurtosis", "KURTOSIS", "Kurtosis"),
        Metric("tail_ratio", "TAIL_RATIO", "Tail ratio", "ratio"),
        Metric("risk_reward_ratio", "RISK_REWARD_RATIO", "Risk-reward ratio", "ratio"),
        Metric("profit_factor", "PROFIT_FACTOR", "Profit factor", "ratio"),
        Metric("daily_value_at_risk", "DAILY_VALUE_AT_RISK", "Daily value at risk", "fraction", -1, 1),
        Metric("daily_return_avg", "DAILY_RETURN_AVG", "Daily return, mean", "fraction"),
        Metric("daily_return_std", "DAILY_RETURN_STD", "Daily return, standard deviation", "fraction", 0),
    ),
    rows=readings,
    ids_per_call=50,
    plan="advanced",
)
