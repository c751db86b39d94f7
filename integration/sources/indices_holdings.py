"""What an index holds. One reading an index and snapshot: all its holdings, heaviest first, as JSON text.

Each has token_id, name, symbol, weight, market_cap, trader_grade and roi (its return as upstream states it, in percent).

Upstream states weights as fractions or as percent; here they are fractions that sum to 1. Where they sum to neither 1
nor 100 (to 2 %) rows are missing, and nothing may be concluded from what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from marshmallow import Schema

from integration.domain.catalogue import Batch, Metric, Source
from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY
from integration.sources._columns import Instants, Numbers, Page, Subjects
from integration.sources._readings import MAX_AHEAD, columns

TOLERANCE = 0.02


class HoldingColumns(Schema):
    """The columns that make a snapshot."""

    subjects = Subjects("token")
    as_of = Instants(required=True)
    weight = Numbers(0, 100 * (1 + TOLERANCE))
    market_cap = Numbers(0)
    trader_grade = Numbers(0, 100)
    roi = Numbers(-100)


_SCHEMA = HoldingColumns()
_FIELDS = {
    "subjects": "TOKEN_ID",
    "as_of": "DATE",
    "weight": "WEIGHT",
    "market_cap": "MARKET_CAP",
    "trader_grade": "TRADER_GRADE",
    "roi": "CURRENT_ROI",
}


def snapshots(source: Source, rows: Sequence[Mapping[str, Any]], slot: int, asked: str = "") -> Batch:
    """One reading for each day of the rows, dated by the day's latest row; `asked` is the index's id."""
    page = Page(rows)
    loaded = columns(_SCHEMA, page, _FIELDS, f"{source.path} of index {asked}")
    if rows and loaded["as_of"].max() > slot + MAX_AHEAD:
        raise UpstreamError(f"{source.path} of index {asked}: {source.date_field} is in the future", field=source.date_field)
    loaded |= {"name": page.column("TOKEN_NAME"), "symbol": page.column("TOKEN_SYMBOL")}
    days = loaded["as_of"] // DAY
    as_of, values, texts = [], [], []
    for day in np.unique(days):
        picked = np.flatnonzero(days == day)
        fractions, weight_sum = _fractions(loaded["weight"][picked], f"{source.path} of index {asked}")
        as_of.append(int(loaded["as_of"][picked].max()))
        values.append((float(len(picked)), weight_sum))
        texts.append(_text(loaded, picked.tolist(), fractions))
    instants = np.array(as_of, dtype=np.int64)
    return Batch([f"index:{asked}"] * len(as_of), instants, np.array(values, dtype=np.float64).reshape(-1, 2), texts)


def _fractions(weights: Any, whose: str) -> tuple[list[float], float]:
    total = float(weights.sum())
    for whole in (1.0, 100.0):
        if abs(total / whole - 1) <= TOLERANCE:
            # rounded: the same weight must be the same number whichever unit upstream states it in
            return [round(weight, 10) for weight in (weights / total).tolist()], round(total / whole, 10)
    raise UpstreamError(f"{whose}: weights sum to {total:g}, neither 1 nor 100: the snapshot is incomplete", field="WEIGHT")


def _text(loaded: Mapping[str, Any], picked: Sequence[int], fractions: Sequence[float]) -> str:
    tokens = [int(loaded["subjects"][row].removeprefix("token:")) for row in picked]
    caps, grades, returns = (
        [None if np.isnan(number) else float(number) for number in loaded[name][list(picked)]]
        for name in ("market_cap", "trader_grade", "roi")
    )
    order = sorted(range(len(picked)), key=lambda at: (-fractions[at], -(caps[at] or 0.0), tokens[at]))
    holdings = [
        {
            "token_id": tokens[at],
            "name": str(loaded["name"][picked[at]] or ""),
            "symbol": str(loaded["symbol"][picked[at]] or "").upper(),
            "weight": fractions[at],
            "market_cap": caps[at],
            "trader_grade": grades[at],
            "roi": returns[at],
        }
        for at in order
    ]
    return orjson.dumps({"holdings": holdings}).decode()


SOURCE = Source(
    key="indices_holdings",
    label="Index holdings",
    path="indices-holdings",
    subject="index",
    cadence=DAY,
    selection="ids",
    metrics=(
        Metric("holdings", "", "Holdings", "", 0),
        Metric("weight_sum", "", "Sum of weights", "fraction", 0),
    ),
    rows=snapshots,
    id_param="id",
    plan="advanced",
)
