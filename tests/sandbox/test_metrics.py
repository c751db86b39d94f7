"""Quantmetrics are what an independent computation finds, on real prices and on the model's."""

import csv
from datetime import date
from typing import Any

import numpy as np
import pytest
from flask import Flask

from integration.sandbox.measures.statistics import METRICS
from tests.sandbox.conftest import Ask, asker, made, shared


def closes(symbol: str, last: str) -> np.ndarray:
    with (shared("prices/daily") / f"{symbol}.csv").open() as file:
        return np.array([float(row["close"]) for row in csv.DictReader(file) if row["date"] <= last])


def independent(close: np.ndarray) -> dict[str, float]:
    r = np.diff(close) / close[:-1]
    s = r.std(ddof=1)
    z = (r - r.mean()) / r.std()
    return {
        "SHARPE": r.mean() / s * np.sqrt(365),
        "SORTINO": r.mean() / np.sqrt(np.mean(np.where(r < 0, r, 0) ** 2)) * np.sqrt(365),
        "VOLATILITY": s * np.sqrt(365),
        "DAILY_VALUE_AT_RISK": np.quantile(r, 0.05),
        "TAIL_RATIO": abs(np.quantile(r, 0.95) / np.quantile(r, 0.05)),
        "MAX_DRAWDOWN": min(close[i] / close[: i + 1].max() - 1 for i in range(len(close))),
        "ALL_TIME_RETURN": close[-1] / close[0] - 1,
        "PROFIT_FACTOR": r[r > 0].sum() / -r[r < 0].sum(),
        "SKEW": np.mean(z**3),
        "KURTOSIS": np.mean(z**4) - 3,
        "DAILY_RETURN_AVG": r.mean(),
        "DAILY_RETURN_STD": s,
        "RISK_REWARD_RATIO": (close[-90:].max() - close[-1]) / max(close[-1] - close[-90:].min(), close[-1] * 1e-4),
    }


def metrics(app: Flask, symbol: str) -> dict[str, Any]:
    row: dict[str, Any] = asker(app)("/v2/quantmetrics", symbol=symbol).json["data"][0]
    return row


@pytest.mark.parametrize("symbol", ["BTC", "DOGE", "XTZ"])
def test_metrics_of_real_coins_agree_with_numpy(replay: Flask, symbol: str) -> None:
    row = metrics(replay, symbol)
    assert row["DATE"] == "2021-05-19"
    for metric, value in independent(closes(symbol, "2021-05-19")).items():
        assert row[metric] == pytest.approx(value, rel=1e-12), metric


def test_cagr_counts_calendar_days(replay: Flask) -> None:
    close = closes("BTC", "2021-05-19")
    days = (date(2021, 5, 19) - date(2019, 1, 1)).days
    assert metrics(replay, "BTC")["CAGR"] == pytest.approx((close[-1] / close[0]) ** (365 / days) - 1, rel=1e-12)


def test_missing_days_of_a_file_are_no_returns() -> None:
    app = made(replay=shared("prices/daily"), start=date(2022, 1, 20))
    assert metrics(app, "OMG")["SHARPE"] == pytest.approx(independent(closes("OMG", "2022-01-20"))["SHARPE"], rel=1e-12)
    rows = asker(app)("/v2/daily-ohlcv", symbol="OMG", startDate="2021-12-27", endDate="2022-01-02").json["data"]
    assert [row["DATE"][:10] for row in rows] == ["2022-01-02", "2021-12-27"]


def test_the_day_of_the_2021_crash_is_served_as_it_was(replay: Flask) -> None:
    rows = asker(replay)("/v2/daily-ohlcv", symbol="BTC").json["data"]
    assert rows[0]["DATE"] == "2021-05-19T00:00:00.000Z"
    assert rows[0]["CLOSE"] == pytest.approx(37002.44, abs=0.005)
    assert rows[0]["LOW"] == pytest.approx(30681.50, abs=0.005)
    assert asker(replay)("/v2/price", token_id=3375).json["data"][0]["CURRENT_PRICE"] == rows[0]["CLOSE"]


def test_the_model_computes_from_the_closes_it_serves(ask: Ask) -> None:
    closes_served: list[float] = []
    for month in range(1, 11):
        rows = ask("/v2/daily-ohlcv", token_id=24749, limit=50, page=month).json["data"]
        closes_served += [row["CLOSE"] for row in rows]
    found = independent(np.array(closes_served[::-1]))
    row = ask("/v2/quantmetrics", token_id=24749).json["data"][0]
    if len(closes_served) == 500:
        closes_served += [row["CLOSE"] for row in ask("/v2/daily-ohlcv", token_id=24749, limit=50, page=11).json["data"]]
        found = independent(np.array(closes_served[::-1]))
    assert row["SHARPE"] == pytest.approx(found["SHARPE"], rel=1e-9)
    assert row["DAILY_VALUE_AT_RISK"] == pytest.approx(found["DAILY_VALUE_AT_RISK"], rel=1e-9)


def test_digits_round_as_upstream_prints() -> None:
    row = asker(made(tokens=40, digits=2))("/v2/quantmetrics", token_id=3375).json["data"][0]
    assert all(row[key] == round(row[key], 2) for key in ("SHARPE", "MAX_DRAWDOWN", "SKEW"))
    assert row["DAILY_RETURN_AVG"] != round(row["DAILY_RETURN_AVG"], 2)


def test_losses_are_negative_fractions(ask: Ask) -> None:
    row = ask("/v2/quantmetrics", token_id=3375).json["data"][0]
    assert -1 < row["MAX_DRAWDOWN"] < 0
    assert -1 < row["DAILY_VALUE_AT_RISK"] < 0


def test_null_rates_are_upstreams_and_spare_the_well_known(ask: Ask) -> None:
    rows = [row for page in (1, 2) for row in ask("/v2/quantmetrics", limit=100, page=page).json["data"]]
    others = [metric for metric in METRICS if metric != "RISK_REWARD_RATIO"]
    empty = [row for row in rows if all(row[metric] is None for metric in others)]
    assert 0.2 < len(empty) / len(rows) < 0.42
    assert 0.25 < sum(row["RISK_REWARD_RATIO"] is not None for row in empty) / len(empty) < 0.7
    assert all(None not in row.values() for row in rows[:46])
    assert all(len({row[metric] is None for metric in others}) == 1 for row in rows)


def test_nulls_can_be_switched_off() -> None:
    rows = asker(made(tokens=120, nulls=False))("/v2/quantmetrics", limit=100, page=2).json["data"]
    assert all(None not in row.values() for row in rows)
