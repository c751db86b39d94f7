"""Market sentiment, hourly: what news, Reddit and Twitter say of the market, graded from 0 to 100.

Doubtful since August 2025: the endpoint has left the vendor's SDK, and one of its clients says that it no longer exists,
while another still used it in September 2025. Labels ("neutral", "positive") are JSON text; the summaries are left out.
Rows come newest first: the first page, about four days, outlasts any silence across which a move is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from integration.domain.catalogue import MARKET, Batch, Metric, Source
from integration.domain.errors import UpstreamError
from integration.domain.retry import HOUR
from integration.sources._columns import Page
from integration.sources._readings import load, readings

#: Where a sentiment comes from, and what people call that.
ORIGINS = {"market": "Market", "news": "News", "reddit": "Reddit", "twitter": "Twitter"}


def sentiments(source: Source, rows: Sequence[Mapping[str, Any]], slot: int, asked: str = "") -> Batch:
    """Readings with their labels; of several rows of one hour the last counts."""
    batch = readings(source, rows, slot, asked)
    if not rows:
        return batch
    page = Page(rows)
    labels = zip(*(page.column(f"{origin}_SENTIMENT_LABEL") for origin in ORIGINS), strict=True)
    spoken = dict(zip(load(source, page)["as_of"].tolist(), labels, strict=True))
    return replace(batch, texts=[_text(source, spoken[as_of]) for as_of in batch.as_of.tolist()])


def _text(source: Source, labels: Sequence[Any]) -> str | None:
    for origin, label in zip(ORIGINS, labels, strict=True):
        if label is not None and not isinstance(label, str):
            field = f"{origin.upper()}_SENTIMENT_LABEL"
            raise UpstreamError(f"{source.path}: {field} is not a text", field=field)
    if not any(labels):
        return None
    return orjson.dumps(dict(zip(ORIGINS, (label or None for label in labels), strict=True))).decode()


SOURCE = Source(
    key="sentiments",
    label="Market sentiment",
    path="sentiments",
    subject=MARKET,
    cadence=HOUR,
    selection="one",
    metrics=tuple(
        Metric(f"{origin}_sentiment_grade", f"{origin.upper()}_SENTIMENT_GRADE", f"{name} sentiment", "points", 0, 100)
        for origin, name in ORIGINS.items()
    ),
    rows=sentiments,
    date_field="DATETIME",
    max_pages=1,
    plan="advanced",
    weight=0.5,
)
