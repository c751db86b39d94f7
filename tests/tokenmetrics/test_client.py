"""A whole fetch: pages, windows, ids; everything or nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
import responses

from integration.domain.errors import BudgetSpent, UpstreamError
from integration.domain.retry import DAY
from integration.sources import load
from tests.sources.samples import SLOT, as_v3, body, rows
from tests.tokenmetrics.recorder import BASE, Around, answer, grades

SOURCES = load()
TRADER = SOURCES["trader_grades"]
URL = f"{BASE}/v2/trader-grades"


@pytest.fixture
def upstream() -> Any:
    with responses.RequestsMock() as mock:
        yield mock


def queries(mock: responses.RequestsMock, *names: str) -> list[list[str | None]]:
    asked: list[dict[str, str]] = [getattr(call.request, "params", {}) for call in mock.calls]
    return [[params.get(name) for name in names] for params in asked]


def test_pages_are_read_to_the_first_short_one(upstream: responses.RequestsMock) -> None:
    for tokens in (range(100), range(100, 200), range(200, 250)):
        upstream.get(URL, body=answer(grades(tokens)))
    fetched = Around().client().fetch(TRADER, slot=SLOT)
    assert fetched.batch.subjects == [f"token:{token}" for token in range(250)]
    assert fetched.batch.values[:, 0].tolist() == [token % 100 for token in range(250)]
    assert fetched.batch.as_of.tolist() == [SLOT - DAY] * 250
    assert fetched.calls == 3
    assert queries(upstream, "limit", "page") == [["100", "1"], ["100", "2"], ["100", "3"]]


def test_a_full_last_page_is_followed_by_an_empty_one(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=answer(grades(range(100))))
    upstream.get(URL, body=answer([]))
    assert len(Around().client().fetch(TRADER, slot=SLOT).batch.subjects) == 100


def test_rows_that_a_shifting_page_shows_twice_are_kept_once(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=answer(grades(range(100))))
    upstream.get(URL, body=answer(grades(range(98, 150))))
    assert len(Around().client().fetch(TRADER, slot=SLOT).batch.subjects) == 150


def test_paging_that_does_not_end_is_given_up(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=answer(grades(range(100))))
    upstream.get(URL, body=answer([row | {"TA_GRADE": 9} for row in grades(range(100))]))
    with pytest.raises(UpstreamError, match="paging does not end"):
        Around().client().fetch(TRADER, slot=SLOT)


def test_a_page_that_fails_fails_all_and_its_predecessors_are_forgotten(upstream: responses.RequestsMock) -> None:
    client = Around().client()
    upstream.get(URL, body=answer(grades(range(100))))
    upstream.get(URL, status=400)
    with pytest.raises(UpstreamError, match="400"):
        client.fetch(TRADER, slot=SLOT)
    upstream.get(URL, body=answer(grades(range(5))))
    assert client.fetch(TRADER, slot=SLOT).calls == 1
    assert queries(upstream, "page") == [["1"], ["2"], ["1"]]


def test_a_page_with_a_wrong_value_fails_all(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=answer(grades(range(100))))
    upstream.get(URL, body=answer([*grades(range(100, 110)), grades(range(110, 111))[0] | {"TM_TRADER_GRADE": 7_100}]))
    with pytest.raises(UpstreamError, match=r"TM_TRADER_GRADE in row 110 \(id 110\) 7100 is outside 0 to 100"):
        Around().client().fetch(TRADER, slot=SLOT)


def test_a_fetch_longer_than_a_minutes_calls_goes_on_where_it_stopped(upstream: responses.RequestsMock) -> None:
    around = Around(left=2, retry_at=SLOT + 60_000)
    client = around.client()
    for tokens in (range(100), range(100, 200), range(200, 250)):
        upstream.get(URL, body=answer(grades(tokens)))
    with pytest.raises(BudgetSpent) as caught:
        client.fetch(TRADER, slot=SLOT)
    around.time = caught.value.retry_at
    fetched = client.fetch(TRADER, slot=SLOT)
    assert len(fetched.batch.subjects) == 250
    assert fetched.calls == 1
    assert queries(upstream, "page") == [["1"], ["2"], ["3"]]


def test_another_slot_begins_at_the_first_page(upstream: responses.RequestsMock) -> None:
    around = Around(left=1, retry_at=SLOT + 60_000)
    client = around.client()
    upstream.get(URL, body=answer(grades(range(100))))
    with pytest.raises(BudgetSpent):
        client.fetch(TRADER, slot=SLOT)
    around.time = SLOT + DAY
    upstream.get(URL, body=answer(grades(range(3))))
    assert len(client.fetch(TRADER, slot=SLOT + DAY).batch.subjects) == 3


def test_days_are_asked_for_in_windows_up_to_the_slots_day(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=answer(grades(range(1, 3), "2025-11-20")))
    upstream.get(URL, body=answer(grades(range(1, 3), "2026-01-01")))
    fetched = Around().client().fetch(TRADER, slot=SLOT + DAY // 2, ids=[2, 1], start=date(2025, 11, 20))
    assert len(fetched.batch.subjects) == 4
    names = ("token_id", "startDate", "endDate", "page")
    assert queries(upstream, *names) == [["1,2", "2025-11-20", "2025-12-18", "1"], ["1,2", "2025-12-19", "2026-01-01", "1"]]


def test_each_index_is_asked_for_alone_and_known_by_what_was_asked(upstream: responses.RequestsMock) -> None:
    source = SOURCES["indices_holdings"]
    row = {"TOKEN_ID": 1, "TOKEN_NAME": "A", "TOKEN_SYMBOL": "a", "WEIGHT": 100, "MARKET_CAP": 1, "DATE": "2025-12-31"}
    for _ in range(2):
        upstream.get(f"{BASE}/v2/indices-holdings", body=answer([row]))
    fetched = Around().client().fetch(source, slot=SLOT, ids=[5, 1])
    assert fetched.batch.subjects == ["index:1", "index:5"]
    assert fetched.batch.values.tolist() == [[1, 1], [1, 1]]
    assert len(fetched.batch.texts) == 2
    assert queries(upstream, "id", "page") == [["1", "1"], ["5", "1"]]


def test_an_index_is_whole_whether_upstream_pages_it_or_not(upstream: responses.RequestsMock) -> None:
    source, url = SOURCES["indices_holdings"], f"{BASE}/v2/indices-holdings"
    held = [{"TOKEN_ID": token, "WEIGHT": 0.5, "DATE": "2025-12-31"} for token in range(200)]
    full = [row | {"WEIGHT": 1} for row in held[:100]]
    for pages in ([held[:100], held[100:], []], [held], [full, full], [full, []]):
        for page in pages:
            upstream.get(url, body=answer(page))
        fetched = Around().client().fetch(source, slot=SLOT, ids=[1])
        assert fetched.batch.values.tolist() == [[len({row["TOKEN_ID"] for page in pages for row in page}), 1]]


def test_without_dates_the_slots_day_and_the_one_before_are_asked_for(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=answer([]))
    Around().client().fetch(TRADER, slot=SLOT + DAY // 2)
    assert queries(upstream, "startDate", "endDate") == [["2025-12-31", "2026-01-01"]]


def test_no_ids_make_no_call(upstream: responses.RequestsMock) -> None:
    fetched = Around().client().fetch(SOURCES["tm_grade"], slot=SLOT, ids=[])
    assert (list(fetched.batch.subjects), fetched.batch.values.shape, fetched.calls) == ([], (0, 5), 0)


def test_the_top_thousand_are_ten_pages(upstream: responses.RequestsMock) -> None:
    for page in range(10):
        tokens = [{"TOKEN_ID": token, "TOKEN_NAME": f"T{token}"} for token in range(page * 100, page * 100 + 100)]
        upstream.get(f"{BASE}/v2/top-market-cap-tokens", body=answer(tokens))
    fetched = Around().client().fetch(SOURCES["top_market_cap"], slot=SLOT)
    assert fetched.batch.values[:, 0].tolist() == list(range(1, 1001))
    assert [name.market_rank for name in fetched.names] == list(range(1, 1001))
    assert queries(upstream, "top_k", "limit", "page")[9] == ["100", None, "10"]


@pytest.mark.parametrize("name", ["investor-grades", "tokens"])
def test_published_answers_come_through_the_client_in_both_versions(upstream: responses.RequestsMock, name: str) -> None:
    source = next(source for source in SOURCES.values() if source.path == name)
    upstream.get(f"{BASE}/v2/{name}", body=body(name))
    upstream.get(f"{BASE}/v3/{name}", body=answer(as_v3(rows(name))))
    two, three = (Around().client(version).fetch(source, slot=SLOT) for version in ("v2", "v3"))
    assert two.names == three.names
    assert two.batch.subjects == three.batch.subjects
    np.testing.assert_array_equal(two.batch.as_of, three.batch.as_of)
    np.testing.assert_array_equal(two.batch.values, three.batch.values)
    assert len(two.names or two.batch.subjects) == 10
