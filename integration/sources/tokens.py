"""Every token that Token Metrics knows: names, categories, chains and exchanges.

Its readings are the market's coverage, one a poll: how many tokens there are, and as JSON text the symbol of each by its
id: {"tokens": {"3375": "BTC", …}}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from integration.domain.catalogue import MARKET, Batch, Metric, Source, SubjectRow
from integration.domain.retry import DAY
from integration.sources._readings import market_reading, names


def tokens(rows: Sequence[Mapping[str, Any]]) -> list[SubjectRow]:
    """Tokens as subjects."""
    return names(rows, "token", id_field="TOKEN_ID", name_field="TOKEN_NAME", symbol_field="TOKEN_SYMBOL")


def coverage(source: Source, rows: Sequence[Mapping[str, Any]], slot: int, _asked: str = "") -> Batch:
    """One reading of all rows: which tokens there are, in order of id. It is whole by the number of tokens."""
    symbols = {int(row.subject.partition(":")[2]): row.symbol for row in tokens(rows)}
    listed = {str(token): symbols[token] for token in sorted(symbols)}
    return market_reading(source, slot, [float(len(listed))], orjson.dumps({"tokens": listed}).decode(), len(listed))


SOURCE = Source(
    key="tokens",
    label="Tokens",
    path="tokens",
    subject=MARKET,
    cadence=DAY,
    selection="all_pages",
    metrics=(Metric("tokens", "", "Tokens covered", "", 0),),
    rows=coverage,
    dated=False,
    v3_params={"expand": "exchange_list,category_list"},
    always=True,
    names=tokens,
)
