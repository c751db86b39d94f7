from __future__ import annotations

import pytest

from integration.domain.errors import UpstreamError
from integration.tokenmetrics.envelope import Garbled, rows_of
from tests.sources.samples import body
from tests.tokenmetrics.recorder import answer

ROWS = [{"TOKEN_ID": 1}, {"TOKEN_ID": 2}]


def test_rows_of_a_whole_answer() -> None:
    assert rows_of(answer(ROWS), 100) == ROWS
    assert rows_of(answer([]), 100) == []
    assert rows_of(answer(ROWS, pagination={"total": 2}, message=None), 100) == ROWS


def test_a_length_is_not_needed_and_one_above_the_limit_counts_more_than_this_page() -> None:
    assert rows_of(b'{"success":true,"data":[{"TOKEN_ID":1}]}', 100) == ROWS[:1]
    assert rows_of(answer(ROWS, length=6_000), 100) == ROWS


def test_a_published_answer() -> None:
    assert len(rows_of(body("investor-grades"), 100)) == 10


@pytest.mark.parametrize("length", [3, 100])
def test_a_page_shorter_than_its_own_length_was_cut_off(length: int) -> None:
    with pytest.raises(Garbled, match=f"holds 2 of {length} rows"):
        rows_of(answer(ROWS, length=length), 100)


def test_a_failure_speaks_upstreams_words_shortened() -> None:
    with pytest.raises(UpstreamError, match=r"^Some thing wrong$") as caught:
        rows_of(body("error_400"), 100)
    assert not isinstance(caught.value, Garbled)
    with pytest.raises(UpstreamError) as caught:
        rows_of(answer([], success=False, message="long \n" * 1_000), 100)
    assert len(caught.value.message) == 200
    with pytest.raises(UpstreamError, match="says that it failed"):
        rows_of(b'{"success":false}', 100)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (answer(ROWS)[:-5], "not JSON"),
        (b'{"success": true, "data": [NaN]}', "not JSON"),
        (b"[]", "no valid envelope"),
        (b"{}", "no valid success"),
        (b'{"success": "yes", "data": []}', "no valid success"),
        (b'{"success": true}', "has no data"),
        (b'{"success": true, "data": null}', "has no data"),
        (b'{"success": true, "data": {}}', "no valid data"),
        (b'{"success": true, "data": [1]}', "no valid data"),
        (b'{"success": true, "data": [{}, null]}', "no valid data"),
        (b'{"success": true, "length": "many", "data": []}', "no valid length"),
    ],
)
def test_what_is_not_a_whole_answer_is_garbled(body: bytes, text: str) -> None:
    with pytest.raises(Garbled, match=text):
        rows_of(body, 100)
