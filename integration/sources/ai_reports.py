"""Which reports Token Metrics' AI has written about a token: hash, length and title of each, never the report itself.

Undated: a reading says what there was at its slot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from integration.domain.catalogue import Batch, Metric, Source
from integration.domain.retry import DAY
from integration.sources._readings import Rows
from integration.sources._texts import Said, worded

#: Kinds of report and upstream's field of each.
KINDS = {
    "investment_analysis": "INVESTMENT_ANALYSIS",
    "deep_dive": "DEEP_DIVE",
    "code_review": "CODE_REVIEW",
    "investment_analysis_pointer": "INVESTMENT_ANALYSIS_POINTER",
}
LONGEST_TITLE = 160


def reports(source: Source, rows: Rows, slot: int, _asked: str = "") -> Batch:
    """Readings with `{kind: {"sha256", "length", "title"} or null}`; a blank report is none."""
    return worded(source, rows, slot, tuple(KINDS.values()), _said)


def _said(row: Mapping[str, Any]) -> Said:
    for field, text in row.items():
        if text is not None and not isinstance(text, str):
            raise ValueError(f"{field} is not a text")
    told = {kind: _fingerprint(row[field] or "") for kind, field in KINDS.items()}
    return {"reports": sum(each is not None for each in told.values())}, told


def _fingerprint(report: str) -> dict[str, Any] | None:
    """SHA-256 of the report as UTF-8, its length in characters, and its first line without Markdown's marks."""
    if not report.strip():
        return None
    first = " ".join(report.strip().splitlines()[0].lstrip("# ").split())
    title = "".join(character for character in first if character.isprintable())
    digest = hashlib.sha256(report.encode("utf-8", "surrogatepass")).hexdigest()
    return {"sha256": digest, "length": len(report), "title": title[:LONGEST_TITLE]}


SOURCE = Source(
    key="ai_reports",
    label="AI reports",
    path="ai-reports",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(Metric("reports", "", "Reports", "", 0, len(KINDS)),),
    rows=reports,
    dated=False,
    ids_per_call=50,
    plan="premium",
    weight=0.5,
)
