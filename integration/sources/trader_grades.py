"""Trader grades: the short-term view of every token, one row a token and day."""

from __future__ import annotations

from integration.domain.catalogue import Metric, Source
from integration.domain.retry import DAY
from integration.sources._readings import readings

SOURCE = Source(
    key="trader_grades",
    label="Trader grades",
    path="trader-grades",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(
        Metric("tm_trader_grade", "TM_TRADER_GRADE", "Trader grade", "points", 0, 100),
        Metric("ta_grade", "TA_GRADE", "Technical analysis grade", "points", 0, 100),
        Metric("quant_grade", "QUANT_GRADE", "Quant grade", "points", 0, 100),
        Metric("tm_trader_grade_24h_pct_change", "TM_TRADER_GRADE_24H_PCT_CHANGE", "Trader grade, 24 h change", "%", -100),
    ),
    rows=readings,
    ranged=True,
    ids_per_call=50,
    weight=2.0,
)
