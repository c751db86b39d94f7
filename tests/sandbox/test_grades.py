"""Grades keep the published identities and move as real ones do."""

from itertools import pairwise

import numpy as np
import pytest
from flask import Flask

from integration.sandbox import Sandbox
from tests.sandbox.conftest import Ask, made, shared


def sandbox_of(app: Flask) -> Sandbox:
    found: Sandbox = app.extensions["sandbox"]
    return found


def test_trader_grade_is_its_identity(ask: Ask) -> None:
    for row in ask("/v2/trader-grades", limit=100).json["data"]:
        assert row["TM_TRADER_GRADE"] == pytest.approx(0.8 * row["TA_GRADE"] + 0.2 * row["QUANT_GRADE"], abs=0.008)
        assert 0 <= row["TM_TRADER_GRADE"] <= 100


def test_investor_grade_is_its_identity(ask: Ask) -> None:
    for row in ask("/v2/investor-grades", limit=100).json["data"]:
        parts = 5 * row["FUNDAMENTAL_GRADE"] + 4 * row["TECHNOLOGY_GRADE"] + 4 * row["VALUATION_GRADE"]
        assert row["TM_INVESTOR_GRADE"] == pytest.approx(parts / 13, abs=0.0051)


def test_scores_change_once_a_week_and_keep_their_nulls(model: Flask) -> None:
    investor = sandbox_of(model).measures.investor
    weeks = np.stack([investor.scores(day) for day in range(7, 7 * 53, 7)])
    assert np.array_equal(investor.scores(7), investor.scores(13), equal_nan=True)
    assert (np.isnan(weeks) == np.isnan(weeks[0])).all()
    assert 0 <= np.nanmin(weeks) < np.nanmax(weeks) <= 10
    moves = np.abs(np.diff(weeks, axis=0))
    assert 0.02 < (moves[np.isfinite(moves)] >= 1).mean() < 0.2


def test_percent_change_is_against_the_day_before(ask: Ask) -> None:
    new, old = ask("/v2/trader-grades", token_id=3375, limit=2).json["data"]
    change = 100 * (new["TM_TRADER_GRADE"] / old["TM_TRADER_GRADE"] - 1)
    assert new["TM_TRADER_GRADE_24H_PCT_CHANGE"] == pytest.approx(change, abs=0.006)


def test_trader_grades_rest_and_jump_as_upstreams_do(model: Flask) -> None:
    rows = sandbox_of(model).measures.grades.trader.rows
    full = sandbox_of(model).market.listed == 0
    moves = np.abs(np.diff(rows[100:, full], axis=0))
    median, high = float(np.median(moves)), float(np.quantile(moves, 0.95))
    print(f"model: median {median:.2f} points a day, 95th percentile {high:.1f}; upstream BTC 0.38 and 18.4")
    assert median < 2
    assert 8 < high < 40
    assert (moves < 1).mean() > 0.4
    assert (moves > 10).mean() > 0.08


def test_real_bitcoin_prices_give_moves_like_upstreams() -> None:
    sandbox = sandbox_of(made(replay=shared("prices/daily")))
    sandbox.clock.step(770)
    sandbox.view()
    moves = np.abs(np.diff(sandbox.measures.grades.trader.rows[60:, 0]))
    print(f"real BTC: median {np.median(moves):.2f}, 95th percentile {np.quantile(moves, 0.95):.1f}; upstream 0.38 and 18.4")
    assert 0.2 < np.median(moves) < 1.2
    assert 12 < np.quantile(moves, 0.95) < 28


def test_an_average_day_has_large_moves_and_sharpe_crossings_come() -> None:
    sandbox = sandbox_of(made(tokens=200, nulls=False))
    large, crossings = [], 0
    for _ in range(15):
        before = sandbox.view()
        sandbox.clock.step(1)
        after = sandbox.view()
        now, then = (view.measures.grades.trader[view.today] for view in (after, before))
        large.append(int((np.abs(now - then) >= 10).sum()))
        sharpe, old = (view.measures.quant.column(view.today, "SHARPE") for view in (after, before))
        crossings += sum(int(((sharpe > line) != (old > line)).sum()) for line in (0.5, 1.0))
    assert np.mean(large) >= 3
    assert crossings >= 5


def test_trend_is_the_last_signal_that_fired(ask: Ask) -> None:
    rows = ask("/v2/trading-signals", token_id=3375, limit=100).json["data"][::-1]
    assert {row["TRADING_SIGNAL"] for row in rows} == {-1, 0, 1}
    trend = rows[0]["TOKEN_TREND"]
    for row in rows[1:]:
        trend = row["TRADING_SIGNAL"] or trend
        assert row["TOKEN_TREND"] == trend
    assert sum(row["TRADING_SIGNAL"] == 0 for row in rows) > 80


def test_a_signal_filter_gives_only_the_days_on_which_it_fired(ask: Ask) -> None:
    rows = ask("/v2/trading-signals", token_id=3375, signal=-1).json["data"]
    assert len(rows) > 3
    assert {row["TRADING_SIGNAL"] for row in rows} == {-1}
    assert ask("/v2/trading-signals", signal=2).status_code == 400


def test_older_signal_rows_have_no_grades(ask: Ask) -> None:
    new = ask("/v2/trading-signals", token_id=3375).json["data"][0]
    old = ask("/v2/trading-signals", token_id=3375, limit=1, page=200).json["data"][0]
    assert new["TM_TRADER_GRADE"] is not None
    assert old["TM_TRADER_GRADE"] is old["TM_INVESTOR_GRADE"] is None


def test_market_metrics_are_oldest_first_and_follow_their_signal(ask: Ask) -> None:
    rows = ask("/v2/market-metrics", limit=100).json["data"]
    dates = [row["DATE"] for row in rows]
    assert dates == sorted(dates)
    assert dates[-1] == "2024-01-01"
    for before, row in pairwise(rows):
        flipped = row["LAST_TM_GRADE_SIGNAL"] != before["LAST_TM_GRADE_SIGNAL"]
        assert row["TM_GRADE_SIGNAL"] == (row["LAST_TM_GRADE_SIGNAL"] if flipped else 0)


def test_momentum_words_follow_the_change_in_points(ask: Ask) -> None:
    for row in ask("/v2/tm-grade", limit=100).json["data"]:
        change = float(row["TM_TRADER_GRADE_24H_CHANGE"])
        if change >= 10:
            assert row["MOMENTUM"] == "Momentum Surging"
        if change < -10:
            assert row["MOMENTUM"] == "Momentum Crashing"
        if float(row["TM_GRADE"]) >= 80:
            assert row["TM_GRADE_SIGNAL"] == "Strong Buy"
