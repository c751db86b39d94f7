"""Hourly bars of tokens, in USD, each dated by upstream's own stamp, some 25 minutes past the hour.

Asked for by date: after a pause the hours between are fetched before newer ones are evaluated. Upstream's volume is not
the hour's: it is that of the last 24 hours.
"""

from __future__ import annotations

from dataclasses import replace

from integration.domain.catalogue import Source
from integration.domain.retry import HOUR
from integration.sources._readings import readings
from integration.sources.daily_ohlcv import SOURCE as DAILY

SOURCE = Source(
    key="hourly_ohlcv",
    label="Hourly prices",
    path="hourly-ohlcv",
    subject="token",
    cadence=HOUR,
    selection="ids",
    metrics=tuple(replace(metric, label="Volume, last 24 h") if metric.name == "volume" else metric for metric in DAILY.metrics),
    rows=readings,
    ranged=True,
    date_field="TIMESTAMP",
    ids_per_call=50,
    by_plan=False,
)
