"""The tokens that gained most over 1, 7 and 30 days, derived from daily closes: close / close so many days before - 1."""

from __future__ import annotations

import numpy as np

from integration.domain.catalogue import Panel
from integration.domain.history import Floats
from integration.domain.retry import DAY
from integration.sources._ranking import Ranking, ranking_source

#: Gains by name, and over how many days each is.
GAINS = {"gain_1d": 1, "gain_7d": 7, "gain_30d": 30}
LABELS = {name: f"gain over {days} {'day' if days == 1 else 'days'}" for name, days in GAINS.items()}


def figures(panel: Panel) -> dict[str, Floats]:
    """Gains (fractions) at each bar; NaN where either close is missing or is no price."""
    closes = panel.of("close")
    closes = np.where(closes > 0, closes, np.nan)
    return {name: _gains(closes, panel, days) for name, days in GAINS.items()}


def _gains(closes: Floats, panel: Panel, days: int) -> Floats:
    before = np.full(closes.shape, np.nan)
    if len(panel.times):
        places = np.searchsorted(panel.times, panel.times - days * DAY)
        there = panel.times[places] == panel.times - days * DAY
        before[:, there] = closes[:, places[there]]
    with np.errstate(over="ignore"):
        gains = closes / before - 1
    return np.where(np.isfinite(gains), gains, np.nan)


SOURCE = ranking_source("gain_ranking", "Rankings by gain", Ranking("daily_ohlcv", LABELS, figures, days=max(GAINS.values())))
