"""Every token that Token Metrics knows: names, categories, chains and exchanges. Not readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integration.domain.catalogue import Source, SubjectRow
from integration.domain.retry import DAY
from integration.sources._readings import names, no_readings


def tokens(rows: Sequence[Mapping[str, Any]]) -> list[SubjectRow]:
    """Tokens as subjects."""
    return names(rows, "token", id_field="TOKEN_ID", name_field="TOKEN_NAME", symbol_field="TOKEN_SYMBOL")


SOURCE = Source(
    key="tokens",
    label="Tokens",
    path="tokens",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(),
    rows=no_readings,
    dated=False,
    v3_params={"expand": "exchange_list,category_list"},
    always=True,
    names=tokens,
)
