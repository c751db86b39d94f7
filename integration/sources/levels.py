"""Prices at which a token turned before: resistance above the price, support below it. As JSON text, lowest first.

Upstream does not say which of the two a level is, for that depends on the price. It has printed the levels as a list of
numbers and as a list of objects with a date; null, for tokens that it knows none of, is no list of none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import ValidationError

from integration.domain.catalogue import Batch, Metric, Source
from integration.domain.payload import iso
from integration.domain.retry import DAY
from integration.sources._columns import Instants, Page
from integration.sources._readings import Rows
from integration.sources._texts import Said, numbers, worded

FIELD = "HISTORICAL_RESISTANCE_SUPPORT_LEVELS"


def levels(source: Source, rows: Rows, slot: int, _asked: str = "") -> Batch:
    """Readings with `{"levels": [{"level": USD, "date": "2023-11-08" or null}]}`, each level once, ascending."""
    return worded(source, rows, slot, (FIELD,), _said)


def _said(row: Mapping[str, Any]) -> Said:
    entries = row[FIELD]
    if entries is None:
        return {}, None
    if not isinstance(entries, list):
        raise ValueError(f"{FIELD} is not a list")
    page = Page([entry if isinstance(entry, Mapping) else {"level": entry} for entry in entries])
    found = zip(numbers(page.column("level"), f"a level of {FIELD}"), _days(page.column("date")), strict=True)
    by_level = {level: day for level, day in found if level is not None}
    ordered = [{"level": level, "date": by_level[level]} for level in sorted(by_level)]
    return {"count": len(ordered)}, {"levels": ordered}


def _days(dates: Sequence[Any]) -> list[str | None]:
    """Dates as YYYY-MM-DD, None where there is none."""
    try:
        known = iter(Instants().deserialize([date for date in dates if date is not None]).tolist())
    except ValidationError:
        raise ValueError(f"a date of {FIELD} is not a date") from None
    return [None if date is None else iso(next(known))[:10] for date in dates]


SOURCE = Source(
    key="levels",
    label="Resistance and support levels",
    path="resistance-support",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(Metric("count", "", "Levels", "", 0),),
    rows=levels,
    ids_per_call=50,
    plan="advanced",
)
