"""Rankings of the whole market by a figure of its tokens: one reading about the market a time, the best as JSON text.

{"trader_grade": {"ranked": 2345, "rows": [{"token_id", "name", "symbol", "value"}, …]}, …}: rows are the best first, of equals
the lower token id. A token without a figure keeps its last one for `ABSENCE` days and is then not ranked. Nothing is said
of a time at which many tokens have no reading: a part of an answer is no ranking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import orjson

from integration.domain.catalogue import MARKET, Batch, Derivation, Input, Metric, Panel, Source, SubjectRow
from integration.domain.history import Floats, Ints
from integration.domain.retry import DAY
from integration.sources._panels import ABSENCE, numbers, standing, whole

#: How many of the best a ranking shows.
BEST = 150


@dataclass(frozen=True, slots=True)
class Ranking:
    """What is ranked: figures of a clock's panel (subjects × its times) by name, each from `days` of its past.

    `labels` names each figure for people. `lowest` says that the lowest is the best; `kept` is how many rows are shown, and
    `carried` for how many days a last figure stands in for a missing one. `more` adds to a row what is known of the token.
    """

    clock: str
    labels: Mapping[str, str]
    figures: Callable[[Panel], Mapping[str, Floats]]
    days: int = 0
    lowest: bool = False
    kept: int = BEST
    carried: int = ABSENCE
    more: Callable[[SubjectRow], Mapping[str, Any]] = lambda _: {}


def ranking_source(key: str, label: str, ranking: Ranking) -> Source:
    """A source of one ranking; its metrics are how many tokens are ranked by each figure."""
    return Source(
        key=key,
        label=label,
        path="",
        subject=MARKET,
        cadence=DAY,
        selection="all_pages",
        metrics=tuple(Metric(f"{name}_ranked", "", f"Tokens ranked by {words}", "", 0) for name, words in ranking.labels.items()),
        derivation=Derivation(
            inputs=(Input(ranking.clock, ranking.days + ABSENCE),), compute=partial(compute, ranking), whole=True
        ),
    )


def compute(
    ranking: Ranking, panels: Mapping[str, Panel], known: Mapping[str, SubjectRow], _subjects: Sequence[str], times: Ints
) -> Batch:
    """A ranking by each figure for each of the times that is whole."""
    panel = panels[ranking.clock]
    at = times[whole(panel, times)]
    ids, best = numbers(panel), {}
    for name, figures in ranking.figures(panel).items():
        columns = standing(figures, panel.times, at, ranking.carried)
        best[name] = [_best(columns[:, column], ids, ranking) for column in range(len(at))]
    rows = [_row(ranking, panel.subjects[row], int(ids[row]), known) for row in range(len(ids))]
    counts = np.asarray([[each[column][0] for each in best.values()] for column in range(len(at))], dtype=np.float64)
    texts = [
        _text({name: (each[column], [rows[row] for row in each[column][1]]) for name, each in best.items()})
        for column in range(len(at))
    ]
    return Batch([MARKET] * len(at), at, counts.reshape(len(at), len(ranking.labels)), texts)


Best = tuple[int, list[int], list[float]]


def _best(figures: Floats, ids: Ints, ranking: Ranking) -> Best:
    """How many have a figure; the rows of the best, in order; their figures."""
    there = np.flatnonzero(~np.isnan(figures))
    sign = 1 if ranking.lowest else -1
    order = there[np.lexsort((ids[there], sign * figures[there]))][: ranking.kept]
    return len(there), order.tolist(), figures[order].tolist()


def _row(ranking: Ranking, subject: str, token: int, known: Mapping[str, SubjectRow]) -> dict[str, Any]:
    row = known.get(subject) or SubjectRow(subject, "token", f"Token {token}")
    return {"token_id": token, "name": row.name, "symbol": row.symbol, **ranking.more(row)}


def _text(best: Mapping[str, tuple[Best, list[dict[str, Any]]]]) -> str:
    said = {
        name: {"ranked": ranked, "rows": [{**row, "value": value} for row, value in zip(rows, values, strict=True)]}
        for name, ((ranked, _, values), rows) in best.items()
    }
    return orjson.dumps(said).decode()
