"""The market as a whole, one row a day: its capitalisation, the share of coins with a high grade, and its own signal.

`grade_signal` is 1 or -1 on the day the market turns bullish or bearish, else 0; `last_grade_signal` is the regime since.
"""

from __future__ import annotations

from integration.domain.catalogue import MARKET, Metric, Source
from integration.domain.retry import DAY
from integration.sources._readings import readings

#: The whole market is worth more dollars than this; a smaller number is of another unit.
SMALLEST = 1e9

SOURCE = Source(
    key="market_metrics",
    label="Market metrics",
    path="market-metrics",
    subject=MARKET,
    cadence=DAY,
    selection="all_pages",
    metrics=(
        Metric("total_mcap", "TOTAL_CRYPTO_MCAP", "Total market cap", "USD", SMALLEST),
        Metric("high_grade_share", "TM_GRADE_PERC_HIGH_COINS", "Share of coins with a high grade", "%", 0, 100),
        Metric("grade_signal", "TM_GRADE_SIGNAL", "Market signal of the day", "", -1, 1),
        Metric("last_grade_signal", "LAST_TM_GRADE_SIGNAL", "Market regime", "", -1, 1),
    ),
    rows=readings,
    ranged=True,
    plan="advanced",
)
