"""The 1,000 tokens of the largest market capitalisation; a token's rank is its place in upstream's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from integration.domain.catalogue import Batch, Metric, Source, SubjectRow
from integration.domain.retry import DAY
from integration.sources.tokens import tokens


def ranks(_source: Source, rows: Sequence[Mapping[str, Any]], slot: int, _asked: str = "") -> Batch:
    """Ranks from 1; a token that a shifting page shows twice keeps its better one."""
    ranked = ranked_tokens(rows)
    values = np.arange(1, len(ranked) + 1, dtype=np.float64)[:, None]
    as_of = np.full(len(ranked), slot, dtype=np.int64)
    return Batch([row.subject for row in ranked], as_of, values, [None] * len(ranked))


def ranked_tokens(rows: Sequence[Mapping[str, Any]]) -> list[SubjectRow]:
    """Tokens as subjects, with their ranks. Their categories are left to the token list, which says more (chains)."""
    return [replace(row, categories=(), exchanges=(), market_rank=rank) for rank, row in enumerate(tokens(rows), 1)]


SOURCE = Source(
    key="top_market_cap",
    label="Market cap ranks",
    path="top-market-cap-tokens",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(Metric("market_rank", "", "Market cap rank", low=1),),
    rows=ranks,
    dated=False,
    page_param="top_k",
    max_pages=10,
    always=True,
    names=ranked_tokens,
)
