"""Every index: its price, its changes and what it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integration.domain.catalogue import Metric, Source, SubjectRow
from integration.domain.retry import DAY
from integration.sources._readings import names, readings


def indices(rows: Sequence[Mapping[str, Any]]) -> list[SubjectRow]:
    """Indices as subjects; the ticker is the symbol."""
    return names(rows, "index", id_field="ID", name_field="NAME", symbol_field="TICKER")


SOURCE = Source(
    key="indices",
    label="Indices",
    path="indices",
    subject="index",
    cadence=DAY,
    selection="all_pages",
    metrics=(
        Metric("price", "PRICE", "Price", "USD", 0),
        Metric("coins", "COINS", "Coins", "", 0),
        Metric("change_24h", "24H", "24 h change", "%", -100),
        Metric("change_7d", "7D", "7 d change", "%", -100),
        Metric("change_1m", "1M", "1 month change", "%", -100),
        Metric("all_time", "ALL_TIME", "All-time change", "%", -100),
        Metric("volume_24h", "24H_VOLUME", "24 h volume", "USD", 0),
        Metric("index_grade", "INDEX_GRADE", "Index grade", "points", 0, 100),
        Metric("market_cap", "MARKET_CAP", "Market cap", "USD", 0),
    ),
    rows=readings,
    dated=False,
    id_field="ID",
    always=True,
    names=indices,
    plan="advanced",
)
