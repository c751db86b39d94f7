"""Where an index stands among all indices, by its grade, its returns and its market cap. Rank 1 is the highest.

Of equals the larger by market cap comes first, then the lower id. An index that one answer leaves out, or of which it
leaves out the figure, keeps its place among the others for up to `ABSENCE` days, so that nobody moves up for a gap in an
answer; its own rank is missing meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from integration.domain.catalogue import Batch, Derivation, Input, Metric, Panel, Source, SubjectRow
from integration.domain.history import Floats, Ints
from integration.domain.retry import DAY
from integration.sources._panels import ABSENCE, numbers, standing

CLOCK = "indices"
RANKED = {
    "index_grade": "index grade",
    "change_24h": "24 h change",
    "change_7d": "7 d change",
    "change_1m": "1 month change",
    "all_time": "all-time change",
    "market_cap": "market cap",
}


def compute(panels: Mapping[str, Panel], _known: Mapping[str, SubjectRow], _subjects: Sequence[str], times: Ints) -> Batch:
    """One reading for each reading of an index at the times: its rank by each metric, and how many indices there are."""
    panel = panels[CLOCK]
    at = np.searchsorted(panel.times, times)
    figures = {metric: standing(panel.of(metric), panel.times, times) for metric in RANKED}
    there = standing(np.where(panel.there, 1.0, np.nan), panel.times, times)
    present = panel.there[:, at]
    stacked = np.full((*present.shape, len(RANKED) + 1), np.nan)
    for column, metric in enumerate(RANKED):
        ranks = _ranks(figures[metric], figures["market_cap"], numbers(panel))
        stacked[:, :, column] = np.where(np.isnan(panel.of(metric)[:, at]), np.nan, ranks)
    stacked[:, :, -1] = np.isfinite(there).sum(axis=0)
    rows, columns = np.nonzero(present)
    return Batch([panel.subjects[row] for row in rows.tolist()], times[columns], stacked[rows, columns], [None] * len(rows))


def _ranks(values: Floats, caps: Floats, ids: Ints) -> Floats:
    """1 for the highest of each column; what is missing comes last and is not to be shown."""
    ranks = np.empty(values.shape)
    for column in range(values.shape[1]):
        order = np.lexsort((ids, -np.nan_to_num(caps[:, column]), -values[:, column]))
        ranks[order, column] = np.arange(1, len(ids) + 1)
    return ranks


SOURCE = Source(
    key="index_ranks",
    label="Ranks of indices",
    path="",
    subject="index",
    cadence=DAY,
    selection="all_pages",
    metrics=(
        *(Metric(f"rank_by_{name}", "", f"Rank by {label}", "rank", 1) for name, label in RANKED.items()),
        Metric("indices", "", "Indices there are", "", 1),
    ),
    derivation=Derivation(inputs=(Input(CLOCK, ABSENCE),), compute=compute, whole=True),
)
