"""An answer that cannot be read is kept aside as it came, without the key."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import responses

from integration.domain.errors import UpstreamError
from integration.sources import load
from tests.sources.samples import SLOT
from tests.tokenmetrics.recorder import BASE, KEY, Around, answer, grades

SOURCES = load()
TRADER = SOURCES["trader_grades"]
URL = f"{BASE}/v2/trader-grades"


@pytest.fixture
def upstream() -> Any:
    with responses.RequestsMock() as mock:
        yield mock


def fails(around: Around) -> str:
    with pytest.raises(UpstreamError) as failed:
        around.client().fetch(TRADER, slot=SLOT, poll_id=7)
    return failed.value.message


def test_each_garbled_answer_is_kept_as_it_came(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=f"<html>{KEY}</html>")
    upstream.get(URL, body=answer(grades(range(5)), length=90))
    around = Around()
    fails(around)
    first, second = around.spoilt
    told = {"at": SLOT, "endpoint": "trader-grades", "error": "the answer is not JSON", "poll_id": 7}
    assert first == {**told, "body": b"<html>...</html>"}
    assert orjson.loads(second["body"])["length"] == 90


def test_of_pages_that_a_source_refuses_the_wrong_one_is_kept(upstream: responses.RequestsMock) -> None:
    wrong = [*grades(range(100, 110)), grades(range(110, 111))[0] | {"TM_TRADER_GRADE": 7_100, "NOTE": f"for {KEY}"}]
    upstream.get(URL, body=answer(grades(range(100))))
    upstream.get(URL, body=answer(wrong))
    around = Around()
    assert "in row 110 (id 110) 7100 is outside 0 to 100" in fails(around)
    (kept,) = around.spoilt
    assert [row["TOKEN_ID"] for row in orjson.loads(kept["body"])] == list(range(100, 111))
    assert "in row 10 (id 110)" in kept["error"]
    assert KEY.encode() not in kept["body"]


def test_rows_that_are_wrong_only_together_are_kept_too(upstream: responses.RequestsMock) -> None:
    around = Around()
    row = {"TOKEN_ID": 1, "TOKEN_NAME": "A", "TOKEN_SYMBOL": "a", "WEIGHT": 60, "DATE": "2025-12-31"}
    upstream.get(f"{BASE}/v2/indices-holdings", body=answer([row]))
    with pytest.raises(UpstreamError, match="weights sum to 60"):
        around.client().fetch(SOURCES["indices_holdings"], slot=SLOT, ids=[5])
    assert orjson.loads(around.spoilt[0]["body"]) == [row]


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_refusal_is_no_spoilt_answer(upstream: responses.RequestsMock, status: int) -> None:
    for _ in range(3 if status >= 429 else 1):
        upstream.get(URL, status=status)
    around = Around()
    fails(around)
    assert around.spoilt == []


def test_what_can_be_read_is_not_kept(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=answer(grades(range(3))))
    around = Around()
    around.client().fetch(TRADER, slot=SLOT)
    assert around.spoilt == []
