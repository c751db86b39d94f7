"""Daily bars of every token, in USD; what windowed risk is computed from. Today's bar is not whole yet and is not asked for."""

from __future__ import annotations

from functools import partial

from integration.domain.catalogue import Metric, Source
from integration.domain.retry import DAY
from integration.sources._readings import readings

SOURCE = Source(
    key="daily_ohlcv",
    label="Daily prices",
    path="daily-ohlcv",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(
        Metric("open", "OPEN", "Open", "USD", 0),
        Metric("high", "HIGH", "High", "USD", 0),
        Metric("low", "LOW", "Low", "USD", 0),
        Metric("close", "CLOSE", "Close", "USD", 0),
        Metric("volume", "VOLUME", "Volume", "USD", 0),
    ),
    rows=partial(readings, to=DAY),
    ranged=True,
    ids_per_call=50,
    lag=1,
    by_plan=False,
    weight=2.0,
)
