"""v3 serves the same data under other names."""

import pytest

from integration.sandbox.naming import v3_key
from tests.sandbox.conftest import Ask


@pytest.mark.parametrize(
    ("v2", "v3"),
    [
        ("TM_TRADER_GRADE_24H_PCT_CHANGE", "tm_trader_grade_24_h_pct_change"),
        ("TM_GRADE_24h_PCT_CHANGE", "tm_grade_24_h_pct_change"),
        ("24H_VOLUME", "24_h_volume"),
        ("HIGH_24H", "high_24_h"),
        ("7D", "7_d"),
        ("1M", "1_m"),
        ("TM_LINK", "app_link"),
        ("SHARPE", "sharpe"),
    ],
)
def test_names_are_lower_case_with_digits_split_off(v2: str, v3: str) -> None:
    assert v3_key(v2) == v3


def test_rows_of_a_token_gain_its_slug(ask: Ask) -> None:
    row = ask("/v3/quantmetrics", token_id=3375).json["data"][0]
    assert (row["token_symbol"], row["slug"]) == ("BTC", "bitcoin")
    assert row["sharpe"] == ask("/v2/quantmetrics", token_id=3375).json["data"][0]["SHARPE"]


def test_trading_signals_are_renamed_and_spelled_out(ask: Ask) -> None:
    row = ask("/v3/trading-signals", token_id=3375).json["data"][0]
    assert {"tm_grade", "fundamental_grade", "token_signal_str", "token_trend_str", "app_link"} <= set(row)
    assert not {"tm_trader_grade", "tm_investor_grade", "tm_link"} & set(row)
    assert row["token_trend_str"] == {1: "up", 0: "sideways", -1: "down"}[row["token_trend"]]


def test_full_lists_need_expand_and_figures_are_added(ask: Ask) -> None:
    plain = ask("/v3/tokens", symbol="ETH").json["data"][0]
    assert "exchange_list" not in plain
    assert {"current_price", "market_cap", "price_change_percentage_24_h_in_currency", "low_24_h", "app_link"} <= set(plain)
    full = ask("/v3/tokens", symbol="ETH", expand="exchange_list,category_list").json["data"][0]
    assert full["exchange_list"]
    assert full["category_list"][0]["category_slug"] == "layer-1"


def test_price_takes_any_name_in_v3_but_an_id_in_v2(ask: Ask) -> None:
    assert ask("/v3/price", slug="bitcoin").json["data"][0]["token_id"] == "3375"
    assert ask("/v2/price", symbol="BTC").status_code == 400


def test_both_spellings_of_dates_and_index_types_are_read(ask: Ask) -> None:
    days = {"start_date": "2023-12-01", "end_date": "2023-12-03"}
    assert ask("/v3/trader-grades", token_id=3375, **days).json["length"] == 3
    assert ask("/v2/trader-grades", token_id=3375, startDate="2023-12-01", endDate="2023-12-03").json["length"] == 3
    active = ask("/v3/indices", indices_type="active").json["data"]
    assert {row["id"] for row in active} == {4, 5, 7}
    assert ask("/v2/indices", indicesType="active").json["length"] == 3


def test_scenario_analysis_gave_way_to_price_prediction(ask: Ask) -> None:
    assert ask("/v3/scenario-analysis").status_code == 404
    assert ask("/v3/price-prediction").status_code == 200
