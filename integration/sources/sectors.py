"""The grades of the 1,000 largest tokens, and which of them make a sector: one reading about the market a day, as JSON text.

{"token_ids": […], "names": […], "symbols": […], "ranks": […], "trader_grades": […], "investor_grades": […], "sectors":
{"layer-1": [ids, …], …}}: the lists go together, the largest token first; a grade may be null. A sector is one of Token
Metrics' categories with at least two of these tokens; chains are none. Categories are as they are known when the reading
is made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from integration.domain.catalogue import MARKET, Batch, Derivation, Input, Metric, Panel, Source, SubjectRow
from integration.domain.history import Floats, Ints
from integration.domain.retry import DAY
from integration.sources._panels import ABSENCE, RANKS, numbers, ranks, standing, whole

TRADER, INVESTOR = "trader_grades", "investor_grades"
LARGEST = 1_000
#: A category of fewer of them is no sector.
FEWEST = 2


def compute(panels: Mapping[str, Panel], known: Mapping[str, SubjectRow], _subjects: Sequence[str], times: Ints) -> Batch:
    """One reading for each of the times at which trader grades are whole."""
    panel = panels[TRADER]
    at = times[whole(panel, times)]
    places = ranks(panels, known, panel.subjects, at)
    trader = standing(panel.of("tm_trader_grade"), panel.times, at)
    investor = _beside(panel, panels.get(INVESTOR), at)
    ids, counts, texts = numbers(panel), [], []
    for column in range(len(at)):
        ranked = np.flatnonzero(places[:, column] <= LARGEST)
        rows = ranked[np.lexsort((ids[ranked], places[ranked, column]))].tolist()
        tokens = [known.get(panel.subjects[row]) or SubjectRow(panel.subjects[row], "token", f"Token {ids[row]}") for row in rows]
        sectors = _sectors(tokens, ids[rows].tolist())
        counts.append((float(len(rows)), float(len(sectors))))
        said: dict[str, Any] = {
            "token_ids": ids[rows].tolist(),
            "names": [token.name for token in tokens],
            "symbols": [token.symbol for token in tokens],
            "ranks": places[rows, column].astype(int).tolist(),
            "trader_grades": _numbers(trader[rows, column]),
            "investor_grades": _numbers(investor[rows, column]),
            "sectors": sectors,
        }
        texts.append(orjson.dumps(said).decode())
    return Batch([MARKET] * len(at), at, np.array(counts, dtype=np.float64).reshape(-1, 2), texts)


def _beside(panel: Panel, other: Panel | None, at: Ints) -> Floats:
    """Investor grades of the panel's subjects, as they stand at the times."""
    found = np.full((len(panel.subjects), len(at)), np.nan)
    if other is not None and other.subjects:
        stand = standing(other.of("tm_investor_grade"), other.times, at)
        place = {subject: row for row, subject in enumerate(other.subjects)}
        both = [(row, place[subject]) for row, subject in enumerate(panel.subjects) if subject in place]
        rows, theirs = (list(part) for part in zip(*both, strict=True)) if both else ([], [])
        found[rows] = stand[theirs]
    return found


def _sectors(tokens: Sequence[SubjectRow], ids: Sequence[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for token, number in zip(tokens, ids, strict=True):
        for slug in token.categories:
            if not slug.startswith("chain:"):
                found[slug].append(number)
    return {slug: found[slug] for slug in sorted(found) if len(found[slug]) >= FEWEST}


def _numbers(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]


SOURCE = Source(
    key="sectors",
    label="Grades by sector",
    path="",
    subject=MARKET,
    cadence=DAY,
    selection="all_pages",
    metrics=(Metric("tokens", "", "Tokens compared", "", 0), Metric("sectors", "", "Sectors", "", 0)),
    derivation=Derivation(
        inputs=(Input(TRADER, ABSENCE), Input(INVESTOR, ABSENCE), Input(RANKS, ABSENCE)), compute=compute, whole=True
    ),
)
