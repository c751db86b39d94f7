"""The moonshot lists: one reading about the market a poll, all rows of a list as JSON text, the newest moonshot first.

Upstream names these tokens by name and symbol alone, declares most numbers as strings, and does not say in which unit
the return since the moonshot is; percent is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from marshmallow import Schema

from integration.domain.catalogue import MARKET, Batch, Metric, Source
from integration.domain.errors import UpstreamError
from integration.domain.payload import iso
from integration.domain.retry import DAY
from integration.sources._columns import Instants, Numbers, Page
from integration.sources._readings import columns, market_reading

#: What stands for a date that is not there.
NEVER = -1

NUMBERS: Mapping[str, tuple[str, Numbers]] = {
    "trader_grade": ("TM_TRADER_GRADE", Numbers(0, 100)),
    "trader_grade_24h_pct_change": ("TM_TRADER_GRADE_24H_PCT_CHANGE", Numbers(-100)),
    "price_7d_pct_change": ("PRICE_CHANGE_PERCENTAGE_7D_IN_CURRENCY", Numbers(-100)),
    "market_cap": ("MARKET_CAP", Numbers(0)),
    "volume_24h": ("VOLUME_24H", Numbers(0)),
    "roi_pct": ("MOONSHOT_ROI", Numbers(-100)),
}
DATES: Mapping[str, tuple[str, Instants]] = {
    "moonshot_at": ("MOONSHOT_AT", Instants(absent=NEVER)),
    "ended_at": ("MOONSHOT_END_AT", Instants(absent=NEVER)),
    "signal_at": ("LAST_TRADING_SIGNAL_TIME", Instants(absent=NEVER)),
}
_COLUMNS: Mapping[str, tuple[str, Any]] = {**NUMBERS, **DATES}
_FIELDS = {name: field for name, (field, _) in _COLUMNS.items()}
_SCHEMA = Schema.from_dict({name: column for name, (_, column) in _COLUMNS.items()}, name="MoonshotColumns")()


def snapshot(source: Source, rows: Sequence[Mapping[str, Any]], slot: int, _asked: str = "") -> Batch:
    """One reading of the whole list; of a token that is on it twice the newer moonshot counts."""
    page = Page(rows)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in sorted(_rows(source, page), key=lambda row: row["moonshot_at"]):
        found[row["symbol"], row["name"]] = row
    listed = sorted(found.values(), key=lambda row: (-row["moonshot_at"], row["symbol"], row["name"]))
    for row in listed:
        row |= {name: iso(row[name]) if row[name] != NEVER else None for name in DATES}
    return market_reading(source, slot, [float(len(listed))], orjson.dumps({"moonshots": listed}).decode(), len(rows))


def _rows(source: Source, page: Page) -> list[dict[str, Any]]:
    loaded = columns(_SCHEMA, page, _FIELDS, source.path)
    numbers = {name: [None if np.isnan(each) else each for each in loaded[name].tolist()] for name in NUMBERS}
    dates = {name: loaded[name].tolist() for name in DATES}
    words = list(zip(_words(source, page, "TOKEN_NAME"), _words(source, page, "TOKEN_SYMBOL"), strict=True))
    return [
        {"name": name, "symbol": symbol.upper(), **{key: column[at] for key, column in {**numbers, **dates}.items()}}
        for at, (name, symbol) in enumerate(words)
    ]


def _words(source: Source, page: Page, field: str) -> list[str]:
    found = page.column(field)
    for row, word in enumerate(found):
        if not isinstance(word, str) or not word.strip():
            raise UpstreamError(f"{source.path}: {field} in row {row} is not a name", field=field)
    return [word.strip() for word in found]


def moonshot_source(key: str, kind: str, label: str, **more: Any) -> Source:
    """The list of one kind: active or past."""
    return Source(
        key=key,
        label=label,
        path="moonshot-tokens",
        subject=MARKET,
        cadence=DAY,
        selection="all_pages",
        metrics=(Metric("moonshots", "", "Moonshots on the list", "", 0),),
        rows=snapshot,
        dated=False,
        date_field="MOONSHOT_AT",
        id_field="TOKEN_NAME",
        params={"type": kind},
        plan="advanced",
        **more,
    )
