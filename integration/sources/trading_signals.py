"""Daily trading signals: the signal of the day, mostly none, and the trend, which is the last signal that was one.

Returns are multiples since the first signal (0.5 = +50 %): of following the signals, and of holding. Version 3 has other
grades in the place of the trader and investor grades; they measure something else and are not read as these.
"""

from __future__ import annotations

from integration.domain.catalogue import Metric, Source
from integration.domain.retry import DAY
from integration.sources._readings import readings

SOURCE = Source(
    key="trading_signals",
    label="Trading signals",
    path="trading-signals",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(
        Metric("trading_signal", "TRADING_SIGNAL", "Signal of the day", "", -1, 1),
        Metric("token_trend", "TOKEN_TREND", "Trend", "", -1, 1),
        Metric("trading_signals_returns", "TRADING_SIGNALS_RETURNS", "Return of following the signals", "fraction"),
        Metric("holding_returns", "HOLDING_RETURNS", "Return of holding", "fraction", -1),
        Metric("tm_trader_grade", "TM_TRADER_GRADE", "Trader grade", "points", 0, 100),
        Metric("tm_investor_grade", "TM_INVESTOR_GRADE", "Investor grade", "points", 0, 100),
    ),
    rows=readings,
    ranged=True,
    ids_per_call=50,
    weight=2.0,
)
