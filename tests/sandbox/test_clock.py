"""Market time runs fast, pauses, steps and jumps; the market does not depend on how it got there."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from flask import Flask

from integration.sandbox import Sandbox, SandboxSettings, parse_day
from integration.sandbox.clock import DAY_MS, Clock, date_ms
from integration.sandbox.endpoints import ENDPOINTS
from integration.sandbox.market.model import ModelMarket
from tests.sandbox.conftest import asker, made, shared

START = date(2024, 1, 1)


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.mark.parametrize(
    ("text", "seconds"), [("5s", 5), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("24h", 86400), ("1d", 86400), ("1.5s", 1.5)]
)
def test_the_length_of_a_day_is_read(text: str, seconds: float) -> None:
    assert parse_day(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "fast", "-1s", "0s", "5 weeks"])
def test_an_unreadable_length_names_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match="such as 5s"):
        parse_day(text)


def test_one_day_passes_in_the_time_given() -> None:
    wall = Wall()
    clock = Clock(START, 5.0, wall=wall)
    assert clock.now() == date_ms(START)
    wall.seconds += 12.5
    assert clock.now() == date_ms(START) + 2.5 * DAY_MS
    assert clock.today() == date(2024, 1, 3)


def test_pause_resume_step_speed_and_jump() -> None:
    wall = Wall()
    clock = Clock(START, 5.0, wall=wall)
    clock.pause()
    wall.seconds += 50
    assert clock.today() == START
    clock.step(3)
    assert clock.today() == date(2024, 1, 4)
    clock.resume()
    wall.seconds += 5
    assert clock.today() == date(2024, 1, 5)
    clock.set_speed(1.0)
    wall.seconds += 2
    assert clock.today() == date(2024, 1, 7)
    clock.jump(START)
    assert clock.now() == date_ms(START)


def test_a_clock_stops_at_the_end_of_its_market() -> None:
    wall = Wall()
    clock = Clock(START, 1.0, latest=date(2024, 1, 3), wall=wall)
    wall.seconds += 100
    assert clock.today() == date(2024, 1, 3)
    clock.step(-1)
    assert clock.today() == date(2024, 1, 2)


def test_the_clock_is_controlled_over_http(fresh: Flask) -> None:
    client = fresh.test_client()
    assert client.get("/_sandbox/clock").json == {
        "market_time": date_ms(START),
        "market_date": "2024-01-01",
        "day_seconds": 86400.0,
        "paused": True,
    }
    assert client.post("/_sandbox/clock", json={"step_days": 2}).json["market_date"] == "2024-01-03"
    assert client.post("/_sandbox/clock", json={"date": "2024-02-01"}).json["market_date"] == "2024-02-01"
    assert client.post("/_sandbox/clock", json={"day_seconds": 5, "paused": False}).json["day_seconds"] == 5
    for wrong in ({}, {"speed": 1}, {"day_seconds": 0}, {"date": "1999-01-01"}, {"date": "soon"}, {"step_days": "x"}):
        reply = client.post("/_sandbox/clock", json=wrong)
        assert reply.status_code == 400, wrong
        assert reply.json["error"]


def test_the_row_of_a_date_appears_when_the_market_date_becomes_it(fresh: Flask) -> None:
    ask, sandbox = asker(fresh), fresh.extensions["sandbox"]

    def newest() -> tuple[Any, ...]:
        grade = ask("/v2/trader-grades", token_id=3375).json["data"][0]["DATE"]
        bar = ask("/v2/daily-ohlcv", token_id=3375).json["data"][0]
        return grade, ask("/v2/quantmetrics", token_id=3375).json["data"][0]["DATE"], bar["DATE"][:10]

    assert newest() == ("2024-01-01",) * 3
    sandbox.clock.step(0.99)
    assert newest() == ("2024-01-01",) * 3
    sandbox.clock.step(0.01)
    assert newest() == ("2024-01-02",) * 3


def test_the_price_walks_from_close_to_close_within_the_range(fresh: Flask) -> None:
    ask, sandbox = asker(fresh), fresh.extensions["sandbox"]

    def price() -> float:
        return float(ask("/v2/price", token_id=3375).json["data"][0]["CURRENT_PRICE"])

    first = ask("/v2/daily-ohlcv", token_id=3375).json["data"][0]["CLOSE"]
    seen = [price()]
    for _ in range(12):
        sandbox.clock.step(1 / 12)
        seen.append(price())
    bar = ask("/v2/daily-ohlcv", token_id=3375).json["data"][0]
    assert (seen[0], seen[-1]) == (first, bar["CLOSE"])
    assert len(set(seen)) == 13
    assert all(bar["LOW"] <= value <= bar["HIGH"] for value in seen)


def test_hourly_rows_appear_as_the_day_goes_on(fresh: Flask) -> None:
    ask, sandbox = asker(fresh), fresh.extensions["sandbox"]
    sandbox.clock.step(0.5)
    rows = ask("/v2/hourly-ohlcv", token_id=3375).json["data"]
    assert rows[0]["TIMESTAMP"].startswith("2024-01-01T11:2")
    assert [row["TIMESTAMP"] for row in rows] == sorted((row["TIMESTAMP"] for row in rows), reverse=True)
    assert all(row["LOW"] <= row["OPEN"] <= row["HIGH"] for row in rows)
    assert ask("/v2/hourly-trading-signals", token_id=3375).json["data"][0]["TIMESTAMP"] == rows[0]["TIMESTAMP"]


def test_the_same_seed_gives_the_same_market_however_it_is_stepped() -> None:
    once, slowly, other = ModelMarket(80, 3, START), ModelMarket(80, 3, START), ModelMarket(80, 4, START)
    once.ensure(560)
    other.ensure(560)
    for day in range(520, 561, 4):
        slowly.ensure(day)
    assert np.array_equal(once.close.rows, slowly.close.rows, equal_nan=True)
    assert np.array_equal(once.volume.rows, slowly.volume.rows, equal_nan=True)
    assert not np.array_equal(once.close.rows, other.close.rows, equal_nan=True)


def test_tokens_that_are_coming_are_listed_one_by_one_in_the_same_market() -> None:
    app = made(tokens=60, coming=3)
    sandbox, counts = app.extensions["sandbox"], []
    for _ in range(4):
        counts.append(len(asker(app)("/v2/tokens", limit=100).json["data"]))
        sandbox.clock.step(10)
    assert counts == [57, 58, 59, 60]
    whole = made(tokens=60).extensions["sandbox"].market
    for market in (sandbox.market, whole):
        market.ensure(540)
    assert np.array_equal(sandbox.market.close.rows[540], whole.close.rows[540])


def test_a_market_has_more_tokens_than_are_coming() -> None:
    with pytest.raises(ValueError, match="fewer than the 60 tokens"):
        SandboxSettings(tokens=60, coming=60)


def test_a_restart_at_a_later_date_goes_on_with_the_same_market() -> None:
    before, after = made(tokens=60), made(tokens=60, start=date(2024, 3, 1))
    before.extensions["sandbox"].clock.jump(date(2024, 3, 1))
    for path in ("/v2/quantmetrics", "/v2/trader-grades", "/v2/indices", "/v2/hourly-ohlcv"):
        assert asker(before)(path).json == asker(after)(path).json, path


def test_an_earlier_start_has_its_own_history() -> None:
    sandbox = made(tokens=40, start=date(2020, 1, 1)).extensions["sandbox"]
    assert (sandbox.market.date(500), sandbox.clock.today()) == (date(2020, 1, 1),) * 2


def test_answers_do_not_depend_on_what_was_asked_before() -> None:
    straight, wandering = made(tokens=40), made(tokens=40)
    for path in ("/v2/hourly-ohlcv", "/v2/indices", "/v2/correlation", "/v2/quantmetrics"):
        asker(wandering)(path)
    for app, days in ((straight, (10,)), (wandering, (3, 12, -5))):
        for step in days:
            app.extensions["sandbox"].clock.step(step)
            asker(app)("/v2/quantmetrics")
    for path, params in (("quantmetrics", {}), ("trader-grades", {}), ("indices-performance", {"id": 5}), ("correlation", {})):
        one, two = (asker(app)(f"/v2/{path}", **params).json["data"] for app in (straight, wandering))
        assert one == two, path


def test_a_replay_begins_within_its_prices_and_ends_with_them() -> None:
    sandbox: Sandbox = made(replay=shared("prices/daily")).extensions["sandbox"]
    assert sandbox.clock.today() == date(2020, 1, 1)
    sandbox.clock.step(5000)
    assert sandbox.clock.today() == date(2022, 2, 13)
    assert sandbox.view().today == len(sandbox.market.close) - 1


def test_replayed_tokens_have_real_ids_where_known_and_own_ids_else(replay: Flask) -> None:
    rows = {row["TOKEN_SYMBOL"]: row for row in asker(replay)("/v2/tokens", limit=100).json["data"]}
    assert len(rows) == 40
    assert rows["BTC"]["TOKEN_ID"] == 3375
    assert (rows["HOT"]["TOKEN_NAME"], rows["HOT"]["TOKEN_ID"] > 900_000) == ("Holo", True)


def test_every_endpoint_answers_on_the_first_day_of_all() -> None:
    app = made(replay=shared("prices/daily"), start=date(2019, 1, 1))
    for name in ENDPOINTS:
        assert asker(app)(f"/v2/{name}", token_id=3375, id=1).status_code == 200, name


@pytest.mark.parametrize("wrong", [{"tokens": 39}, {"tokens": 6001}, {"day": 0}, {"key": "abc"}])
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        SandboxSettings(**wrong)


def test_an_empty_replay_folder_is_refused(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="name a folder"):
        made(replay=tmp_path)
