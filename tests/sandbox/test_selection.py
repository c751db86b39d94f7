"""Filters, lists, date ranges, order of rows and paging."""

from typing import Any

import pytest

from tests.sandbox.conftest import Ask


def symbols(ask: Ask, path: str = "/v2/tokens", **params: Any) -> list[str]:
    return [row["TOKEN_SYMBOL"] for row in ask(path, **params).json["data"]]


def test_lists_are_comma_separated_with_or_without_blanks(ask: Ask) -> None:
    assert symbols(ask, token_id="3375, 3306") == ["BTC", "ETH"]
    assert symbols(ask, token_name="Ethereum, Solana") == ["ETH", "SOL"]
    assert symbols(ask, slug="hyperliquid") == ["HYPE"]


def test_symbols_are_not_unique(ask: Ask) -> None:
    assert [row["TOKEN_ID"] for row in ask("/v2/tokens", symbol="SOL").json["data"]] == [3988, 20613, 21865]
    assert len(symbols(ask, symbol="btc")) > 1


@pytest.mark.parametrize("category", ["layer-1", "Layer 1 (L1)", "layer 1", "layer-1,defi"])
def test_categories_by_slug_or_name(ask: Ask, category: str) -> None:
    rows = ask("/v2/tokens", category=category, limit=100).json["data"]
    assert rows
    allowed = {"layer-1", "defi"} if "defi" in category else {"layer-1"}
    assert all(allowed & {entry["category_slug"] for entry in row["CATEGORY_LIST"]} for row in rows)


def test_exchange_and_address_filters(ask: Ask) -> None:
    rows = ask("/v2/tokens", exchange="gate", limit=100).json["data"]
    assert rows
    assert all("gate" in {entry["exchange_id"] for entry in row["EXCHANGE_LIST"]} for row in rows)
    row = next(row for row in ask("/v2/tokens").json["data"] if row["CONTRACT_ADDRESS"])
    chain, address = next(iter(row["CONTRACT_ADDRESS"].items()))
    assert symbols(ask, blockchain_address=f"{chain}:{address}") == [row["TOKEN_SYMBOL"]]


def test_minimums_are_inclusive(ask: Ask) -> None:
    assert 0 < len(symbols(ask, marketcap="10000000000", limit=100)) < 40
    rows = ask("/v2/trader-grades", traderGrade="80", limit=100).json["data"]
    assert rows
    assert min(row["TM_TRADER_GRADE"] for row in rows) >= 80
    rows = ask("/v2/trader-grades", traderGradePercentChange="20", limit=100).json["data"]
    assert min(row["TM_TRADER_GRADE_24H_PCT_CHANGE"] for row in rows) >= 20
    rows = ask("/v2/investor-grades", investorGrade="60").json["data"]
    assert min(row["TM_INVESTOR_GRADE"] for row in rows) >= 60
    assert ask("/v2/tokens", volume="much").status_code == 400


def test_dates_are_inclusive_at_both_ends_and_newest_first(ask: Ask) -> None:
    rows = ask("/v2/daily-ohlcv", token_id="3375,3306", startDate="2023-11-01", endDate="2023-11-30", limit=100).json["data"]
    dates = [row["DATE"] for row in rows]
    assert len(rows) == 60
    assert dates == sorted(dates, reverse=True)
    assert (dates[0][:10], dates[-1][:10]) == ("2023-11-30", "2023-11-01")


def test_a_longer_span_is_refused_but_not_where_upstream_shows_more(ask: Ask) -> None:
    wide = {"startDate": "2023-10-01", "endDate": "2023-10-31"}
    assert ask("/v2/trader-grades", **wide).status_code == 400
    assert ask("/v2/daily-ohlcv", **wide).json == {}
    assert ask("/v2/indices-performance", id=1, **wide).json["length"] == 31
    assert ask("/v2/market-metrics", **wide).json["length"] == 31


def test_pages_hold_every_row_once(ask: Ask) -> None:
    day = {"startDate": "2023-12-31", "endDate": "2024-01-01"}
    seen = []
    for page in range(1, 10):
        rows = ask("/v2/trader-grades", limit=70, page=page, **day).json["data"]
        seen += [(row["DATE"], row["TOKEN_ID"]) for row in rows]
        if len(rows) < 70:
            break
    assert len(seen) == len(set(seen)) > 380
    assert [key[0] for key in seen] == sorted((key[0] for key in seen), reverse=True)


def test_tokens_are_mixed_within_a_date(ask: Ask) -> None:
    rows = ask("/v2/trader-grades", limit=100).json["data"]
    ids = [row["TOKEN_ID"] for row in rows]
    assert ids != sorted(ids)
    assert rows[0]["TOKEN_ID"] != 3375 or rows[1]["TOKEN_ID"] != 3306


def test_limit_is_50_unless_asked_for(ask: Ask) -> None:
    assert ask("/v2/tokens").json["length"] == 50
    assert ask("/v2/tokens", limit=100).json["length"] == 100
    assert ask("/v2/tokens", page=4).json["length"] == 50
    assert ask("/v2/tokens", page=5).json == {"success": True, "message": "Data fetched successfully", "length": 0, "data": []}


def test_the_top_by_market_cap(ask: Ask) -> None:
    assert ask("/v2/top-market-cap-tokens", top_k=3).json["length"] == 3
    assert symbols(ask, "/v2/top-market-cap-tokens", top_k=10)[0] == "BTC"
    first, second = (symbols(ask, "/v2/top-market-cap-tokens", top_k=5, page=page) for page in (1, 2))
    assert not set(first) & set(second)
    assert ask("/v2/top-market-cap-tokens", top_k=101).status_code == 400


def test_the_largest_tokens_have_their_listed_price_at_the_start(ask: Ask) -> None:
    assert ask("/v2/price", token_id=3375).json["data"][0]["CURRENT_PRICE"] == 42000
    assert ask("/v2/tokens", symbol="HYPE").json["data"][0]["TOKEN_NAME"] == "Hyperliquid"


def test_an_unknown_token_gives_no_rows(ask: Ask) -> None:
    assert ask("/v2/quantmetrics", token_id=1).json["data"] == []
    assert ask("/v2/trader-grades", symbol="NOSUCHTOKEN").json["data"] == []
