"""Every endpoint has upstream's fields with upstream's types."""

import json
from pathlib import Path
from typing import Any

import pytest

from integration.sandbox.endpoints import ENDPOINTS
from tests.sandbox.conftest import Ask, asker, made, shared

NUMBER = "number"
IDS = {"token_id": "3375,3306"}
SAMPLED = {
    "ai-reports": {},
    "correlation": {"limit": 100},
    "daily-ohlcv": IDS,
    "hourly-ohlcv": IDS,
    "indices-performance": {"id": 1},
    "investor-grades": {"limit": 100},
    "market-metrics": {},
    "price": IDS,
    "quantmetrics": {"limit": 100, "page": 2},
    "sentiments": {},
    "tokens": {},
    "top-market-cap-tokens": {},
    "trader-grades": {"limit": 100},
    "trading-signals": {"limit": 100},
}
# Fields that upstream.md states beyond the examples: declared, added in 2025, or a live quirk.
BEYOND = {
    "trader-grades": {"TOKEN_SYMBOL"},
    "indices-performance": {"ID"},
    "trading-signals": {"tm_link"},
}
TOKEN = ["TOKEN_ID", "TOKEN_NAME", "TOKEN_SYMBOL"]
TM = ["QUANT_GRADE", "TM_GRADE", "TM_GRADE_24h_PCT_CHANGE", "TM_TRADER_GRADE_24H_CHANGE", "TM_GRADE_SIGNAL", "MOMENTUM"]
FUNDAMENTAL = ["FUNDAMENTAL_GRADE", "FUNDAMENTAL_GRADE_CLASS", "COMMUNITY_SCORE", "EXCHANGE_SCORE", "VC_SCORE"]
TECHNOLOGY = ["TECHNOLOGY_GRADE", "ACTIVITY_SCORE", "SECURITY_SCORE", "REPOSITORY_SCORE", "COLLABORATION_SCORE"]
CHANGES = ["24H", "7D", "1M", "ALL_TIME"]
HOLDING = [
    "COIN",
    "CG_ID",
    "WEIGHT",
    "MARKET_CAP",
    "PRICE",
    "CURRENT_ROI",
    "TRADER_GRADE",
    "TRADER_GRADE_CHANGE_24H",
    "ICON",
    "DATE",
]
MOONSHOT = ["LAST_TRADING_SIGNAL_TIME", "TM_TRADER_GRADE", "TM_TRADER_GRADE_24H_PCT_CHANGE", "MARKET_CAP", "VOLUME_24H"]
MOONSHOT += ["PRICE_CHANGE_PERCENTAGE_7D_IN_CURRENCY", "MOONSHOT_AT", "MOONSHOT_END_AT", "MOONSHOT_ROI"]
INVESTOR = ["INVESTOR_NAME", "INVESTOR_WEBSITE", "INVESTOR_TWITTER", "ROUND_COUNT", "ROI_AVERAGE", "ROI_MEDIAN"]
NAMES_ONLY = {
    "tm-grade": [*TOKEN, *TM],
    "tm-grade-history": [*TOKEN, *TM, "DATE", "TRADING_SIGNAL"],
    "fundamental-grade": [*TOKEN, *FUNDAMENTAL, "TOKENOMICS_SCORE", "DEFI_SCANNER_SCORE"],
    "technology-grade": [*TOKEN, "DATE", *TECHNOLOGY, "DEFI_SCANNER_SCORE"],
    "hourly-trading-signals": [*TOKEN, "TIMESTAMP", "CLOSE", "SIGNAL", "POSITION"],
    "indices": [
        "ID",
        "NAME",
        "TICKER",
        "PRICE",
        "COINS",
        *CHANGES,
        "24H_VOLUME",
        "INDEX_GRADE",
        "MARKET_CAP",
        "TOP_GAINERS_ICONS",
    ],
    "indices-holdings": [*TOKEN, *HOLDING],
    "moonshot-tokens": ["TOKEN_NAME", "TOKEN_SYMBOL", *MOONSHOT],
    "price-prediction": [*TOKEN, "DATE", "PRICE_PREDICTION"],
    "scenario-analysis": [*TOKEN, "DATE", "SCENARIO_ANALYSIS"],
    "crypto-investors": INVESTOR,
    "resistance-support": [*TOKEN, "DATE", "HISTORICAL_RESISTANCE_SUPPORT_LEVELS"],
}


def kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return NUMBER
    return type(value).__name__


def kinds(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            found.setdefault(key, set()).add(kind(value))
    return found


def sample(name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((shared("upstream_samples") / f"{name}.json").read_text())["data"]
    return rows


@pytest.mark.parametrize("endpoint", SAMPLED)
def test_keys_and_types_are_those_of_the_published_example(ask: Ask, endpoint: str) -> None:
    theirs, body = kinds(sample(endpoint)), ask(f"/v2/{endpoint}", **SAMPLED[endpoint]).json
    assert body["success"] is True
    assert body["message"] == "Data fetched successfully"
    assert body["length"] == len(body["data"]) > 0
    ours = kinds(body["data"])
    assert set(ours) - set(theirs) == BEYOND.get(endpoint, set())
    assert set(theirs) <= set(ours)
    for key, types in theirs.items():
        assert ours[key] - {"null"} == types - {"null"}, key
        assert "null" not in ours[key] or "null" in types or endpoint == "quantmetrics", key


@pytest.mark.parametrize("endpoint", NAMES_ONLY)
def test_fields_known_by_name_are_there_and_no_others(ask: Ask, endpoint: str) -> None:
    needed = {"hourly-trading-signals": IDS, "tm-grade-history": IDS, "indices-holdings": {"id": 4}}
    rows = ask(f"/v2/{endpoint}", **needed.get(endpoint, {})).json["data"]
    assert rows
    assert all(set(row) == set(NAMES_ONLY[endpoint]) for row in rows)


def test_key_order_follows_the_examples(ask: Ask) -> None:
    for endpoint in ("quantmetrics", "investor-grades", "daily-ohlcv", "price"):
        ours = list(ask(f"/v2/{endpoint}", **IDS).json["data"][0])
        assert ours == list(sample(endpoint)[0]), endpoint


def test_dates_have_the_form_of_the_endpoint(ask: Ask) -> None:
    assert ask("/v2/trader-grades").json["data"][0]["DATE"] == "2024-01-01"
    assert ask("/v2/trading-signals").json["data"][0]["DATE"] == "2024-01-01T00:00:00.000Z"
    assert ask("/v2/sentiments").json["data"][0]["DATETIME"] == "2024-01-01 00:00:00.000"
    stamp = ask("/v2/hourly-ohlcv", token_id=3375).json["data"][0]["TIMESTAMP"]
    assert stamp.startswith("2023-12-31T23:2")
    assert stamp.endswith("Z")


def test_numbers_that_upstream_gives_as_strings_are_strings(ask: Ask) -> None:
    assert ask("/v2/price", token_id=3306).json["data"][0]["TOKEN_ID"] == "3306"
    assert ask("/v2/price", token_id=3306).json["data"][0]["TOKEN_SYMBOL"] == "eth"
    assert isinstance(ask("/v2/tm-grade").json["data"][0]["TM_GRADE"], str)
    assert isinstance(ask("/v2/moonshot-tokens").json["data"][0]["MARKET_CAP"], str)
    assert ask("/v2/hourly-trading-signals", token_id=3375).json["data"][0]["SIGNAL"] in ("1", "-1")


def test_both_editions_of_tm_grade_and_both_shapes_of_levels_can_be_served() -> None:
    old = asker(made(tokens=40, tm_grade_edition=1, level_objects=False))
    assert {"FUNDAMENTAL_GRADE", "FUNDAMENTAL_GRADE_CLASS"} <= set(old("/v2/tm-grade").json["data"][0])
    levels = old("/v2/resistance-support", token_id=3375).json["data"][0]["HISTORICAL_RESISTANCE_SUPPORT_LEVELS"]
    assert levels == sorted(levels)
    new = asker(made(tokens=40))("/v2/resistance-support", token_id=3375).json["data"][0]
    assert set(new["HISTORICAL_RESISTANCE_SUPPORT_LEVELS"][0]) == {"level", "date"}


@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_answers_json_without_nan_and_pages(ask: Ask, version: str, endpoint: str) -> None:
    if version not in ENDPOINTS[endpoint].versions:
        assert ask(f"/{version}/{endpoint}").status_code == 404
        return
    params: dict[str, Any] = {"token_id": "3375,3306,3988", "id": 4, "limit": 2, "top_k": 2}
    first, second = (ask(f"/{version}/{endpoint}", page=page, **params) for page in (1, 2))
    assert first.status_code == second.status_code == 200
    assert b"NaN" not in first.data
    assert len(first.json["data"]) == 2
    assert first.json["data"] != second.json["data"]
    assert len(ask(f"/{version}/{endpoint}", page=99999, **params).json["data"]) == 0


def test_the_chat_answers_at_the_top_level(model: Any) -> None:
    body = {"messages": [{"user": "What is new?"}]}
    reply = model.test_client().post("/v2/tmai", json=body, headers={"api_key": "tm-sandbox0-0000-0000-0000-000000000000"})
    assert set(reply.json) == {"success", "message", "answer", "thread"}
    assert reply.json["thread"][0] == {"user": "What is new?"}
    assert "Sandbox" in reply.json["answer"]


def test_the_error_of_a_bad_parameter_is_the_published_one(ask: Ask) -> None:
    published = json.loads(Path(shared("upstream_samples") / "error_400.json").read_text())
    for params in ({"limit": 101}, {"limit": "x"}, {"page": 0}, {"limit": 0}, {"startDate": "May 1"}, {"token_id": "BTC"}):
        reply = ask("/v2/trader-grades", **params)
        assert reply.status_code == 400
        assert reply.json == published
    assert ask("/v2/daily-ohlcv", page=0).json == {}
