"""Indices hold tokens by a rule, rebalance, and add up."""

import pytest
from flask import Flask

from integration.sandbox.measures.indices import SPECS
from tests.sandbox.conftest import Ask, asker, made, shared


def test_seven_indices_are_labelled_as_the_sandboxs(ask: Ask) -> None:
    rows = ask("/v2/indices").json["data"]
    assert [row["ID"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert all(row["NAME"].startswith("Sandbox ") for row in rows)
    assert all(len(row["TOP_GAINERS_ICONS"]) == 3 for row in rows)


@pytest.mark.parametrize("index_id", [spec.index_id for spec in SPECS])
def test_weights_are_percents_that_sum_to_100(ask: Ask, index_id: int) -> None:
    rows = ask("/v2/indices-holdings", id=index_id).json["data"]
    weights = [row["WEIGHT"] for row in rows]
    assert 10 <= len(rows) <= 25
    assert sum(weights) == pytest.approx(100, abs=1e-9)
    assert weights == sorted(weights, reverse=True)
    assert len({row["TOKEN_ID"] for row in rows}) == len(rows)
    assert index_id == 7 or not {"USDT", "USDC", "DAI"} & {row["TOKEN_SYMBOL"] for row in rows}


def test_the_shelter_index_flees_into_a_stablecoin_and_returns(fresh: Flask) -> None:
    ask, sandbox = asker(fresh), fresh.extensions["sandbox"]
    shares = []
    for _ in range(20):
        rows = ask("/v2/indices-holdings", id=7).json["data"]
        assert len(rows) == 10
        shares.append(sum(row["WEIGHT"] for row in rows if row["TOKEN_SYMBOL"] in ("USDT", "USDC", "DAI")))
        sandbox.clock.step(7)
    assert 0 in shares
    assert any(45 < share < 55 for share in shares)
    assert all(share == 0 or 45 < share < 55 for share in shares)  # in between prices alone move it


def test_members_and_the_top_change_as_indices_rebalance(fresh: Flask) -> None:
    ask, sandbox = asker(fresh), fresh.extensions["sandbox"]
    changes = dict.fromkeys((1, 4, 5), 0)
    for _ in range(21):
        before = {index: holders(ask, index) for index in changes}
        sandbox.clock.step(1)
        for index in changes:
            changes[index] += holders(ask, index) != before[index]
    assert changes[4] >= 3
    assert changes[5] >= 5


def holders(ask: Ask, index: int) -> set[int]:
    return {row["TOKEN_ID"] for row in ask("/v2/indices-holdings", id=index).json["data"]}


def test_performance_follows_the_holdings(fresh: Flask) -> None:
    ask, sandbox = asker(fresh), fresh.extensions["sandbox"]
    held = ask("/v2/indices-holdings", id=6).json["data"]
    sandbox.clock.step(1)
    now = {row["TOKEN_ID"]: row["CLOSE"] for row in ask("/v2/daily-ohlcv", limit=100, startDate="2024-01-02").json["data"]}
    growth = sum(row["WEIGHT"] / 100 * now[row["TOKEN_ID"]] / row["PRICE"] for row in held)
    before, after = ask("/v2/indices-performance", id=6, limit=2).json["data"]
    ratio = (1 + after["INDEX_CUMULATIVE_ROI"]) / (1 + before["INDEX_CUMULATIVE_ROI"])
    assert ratio == pytest.approx(growth, abs=1e-4)


def test_performance_is_oldest_first_and_ends_today(ask: Ask) -> None:
    dates = [row["DATE"] for row in ask("/v2/indices-performance", id=1).json["data"]]
    assert dates == sorted(dates)
    assert dates[-1] == "2024-01-01T00:00:00.000Z"


def test_an_unknown_index_has_no_rows_and_a_missing_id_is_refused(ask: Ask) -> None:
    assert ask("/v2/indices-holdings", id=99).json["data"] == []
    assert ask("/v2/indices-performance", id=99).json["length"] == 0
    assert ask("/v2/indices-holdings").status_code == 400


def test_a_replay_has_indices_of_its_own_tokens() -> None:
    ask = asker(made(replay=shared("prices/daily")))
    for spec in SPECS:
        assert len(ask("/v2/indices-holdings", id=spec.index_id).json["data"]) == spec.size
