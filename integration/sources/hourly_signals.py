"""Hourly trading signals of the tokens that are asked for: 1 bullish, -1 bearish, with the hour's close in USD.

Rows are newest first and go back for weeks; the first page, 100 hours of one token, outlasts any silence that a signal
is remembered through.
"""

from __future__ import annotations

from integration.domain.catalogue import Metric, Source
from integration.domain.retry import HOUR
from integration.sources._readings import readings

SOURCE = Source(
    key="hourly_signals",
    label="Hourly trading signals",
    path="hourly-trading-signals",
    subject="token",
    cadence=HOUR,
    selection="ids",
    metrics=(
        Metric("close", "CLOSE", "Close", "USD", 0),
        Metric("signal", "SIGNAL", "Signal", "", -1, 1),
    ),
    rows=readings,
    date_field="TIMESTAMP",
    max_pages=1,
    plan="advanced",
    weight=2.0,
)
