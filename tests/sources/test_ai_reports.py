"""Reports are kept as hash, length and title."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from integration.domain.catalogue import Batch
from integration.domain.errors import UpstreamError
from integration.sources.ai_reports import KINDS, SOURCE
from tests.sources.samples import SLOT, as_v3, rows


def read(**reports: Any) -> Batch:
    return SOURCE.rows(SOURCE, [{"TOKEN_ID": 1, **reports}], SLOT, "")


def told(batch: Batch, place: int = 0) -> dict[str, Any]:
    return dict(json.loads(batch.texts[place] or ""))


def test_published_reports_in_both_spellings() -> None:
    published = rows("ai-reports")
    two, three = (SOURCE.rows(SOURCE, each, SLOT, "") for each in (published, as_v3(published)))
    assert two.texts == three.texts
    assert two.subjects == [f"token:{row['TOKEN_ID']}" for row in published]
    assert two.as_of.tolist() == [SLOT] * len(published)
    for place, row in enumerate(published):
        for kind, field in KINDS.items():
            digest = hashlib.sha256(row[field].encode()).hexdigest()
            assert (told(two, place)[kind]["sha256"], told(two, place)[kind]["length"]) == (digest, len(row[field]))
    name = "Rootstock Infrastructure Framework (RIF)"
    assert told(two)["deep_dive"]["title"] == f"{name} | Bridging Bitcoin and DeFi | Crypto Deep Dive"
    assert two.values[:, 0].tolist() == [4] * len(published)


def test_no_report_is_kept_itself() -> None:
    batch = read(DEEP_DIVE="# Title\n\nThe secret of success is patience.")
    assert "patience" not in (batch.texts[0] or "")
    assert told(batch)["deep_dive"]["title"] == "Title"


@pytest.mark.parametrize("blank", [None, "", "  \n"])
def test_a_blank_report_is_none(blank: Any) -> None:
    batch = read(CODE_REVIEW=blank, DEEP_DIVE="A")
    assert told(batch)["code_review"] is None
    assert batch.values.tolist() == [[1]]


def test_any_change_of_a_report_changes_its_hash() -> None:
    assert read(DEEP_DIVE="# A\nb").texts != read(DEEP_DIVE="# A\nb ").texts
    assert read(DEEP_DIVE="# A\nb").texts == read(deep_dive="# A\nb").texts


def test_a_title_is_one_printable_line_of_bounded_length() -> None:
    title = told(read(DEEP_DIVE="\n##  A \u202e\x00\t b " + "c" * 500 + "\nmore"))["deep_dive"]["title"]
    assert title.startswith("A  b c")
    assert len(title) == 160
    assert title.isprintable()


def test_a_report_that_is_no_text_is_refused() -> None:
    with pytest.raises(UpstreamError, match=r"ai-reports: row 0 \(id 1\): DEEP_DIVE is not a text"):
        read(DEEP_DIVE={"text": "A"})
