"""What an index has earned since its first day, one row an index and day; asked for one index a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integration.domain.catalogue import Batch, Metric, Source
from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY
from integration.sources._columns import Page
from integration.sources._readings import readings

#: An index that has lost more than this is an error of upstream's: nothing could be measured against it any more.
LOWEST = -0.9999


def performance(source: Source, rows: Sequence[Mapping[str, Any]], slot: int, asked: str = "") -> Batch:
    """One reading a row. Rows without an id are about the index that was asked for; rows of another one are refused."""
    if asked and not Page(rows).has(source.id_field):
        rows = [{**row, source.id_field: asked} for row in rows]
    batch = readings(source, rows, slot, asked)
    others = sorted({subject for subject in batch.subjects if asked and subject != f"{source.subject}:{asked}"})
    if others:
        text = f"{source.path} of index {asked}: rows of {others[0]} came instead"
        raise UpstreamError(text, field=source.id_field)
    return batch


SOURCE = Source(
    key="indices_performance",
    label="Index performance",
    path="indices-performance",
    subject="index",
    cadence=DAY,
    selection="ids",
    metrics=(
        Metric("cumulative_roi", "INDEX_CUMULATIVE_ROI", "Return since the first day", "fraction", LOWEST),
        Metric("market_cap", "MARKET_CAP", "Market cap", "USD", 0),
        Metric("volume", "VOLUME", "Volume", "USD", 0),
        Metric("fdv", "FDV", "Fully diluted valuation", "USD", 0),
    ),
    rows=performance,
    ranged=True,
    id_field="ID",
    id_param="id",
    plan="advanced",
)
