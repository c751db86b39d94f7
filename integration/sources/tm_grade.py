"""The TM grade of a token, its signal and momentum; asked for one token a call, and undated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from integration.domain.catalogue import Batch, Metric, Source
from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY
from integration.sources._columns import Page
from integration.sources._readings import readings

#: What a reading's JSON text holds: upstream's own words, e.g. "Strong Buy", "Gaining Momentum", "blueChip".
TEXTS = {"signal": "TM_GRADE_SIGNAL", "momentum": "MOMENTUM", "fundamental_class": "FUNDAMENTAL_GRADE_CLASS"}


def grades(source: Source, rows: Sequence[Mapping[str, Any]], slot: int, asked: str = "") -> Batch:
    """Readings with their words; of several rows of one token the last counts."""
    batch = readings(source, rows, slot, asked)
    page = Page(rows)
    words = zip(*(page.column(field) for field in TEXTS.values()), strict=True)
    by_subject = {
        f"{source.subject}:{int(upstream)}": _text(source, spoken)
        for upstream, spoken in zip(page.column(source.id_field), words, strict=True)
    }
    return replace(batch, texts=[by_subject[subject] for subject in batch.subjects])


def _text(source: Source, spoken: Sequence[Any]) -> str | None:
    for field, word in zip(TEXTS.values(), spoken, strict=True):
        if word is not None and not isinstance(word, str):
            raise UpstreamError(f"{source.path}: {field} is not a text", field=field)
    if not any(spoken):
        return None
    return orjson.dumps(dict(zip(TEXTS, (word or None for word in spoken), strict=True))).decode()


SOURCE = Source(
    key="tm_grade",
    label="TM grades",
    path="tm-grade",
    subject="token",
    cadence=DAY,
    selection="ids",
    metrics=(
        Metric("tm_grade", "TM_GRADE", "TM grade", "points", 0, 100),
        Metric("quant_grade", "QUANT_GRADE", "Quant grade", "points", 0, 100),
        Metric("tm_grade_24h_pct_change", "TM_GRADE_24H_PCT_CHANGE", "TM grade, 24 h change", "%", -100),
        Metric("tm_trader_grade_24h_change", "TM_TRADER_GRADE_24H_CHANGE", "Trader grade, 24 h change", "points", -100, 100),
        Metric("fundamental_grade", "FUNDAMENTAL_GRADE", "Fundamental grade", "points", 0, 100),
    ),
    rows=grades,
    dated=False,
    page_param="",
)
