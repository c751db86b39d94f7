"""Every fault can be had by control and by header, and goes away again."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import Flask

from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings
from integration.sandbox.faults import HEADER, KINDS
from tests.sandbox.conftest import asker

PATH = "/v2/trader-grades"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with RunningSandbox(SandboxSettings(tokens=40, paused=True, calls_per_minute=10_000)) as server:
        yield server


def faulty(app: Flask, fault: str, path: str = PATH, **params: Any) -> Any:
    return asker(app)(path, headers={HEADER: fault}, **params)


@pytest.mark.parametrize(
    ("fault", "status"),
    [("unauthorized", 401), ("forbidden", 403), ("rate_limited_bare", 429), ("server_error", 500), ("server_error=503", 503)],
)
def test_statuses(model: Flask, fault: str, status: int) -> None:
    reply = faulty(model, fault)
    assert reply.status_code == status
    assert reply.json["success"] is False
    assert "Retry-After" not in reply.headers


def test_rate_limited_says_when_to_come_back(model: Flask) -> None:
    assert faulty(model, "rate_limited=7").headers["Retry-After"] == "7"


def test_slow_answers_late_but_well(model: Flask) -> None:
    began = time.monotonic()
    assert faulty(model, "slow=0.2").status_code == 200
    assert time.monotonic() - began >= 0.2


def test_cut_off_really_cuts_the_connection(running: RunningSandbox) -> None:
    headers = {"x-api-key": SANDBOX_KEY, HEADER: "cut_off"}
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(running.url + PATH, headers=headers, timeout=10)
    with requests.get(running.url + PATH, headers=headers, timeout=10, stream=True) as reply:
        assert reply.status_code == 200
        assert int(reply.headers["Content-Length"]) > 1000


def test_broken_bodies(model: Flask) -> None:
    assert faulty(model, "not_json").data.startswith(b"<html>")
    assert "data" not in faulty(model, "wrong_envelope").json
    reply = faulty(model, "success_false")
    assert (reply.status_code, reply.json["success"]) == (200, False)
    assert faulty(model, "empty").json == {"success": True, "message": "Data fetched successfully", "length": 0, "data": []}


def test_nulls_and_strings(model: Flask) -> None:
    row = faulty(model, "nulls").json["data"][0]
    assert row["TM_TRADER_GRADE"] is None
    assert isinstance(row["TOKEN_ID"], int)
    row = faulty(model, "strings").json["data"][0]
    assert all(isinstance(value, str) for value in row.values())
    assert float(row["TM_TRADER_GRADE"]) > 0


def test_missing_tokens_are_the_same_each_time(model: Flask) -> None:
    every = {row["TOKEN_ID"] for row in asker(model)("/v2/quantmetrics", limit=100).json["data"]}
    some, again = (
        {row["TOKEN_ID"] for row in faulty(model, "missing_tokens=0.3", "/v2/quantmetrics", limit=100).json["data"]}
        for _ in range(2)
    )
    assert some == again
    assert 0.1 < len(every - some) / len(every) < 0.5


def test_short_page_has_fewer_rows_than_it_should(model: Flask) -> None:
    body = faulty(model, "short_page", "/v2/tokens").json
    assert body["length"] == len(body["data"]) == 25


def test_restated_changes_past_days_and_leaves_today(model: Flask) -> None:
    plain = asker(model)(PATH, token_id=3375, limit=10).json["data"]
    changed, again = (faulty(model, "restated", token_id=3375, limit=10).json["data"] for _ in range(2))
    assert changed == again
    assert changed[0] == plain[0]
    for new, old in zip(changed[1:], plain[1:], strict=True):
        assert (new["DATE"], new["TOKEN_ID"]) == (old["DATE"], old["TOKEN_ID"])
        assert 0.9 * old["TM_TRADER_GRADE"] < new["TM_TRADER_GRADE"] < old["TM_TRADER_GRADE"]


def test_restated_days_stay_those_before_the_fault_was_set(fresh: Flask) -> None:
    ask, sandbox = asker(fresh), fresh.extensions["sandbox"]
    plain = ask(PATH, token_id=3375, limit=2).json["data"]
    sandbox.faults.add("restated", "trader-grades")
    sandbox.clock.step(2)
    rows = ask(PATH, token_id=3375, limit=4).json["data"]
    assert rows[2] == plain[0]
    assert rows[3] != plain[1]


def test_late_withholds_the_rows_of_today(model: Flask) -> None:
    assert faulty(model, "late", token_id=3375).json["data"][0]["DATE"] == "2023-12-31"
    assert faulty(model, "late", "/v2/quantmetrics").json["data"] == []


def test_faults_last_a_number_of_requests(fresh: Flask) -> None:
    client, ask = fresh.test_client(), asker(fresh)
    reply = client.post("/_sandbox/faults", json={"endpoint": "trader-grades", "kind": "server_error", "times": 2})
    assert reply.status_code == 201
    assert [ask("/v2/tokens").status_code] + [ask(PATH).status_code for _ in range(3)] == [200, 500, 500, 200]
    assert client.get("/_sandbox/faults").json == {"faults": []}


def test_faults_last_until_deleted(fresh: Flask) -> None:
    client, ask = fresh.test_client(), asker(fresh)
    client.post("/_sandbox/faults", json={"kind": "rate_limited", "value": 3})
    assert [ask(path).status_code for path in (PATH, "/v2/tokens", "/v3/price")] == [429] * 3
    assert client.delete("/_sandbox/faults").json == {"deleted": 1}
    assert ask(PATH).status_code == 200


def test_faults_begin_after_a_while(fresh: Flask) -> None:
    fresh.extensions["sandbox"].faults.add("forbidden", after=0.2)
    assert asker(fresh)(PATH).status_code == 200
    time.sleep(0.25)
    assert asker(fresh)(PATH).status_code == 403


def test_faults_hold_in_v3_too(model: Flask) -> None:
    assert faulty(model, "nulls", "/v3/quantmetrics").json["data"][0]["sharpe"] is None


@pytest.mark.parametrize(
    "wrong", [{"kind": "gremlins"}, {"kind": "nulls", "times": 0}, {"kinds": "nulls"}, {}, {"endpoint": "price"}]
)
def test_a_fault_that_does_not_exist_is_refused(fresh: Flask, wrong: dict[str, Any]) -> None:
    reply = fresh.test_client().post("/_sandbox/faults", json=wrong)
    assert reply.status_code == 400
    assert reply.json["error"]


def test_a_header_that_names_no_fault_is_refused(model: Flask) -> None:
    assert "gremlins" in faulty(model, "gremlins").json["message"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers_something(running: RunningSandbox, kind: str) -> None:
    if kind == "cut_off":
        return
    reply = requests.get(
        running.url + PATH, headers={"x-api-key": SANDBOX_KEY, HEADER: f"{kind}=0.01" if kind == "slow" else kind}, timeout=10
    )
    assert reply.headers["X-Sandbox"] == "made-up data, not Token Metrics"
    if reply.ok and kind != "not_json":
        assert reply.json()
