from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from integration.domain.errors import UpstreamError
from integration.sources.tm_grade import SOURCE
from tests.sources.samples import SLOT, as_v3

FIRST: dict[str, Any] = {
    "TOKEN_ID": 3375, "TOKEN_NAME": "Bitcoin", "TOKEN_SYMBOL": "BTC", "FUNDAMENTAL_GRADE": "90.1",
    "FUNDAMENTAL_GRADE_CLASS": "storeOfValue", "TM_GRADE": "81.5", "TM_GRADE_24h_PCT_CHANGE": "1.5",
    "TM_TRADER_GRADE_24H_CHANGE": "-3.25", "TM_GRADE_SIGNAL": "Strong Buy", "MOMENTUM": "Gaining Momentum",
}  # fmt: skip
LATER = {key: value for key, value in FIRST.items() if not key.startswith("FUNDAMENTAL")} | {"QUANT_GRADE": 55}


def test_the_first_edition_with_its_numbers_as_texts() -> None:
    batch = SOURCE.rows(SOURCE, [FIRST], SLOT, "3375")
    assert (batch.subjects, batch.as_of.tolist()) == (["token:3375"], [SLOT])
    np.testing.assert_array_equal(batch.values, [[81.5, np.nan, 1.5, -3.25, 90.1]])
    text = {"signal": "Strong Buy", "momentum": "Gaining Momentum", "fundamental_class": "storeOfValue"}
    assert json.loads(batch.texts[0] or "") == text


def test_the_later_edition_and_version_3() -> None:
    for row in (LATER, *as_v3([LATER])):
        batch = SOURCE.rows(SOURCE, [row], SLOT, "3375")
        np.testing.assert_array_equal(batch.values, [[81.5, 55, 1.5, -3.25, np.nan]])
        text = {"signal": "Strong Buy", "momentum": "Gaining Momentum", "fundamental_class": None}
        assert json.loads(batch.texts[0] or "") == text


def test_a_token_without_words_has_no_text() -> None:
    batch = SOURCE.rows(SOURCE, [LATER | {"TM_GRADE_SIGNAL": None, "MOMENTUM": ""}], SLOT, "3375")
    assert batch.texts == [None]


def test_each_token_keeps_its_own_words() -> None:
    rows = [LATER, LATER | {"TOKEN_ID": "3306", "TM_GRADE_SIGNAL": "Sell"}]
    batch = SOURCE.rows(SOURCE, rows, SLOT, "")
    assert [json.loads(text or "")["signal"] for text in batch.texts] == ["Strong Buy", "Sell"]


def test_a_signal_that_is_not_a_word_is_refused() -> None:
    with pytest.raises(UpstreamError, match="TM_GRADE_SIGNAL is not a text"):
        SOURCE.rows(SOURCE, [LATER | {"TM_GRADE_SIGNAL": 1}], SLOT, "3375")
