"""One call: headers, retries, refusals, the budget and the record."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest
import requests
import responses
from responses import matchers

from integration.domain.errors import BudgetSpent, UpstreamError, UpstreamRefused
from integration.sources.trader_grades import SOURCE
from tests.sources.samples import SLOT
from tests.tokenmetrics.recorder import BASE, KEY, Around, answer, grades

URL = f"{BASE}/v2/trader-grades"
FINE: dict[str, Any] = {"body": answer(grades(range(1, 4)))}


@pytest.fixture
def upstream() -> Any:
    with responses.RequestsMock() as mock:
        yield mock


def fetch(around: Around) -> list[str]:
    return list(around.client().fetch(SOURCE, slot=SLOT, poll_id=7).batch.subjects)


THREE = ["token:1", "token:2", "token:3"]


def test_a_call_carries_the_key_asks_for_json_and_is_recorded(upstream: responses.RequestsMock) -> None:
    headers = {"x-api-key": KEY, "accept": "application/json", "User-Agent": "Gradewire"}
    query = {"startDate": "2025-12-31", "endDate": "2026-01-01", "limit": "100", "page": "1"}
    match = [matchers.header_matcher(headers), matchers.query_param_matcher(query)]
    upstream.get(URL, match=match, **FINE)
    around = Around()
    assert fetch(around) == THREE
    assert around.taken == 1
    assert around.calls == [
        {"at": SLOT, "endpoint": "trader-grades", "status": 200, "duration_ms": 0, "rows": 3, "error": None, "poll_id": 7}
    ]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_tried_three_times_and_every_try_is_paid_and_recorded(
    upstream: responses.RequestsMock, status: int
) -> None:
    upstream.get(URL, status=status)
    upstream.get(URL, status=status)
    upstream.get(URL, **FINE)
    around = Around()
    assert fetch(around) == THREE
    assert around.slept == [1, 2]
    assert around.taken == 3
    assert [call["status"] for call in around.calls] == [status, status, 200]


def test_three_server_errors_are_an_error(upstream: responses.RequestsMock) -> None:
    for _ in range(3):
        upstream.get(URL, status=500, json={"success": False, "message": "down"})
    around = Around()
    with pytest.raises(UpstreamError, match=r"^trader-grades answered 500: down$") as caught:
        fetch(around)
    assert not isinstance(caught.value, BudgetSpent)
    assert [call["error"] for call in around.calls] == ["trader-grades answered 500: down"] * 3


def test_a_lost_connection_is_tried_three_times_and_its_record_holds_no_address(upstream: responses.RequestsMock) -> None:
    for failure in (requests.ConnectionError(f"{URL}?x"), requests.ReadTimeout(URL), requests.ConnectTimeout(URL)):
        upstream.get(URL, body=failure)
    around = Around()
    with pytest.raises(UpstreamError, match=r"^trader-grades: no answer in time$"):
        fetch(around)
    assert [call["status"] for call in around.calls] == [0, 0, 0]
    assert [call["error"] for call in around.calls] == ["trader-grades: no connection"] + ["trader-grades: no answer in time"] * 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": formatdate(SLOT / 1_000 + 12, usegmt=True)}, 12),
        ({"X-RateLimit-Reset": str(SLOT // 1_000 + 9)}, 9),
        ({"Retry-After": "3", "X-RateLimit-Reset": str(SLOT // 1_000 + 9)}, 3),
        ({"Retry-After": "0"}, 0),
        ({"X-RateLimit-Reset": "1"}, 0),
        ({"Retry-After": "soon"}, 2),
        ({}, 2),
    ],
)
def test_a_rate_limit_is_waited_out_as_long_as_upstream_says(
    upstream: responses.RequestsMock, header: dict[str, str], seconds: float
) -> None:
    upstream.get(URL, status=429, headers=header)
    upstream.get(URL, **FINE)
    around = Around()
    assert fetch(around) == THREE
    assert around.slept == [seconds]


def test_a_long_wait_is_not_slept_but_says_when_to_come_back(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, status=429, headers={"Retry-After": "21"})
    around = Around()
    with pytest.raises(BudgetSpent) as caught:
        fetch(around)
    assert caught.value.retry_at == SLOT + 21_000
    upstream.get(URL, status=503, headers={"Retry-After": "3600"})
    with pytest.raises(UpstreamError) as error:
        fetch(around)
    assert not isinstance(error.value, BudgetSpent)
    assert error.value.retry_at == SLOT + 3_600_000
    assert around.slept == []


def test_a_rate_limit_that_does_not_end_comes_back_in_a_minute(upstream: responses.RequestsMock) -> None:
    for _ in range(3):
        upstream.get(URL, status=429)
    around = Around()
    with pytest.raises(BudgetSpent) as caught:
        fetch(around)
    assert around.slept == [2, 4]
    assert caught.value.retry_at == SLOT + 6_000 + 60_000


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refusal_is_not_tried_again_and_never_shows_the_key(upstream: responses.RequestsMock, status: int) -> None:
    upstream.get(URL, status=status, json={"success": False, "message": f"Invalid key {KEY}"})
    around = Around()
    with pytest.raises(UpstreamRefused, match="Invalid key …"):
        fetch(around)
    assert len(around.calls) == 1
    assert KEY not in str(around.calls)


@pytest.mark.parametrize("status", [301, 400, 404, 422])
def test_a_wrong_request_is_not_tried_again(upstream: responses.RequestsMock, status: int) -> None:
    upstream.get(URL, status=status, body="{}", headers={"Location": "http://127.0.0.1:9/elsewhere"})
    around = Around()
    with pytest.raises(UpstreamError, match=f"^trader-grades answered {status}$") as caught:
        fetch(around)
    assert not isinstance(caught.value, UpstreamRefused)
    assert around.taken == len(around.calls) == 1


def test_a_failure_in_a_good_status_is_not_tried_again(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=answer([], success=False, message=f"Some thing wrong with {KEY}"))
    with pytest.raises(UpstreamError, match=r"^trader-grades: Some thing wrong with …$"):
        fetch(Around())


def test_a_garbled_answer_is_tried_once_more(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, body=answer(grades(range(5)))[:40])
    upstream.get(URL, **FINE)
    around = Around()
    assert fetch(around) == THREE
    upstream.get(URL, body="<html>")
    upstream.get(URL, body=answer(grades(range(5)), length=90))
    with pytest.raises(UpstreamError, match=r"^trader-grades: the answer holds 5 of 90 rows$"):
        fetch(around)
    assert [call["status"] for call in around.calls] == [200] * 4
    assert around.calls[2]["error"] == "trader-grades: the answer is not JSON"


def test_a_spent_budget_makes_no_call(upstream: responses.RequestsMock) -> None:
    around = Around(left=0, retry_at=SLOT + 20_001)
    with pytest.raises(BudgetSpent):
        fetch(around)
    assert around.calls == []
    assert around.slept == []


def test_the_next_minutes_calls_are_waited_for_where_they_are_near(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, **FINE)
    around = Around(left=0, retry_at=SLOT + 20_000)
    assert fetch(around) == THREE
    assert around.slept == [20]


def test_a_retry_is_paid_like_any_call(upstream: responses.RequestsMock) -> None:
    upstream.get(URL, status=500)
    around = Around(left=1, retry_at=SLOT + 90_000)
    with pytest.raises(BudgetSpent):
        fetch(around)
    assert len(around.calls) == 1
