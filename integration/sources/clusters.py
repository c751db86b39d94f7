"""Groups of tokens that move together: one reading about the market a day, derived from daily closes, as JSON text.

Of the 200 largest tokens, without stablecoins and what stands for another token, Pearson's correlation of daily returns
over 30 days is taken for each pair that has returns on 90 % of them; tokens that are linked, directly or through others,
by at least 0.7, 0.8 or 0.9 are a cluster of that level (connected components; single linkage, Gower and Ross 1969).

{"compared": 187, "tokens": {"3375": ["Bitcoin", "BTC"], …}, "clusters": {"0.7": [[ids, …], …], "0.8": …, "0.9": …}}: the
largest cluster first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import orjson

from integration.domain import risk
from integration.domain.catalogue import MARKET, Batch, Bools, Derivation, Input, Metric, Panel, Source, SubjectRow
from integration.domain.history import Floats, Ints
from integration.domain.pegged import is_stablecoin, is_wrapped
from integration.domain.retry import DAY
from integration.sources._panels import ABSENCE, RANKS, numbers, ranks, whole

CLOCK = "daily_ohlcv"
WINDOW = 30
LARGEST = 200
#: Correlations from which two tokens are linked.
LEVELS = ("0.7", "0.8", "0.9")


def compute(panels: Mapping[str, Panel], known: Mapping[str, SubjectRow], _subjects: Sequence[str], times: Ints) -> Batch:
    """One reading for each of the times at which daily bars are whole and tokens can be compared."""
    panel = panels[CLOCK]
    own = [row for row, subject in enumerate(panel.subjects) if not _pegged(known.get(subject))]
    ids, closes = numbers(panel)[own], panel.of("close")[own]
    at = times[whole(panel, times)]
    places = ranks(panels, known, [panel.subjects[row] for row in own], at)
    as_of, values, texts = [], [], []
    for column, time in enumerate(at.tolist()):
        rows = _largest(places[:, column], ids)
        daily = risk.returns(_window(closes[rows], panel.times, time))[:, 1:]
        comparable = np.isfinite(daily).sum(axis=1) >= risk.ENOUGH * WINDOW
        if comparable.sum() > 1:
            clusters = clustered(daily[comparable], ids[rows][comparable].tolist())
            as_of.append(time)
            values.append([float(comparable.sum()), *(float(len(clusters[level])) for level in LEVELS)])
            texts.append(_text(int(comparable.sum()), clusters, known))
    stacked = np.array(values, dtype=np.float64).reshape(-1, len(LEVELS) + 1)
    return Batch([MARKET] * len(as_of), np.array(as_of, dtype=np.int64), stacked, texts)


def _largest(places: Floats, ids: Ints) -> Ints:
    """The rows of the largest tokens."""
    ranked = np.flatnonzero(~np.isnan(places))
    return ranked[np.lexsort((ids[ranked], places[ranked]))][:LARGEST]


def _pegged(token: SubjectRow | None) -> bool:
    return token is not None and (is_stablecoin(token) or is_wrapped(token))


def _window(closes: Floats, times: Ints, now: int) -> Floats:
    """Closes by calendar day, of the day and the `WINDOW` days before it; what is no price is missing."""
    found = np.full((len(closes), WINDOW + 1), np.nan)
    back = (now - times) // DAY
    within = (back >= 0) & (back <= WINDOW)
    found[:, WINDOW - back[within]] = closes[:, within]
    return np.where(found > 0, found, np.nan)


def clustered(daily: Floats, ids: Sequence[int]) -> dict[str, list[list[int]]]:
    """Clusters of at least two by level, the largest first, of equals the one with the lowest id; ids rise within one."""
    together = correlations(daily, risk.ENOUGH * WINDOW)
    found = {}
    for level in LEVELS:
        parts = [sorted(ids[row] for row in part) for part in components(together >= float(level)) if len(part) > 1]
        found[level] = sorted(parts, key=lambda part: (-len(part), part))
    return found


def correlations(values: Floats, least: float) -> Floats:
    """Pearson's correlation of each pair of rows on the columns that both have; NaN for fewer than `least`, or no movement."""
    there = np.isfinite(values)
    mask, x = there.astype(np.float64), np.where(there, values, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # far from zero, squares of what is common to all days would drown what differs
        x = np.where(there, x - (x.sum(axis=1) / mask.sum(axis=1))[:, None], 0.0)
        count, total, squares = mask @ mask.T, x @ mask.T, (x * x) @ mask.T
        spread = squares - total**2 / count
        moves = spread > (risk.ROUNDING**2) * count
        found = (x @ x.T - total * total.T / count) / np.sqrt(spread * spread.T)
    # what is 0.7 but for rounding is 0.7
    return np.where((count >= least) & moves & moves.T, np.round(np.clip(found, -1.0, 1.0), 12), np.nan)


def components(linked: Bools) -> list[list[int]]:
    """The connected components of an undirected graph, given as a matrix; single nodes included. Nodes rise within one."""
    nodes = np.arange(len(linked))
    lowest = nodes  # of the nodes that each was found to be connected with
    while len(nodes):
        lower = np.minimum(lowest, np.where(linked, lowest, len(nodes)).min(axis=1))
        lower = lower[lower]
        if (lower == lowest).all():
            break
        lowest = lower
    return [np.flatnonzero(lowest == node).tolist() for node in np.unique(lowest).tolist()]


def _text(compared: int, clusters: Mapping[str, Sequence[Sequence[int]]], known: Mapping[str, SubjectRow]) -> str:
    members = sorted({token for parts in clusters.values() for part in parts for token in part})
    tokens = {token: known.get(f"token:{token}") or SubjectRow("", "token", f"Token {token}") for token in members}
    words = {str(token): [row.name, row.symbol] for token, row in tokens.items()}
    return orjson.dumps({"compared": compared, "tokens": words, "clusters": clusters}).decode()


SOURCE = Source(
    key="clusters",
    label="Tokens that move together",
    path="",
    subject=MARKET,
    cadence=DAY,
    selection="all_pages",
    metrics=(
        Metric("compared", "", "Tokens compared", "", 0),
        *(Metric(f"clusters_{level[2:]}0", "", f"Clusters at a correlation of {level}", "", 0) for level in LEVELS),
    ),
    derivation=Derivation(inputs=(Input(CLOCK, WINDOW), Input(RANKS, ABSENCE)), compute=compute, whole=True),
)
