"""The plan is enforced: keys, allowances, look-back, withheld days, locked endpoints."""

from typing import Any

import pytest
from flask import Flask

from integration.sandbox import SANDBOX_KEY
from integration.sandbox.calls import Calls
from integration.sandbox.clock import Clock
from integration.sandbox.plans import PLANS
from tests.sandbox.conftest import Ask, asker, made
from tests.sandbox.test_clock import START, Wall


@pytest.mark.parametrize("headers", [{"x-api-key": SANDBOX_KEY}, {"api_key": SANDBOX_KEY}])
def test_both_key_headers_open_the_api(model: Flask, headers: dict[str, str]) -> None:
    assert model.test_client().get("/v2/tokens", headers=headers).status_code == 200


@pytest.mark.parametrize("key", [None, "", "nonsense", "tm-12345678-1234-1234-1234-123456789abc"])
def test_any_other_key_is_refused(model: Flask, key: str | None) -> None:
    reply = model.test_client().get("/v2/tokens", headers={} if key is None else {"x-api-key": key})
    assert reply.status_code == 401
    assert (reply.json["success"], reply.json["length"], reply.json["data"]) == (False, 0, [])


def test_an_unknown_endpoint_or_version_is_404_and_a_wrong_method_405(ask: Ask, model: Flask) -> None:
    assert ask("/v2/nothing").status_code == 404
    assert ask("/v1/tokens").status_code == 404
    assert ask("/v2/trader-grades/x").status_code == 404
    assert ask("/v2/tmai").status_code == 405
    assert model.test_client().post("/v2/tokens", headers={"x-api-key": SANDBOX_KEY}).status_code == 405
    assert ask("/nowhere").json["success"] is False


def test_calls_over_the_minute_get_429_with_the_seconds_to_wait() -> None:
    ask = asker(made(tokens=40, calls_per_minute=3))
    assert [ask("/v2/price", token_id=3375).status_code for _ in range(4)] == [200, 200, 200, 429]
    reply = ask("/v2/tokens")
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    assert int(reply.headers["X-RateLimit-Reset"]) > 1_700_000_000
    assert reply.json["success"] is False


def test_a_new_minute_gives_new_calls() -> None:
    wall = Wall()
    calls = Calls(PLANS["free"], Clock(START, 86400, wall=wall), wall)
    assert [calls.spend("k") for _ in range(20)] == [None] * 20
    wall.seconds += 15
    assert calls.spend("k") == 45
    assert calls.spend("another") is None
    wall.seconds += 45
    assert calls.spend("k") is None


def test_the_month_has_thirty_market_days() -> None:
    app = made(tokens=40, calls_per_month=2, day=1.0, paused=False)
    ask, clock = asker(app), app.extensions["sandbox"].clock
    assert [ask("/v2/tokens").status_code for _ in range(3)] == [200, 200, 429]
    assert int(ask("/v2/tokens").headers["Retry-After"]) <= 30
    clock.step(30)
    assert ask("/v2/tokens").status_code == 200


def test_refused_keys_cost_nothing_and_everything_is_counted() -> None:
    app = made(tokens=40)
    asker(app)("/v2/tokens", headers={"x-api-key": "wrong"})
    asker(app)("/v2/tokens")
    report = app.test_client().get("/_sandbox/calls").json
    assert report["endpoints"] == {"tokens": 2}
    assert report["statuses"] == {"401": 1, "200": 1}
    assert report["month"]["used"] == report["minute"]["used"] == 1
    assert SANDBOX_KEY not in str(report)


def test_the_free_plan_locks_endpoints_and_withholds_the_newest_days() -> None:
    ask = asker(made(tokens=60, plan="free"))
    assert ask("/v2/quantmetrics").status_code == 403
    assert ask("/v2/tmai").status_code == 405
    assert ask("/v2/trader-grades").json["data"][0]["DATE"] == "2023-12-02"
    assert ask("/v2/daily-ohlcv").json["data"][0]["DATE"][:10] == "2024-01-01"
    assert ask("/v2/trading-signals", startDate="2023-12-20", endDate="2024-01-01").json["data"] == []


def test_look_back_ends_after_the_months_of_the_plan() -> None:
    def oldest(**settings: Any) -> str:
        ask = asker(made(tokens=40, **settings))
        return str(ask("/v2/trader-grades", token_id=3375, startDate="2022-12-20", endDate="2023-01-10").json["data"][-1]["DATE"])

    assert oldest(plan="premium") == "2022-12-20"
    assert oldest(plan="advanced") == "2023-01-01"
    assert oldest(plan="advanced", look_back_months=36) == "2022-12-20"


def test_every_figure_of_a_plan_can_be_set() -> None:
    ask = asker(made(tokens=40, plan="advanced", locked=frozenset({"price"}), withheld_days=3))
    assert ask("/v2/price", token_id=3375).status_code == 403
    assert ask("/v2/ai-reports").status_code == 200
    assert ask("/v2/trader-grades").json["data"][0]["DATE"] == "2023-12-29"


def test_an_unknown_plan_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="free, advanced, premium, vip"):
        made(plan="gold")
