"""Windowed risk: derived from daily closes, which every plan includes and which have a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from integration.domain import risk
from integration.domain.catalogue import BITCOIN, Batch, Derivation, Input, Metric, Panel, Source, SubjectRow
from integration.domain.history import Floats, Ints
from integration.domain.retry import DAY

CLOCK = "daily_ohlcv"

_LABELS: dict[str, tuple[str, str, float | None, float | None]] = {
    "sharpe": ("Sharpe ratio", "ratio", None, None),
    "sortino": ("Sortino ratio", "ratio", None, None),
    "volatility": ("Volatility", "fraction", 0, None),
    "value_at_risk_95": ("Value at risk, 95 %", "fraction", -1, None),
    "value_at_risk_99": ("Value at risk, 99 %", "fraction", -1, None),
    "drawdown": ("Drawdown", "fraction", -1, 0),
    "max_drawdown": ("Maximum drawdown", "fraction", -1, 0),
    "return": ("Return", "fraction", -1, None),
    "beta": ("Beta to Bitcoin", "ratio", None, None),
    "correlation": ("Correlation with Bitcoin", "ratio", -1, 1),
    "return_over_btc": ("Return relative to Bitcoin", "fraction", -1, None),
    "sharpe_over_btc": ("Sharpe ratio above Bitcoin's", "ratio", None, None),
}


def risk_source(window: int) -> Source:
    """Every figure of `domain.risk` over so many days, and the day's volume against its own 30-day median."""
    metrics = tuple(
        Metric(name, "", f"{label}, {window} d", unit, low, high) for name, (label, unit, low, high) in _LABELS.items()
    )
    return Source(
        key=f"risk_{window}d",
        label=f"Risk over {window} days",
        path="",
        subject="token",
        cadence=DAY,
        selection="all_pages",
        metrics=(*metrics, Metric("volume_ratio", "", "Volume against its 30-day median", "ratio", 0)),
        derivation=Derivation(
            inputs=(Input(CLOCK, max(window, risk.VOLUME_DAYS), always=(BITCOIN,)),),
            compute=partial(compute, window),
        ),
    )


def compute(
    window: int,
    panels: Mapping[str, Panel],
    _known: Mapping[str, SubjectRow],
    subjects: Sequence[str],
    times: Ints,
) -> Batch:
    """One reading for each daily bar of the subjects at the times."""
    panel = panels[CLOCK]
    days = panel.times // DAY
    first = int(days.min()) if len(days) else 0
    rows = [panel.subjects.index(subject) for subject in subjects]
    closes, volumes = (_calendar(panel.of(metric), days - first) for metric in ("close", "volume"))
    bitcoin = closes[panel.subjects.index(BITCOIN)] if BITCOIN in panel.subjects else np.full(closes.shape[1], np.nan)
    at = (times // DAY - first).tolist()
    figures = risk.window_metrics(closes[rows], bitcoin, window, at)
    stacked = np.stack([*(figures[name] for name in risk.METRICS), risk.volume_ratio(volumes[rows], at)], axis=2)
    there = panel.there[rows][:, np.searchsorted(panel.times, times)]
    row, column = np.nonzero(there)
    return Batch([subjects[r] for r in row.tolist()], times[column], stacked[row, column], [None] * len(row))


def _calendar(values: Floats, days: Ints) -> Floats:
    """Columns by calendar day, from the first day on; a bar is dated by its day, so there is one time a day."""
    found = np.full((len(values), int(days.max()) + 1 if len(days) else 0), np.nan)
    found[:, days] = values
    return found
