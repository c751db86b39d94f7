"""Current prices of tokens, refreshed by upstream every five to ten minutes; undated."""

from __future__ import annotations

from integration.domain.catalogue import Metric, Source
from integration.domain.retry import MINUTE
from integration.sources._readings import readings

SOURCE = Source(
    key="prices",
    label="Prices",
    path="price",
    subject="token",
    cadence=10 * MINUTE,
    selection="ids",
    metrics=(Metric("price", "CURRENT_PRICE", "Price", "USD", 0),),
    rows=readings,
    dated=False,
    ids_per_call=50,
    page_param="",
    by_plan=False,
    weight=2.0,
)
