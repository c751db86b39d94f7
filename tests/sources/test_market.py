"""Sources about the market: its metrics, its sentiment, its moonshots; what is made of their rows and what is refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from integration.domain.catalogue import Batch, Source
from integration.domain.errors import UpstreamError
from integration.domain.retry import HOUR
from integration.sources import load
from tests.sources.samples import SLOT, as_v3

SOURCES = load()
METRICS, SENTIMENTS, MOONSHOTS, TOKENS = (SOURCES[key] for key in ("market_metrics", "sentiments", "moonshots", "tokens"))


def read(source: Source, *rows: dict[str, Any]) -> Batch:
    return source.rows(source, list(rows), SLOT, "")


def day(date: str = "2025-12-31", **more: Any) -> dict[str, Any]:
    row = {"DATE": date, "TOTAL_CRYPTO_MCAP": 3.1e12, "TM_GRADE_PERC_HIGH_COINS": 8.5, "TM_GRADE_SIGNAL": 0}
    return {**row, "LAST_TM_GRADE_SIGNAL": 1, **more}


def hour(time: str = "2025-12-31 10:00:00.000", **more: Any) -> dict[str, Any]:
    grades = {f"{origin}_SENTIMENT_GRADE": 50 + at for at, origin in enumerate(("MARKET", "NEWS", "REDDIT", "TWITTER"))}
    return {"DATETIME": time, **grades, "NEWS_SENTIMENT_LABEL": "neutral", "NEWS_SUMMARY": "…", **more}


def moonshot(symbol: str = "ABC", at: str | None = "2025-12-20T00:00:00.000Z", **more: Any) -> dict[str, Any]:
    row = {
        "TOKEN_NAME": f"Token {symbol}",
        "TOKEN_SYMBOL": symbol,
        "LAST_TRADING_SIGNAL_TIME": "2025-12-19T00:00:00.000Z",
        "TM_TRADER_GRADE": "91.5",
        "TM_TRADER_GRADE_24H_PCT_CHANGE": "12.01",
        "PRICE_CHANGE_PERCENTAGE_7D_IN_CURRENCY": "-3.2",
        "MARKET_CAP": "48000000",
        "VOLUME_24H": "1500000.5",
        "MOONSHOT_AT": at,
        "MOONSHOT_END_AT": None,
        "MOONSHOT_ROI": 12.5,
    }
    return {**row, **more}


def listed(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    (text,) = read(MOONSHOTS, *rows).texts
    found: list[dict[str, Any]] = orjson.loads(text or "")["moonshots"]
    return found


@pytest.mark.parametrize(
    ("source", "row", "field"),
    [
        (METRICS, day(TOTAL_CRYPTO_MCAP=3.1), "TOTAL_CRYPTO_MCAP"),
        (METRICS, day(TM_GRADE_PERC_HIGH_COINS=850), "TM_GRADE_PERC_HIGH_COINS"),
        (METRICS, day(LAST_TM_GRADE_SIGNAL=2), "LAST_TM_GRADE_SIGNAL"),
        (METRICS, day(TM_GRADE_SIGNAL="bullish"), "TM_GRADE_SIGNAL"),
        (METRICS, day("soon"), "DATE"),
        (SENTIMENTS, hour(NEWS_SENTIMENT_GRADE=101), "NEWS_SENTIMENT_GRADE"),
        (SENTIMENTS, hour(NEWS_SENTIMENT_LABEL=3), "NEWS_SENTIMENT_LABEL"),
        (SENTIMENTS, hour("10 o'clock"), "DATETIME"),
        (MOONSHOTS, moonshot(TM_TRADER_GRADE="high"), "TM_TRADER_GRADE"),
        (MOONSHOTS, moonshot(MARKET_CAP="-1"), "MARKET_CAP"),
        (MOONSHOTS, moonshot(MOONSHOT_AT="soon"), "MOONSHOT_AT"),
        (MOONSHOTS, moonshot(TOKEN_SYMBOL=""), "TOKEN_SYMBOL"),
        (MOONSHOTS, moonshot(TOKEN_NAME=7), "TOKEN_NAME"),
    ],
)
def test_what_cannot_be_is_refused_by_field_and_row(source: Source, row: dict[str, Any], field: str) -> None:
    fine = {"market_metrics": day, "sentiments": hour, "moonshots": moonshot}[source.key]()
    with pytest.raises(UpstreamError, match=f"{source.path}: {field}") as caught:
        read(source, fine, row)
    assert caught.value.field == field
    assert "id None" not in str(caught.value)


def test_of_two_rows_of_one_hour_the_later_counts_with_its_labels() -> None:
    batch = read(SENTIMENTS, hour(), hour("2025-12-31 11:00:00.000"), hour(NEWS_SENTIMENT_GRADE=9, NEWS_SENTIMENT_LABEL="bad"))
    assert batch.as_of.tolist() == [SLOT - 14 * HOUR, SLOT - 13 * HOUR]
    assert batch.values[:, 1].tolist() == [9, 51]
    assert [orjson.loads(text or "")["news"] for text in batch.texts] == ["bad", "neutral"]


def test_a_sentiment_without_labels_has_no_text_and_never_a_summary() -> None:
    assert read(SENTIMENTS, hour(NEWS_SENTIMENT_LABEL=None)).texts == [None]
    assert "…" not in str(read(SENTIMENTS, hour()).texts)


def test_a_moonshot_list_is_one_reading_of_all_its_rows_with_numbers_for_strings() -> None:
    batch = read(MOONSHOTS, moonshot("ABC"), moonshot("def", "2025-12-25T00:00:00.000Z", MARKET_CAP=None, VOLUME_24H=""))
    assert (batch.subjects, batch.as_of.tolist(), batch.values.tolist(), batch.rows) == (["market"], [SLOT], [[2.0]], 2)
    newest, older = orjson.loads(batch.texts[0] or "")["moonshots"]
    assert older == {
        "name": "Token ABC",
        "symbol": "ABC",
        "trader_grade": 91.5,
        "trader_grade_24h_pct_change": 12.01,
        "price_7d_pct_change": -3.2,
        "market_cap": 48_000_000.0,
        "volume_24h": 1_500_000.5,
        "roi_pct": 12.5,
        "moonshot_at": "2025-12-20T00:00:00Z",
        "ended_at": None,
        "signal_at": "2025-12-19T00:00:00Z",
    }
    assert (newest["symbol"], newest["market_cap"], newest["volume_24h"]) == ("DEF", None, None)


def test_a_token_that_is_on_the_list_twice_is_told_once_by_its_newer_moonshot() -> None:
    again = moonshot("ABC", "2025-12-30T00:00:00.000Z", MOONSHOT_ROI=1)
    for rows in ((moonshot("ABC"), again), (again, moonshot("ABC"))):
        (row,) = listed(*rows)
        assert (row["moonshot_at"], row["roi_pct"]) == ("2025-12-30T00:00:00Z", 1.0)
    assert read(MOONSHOTS, moonshot("ABC"), again).rows == 2


def test_tokens_that_share_a_symbol_are_different_moonshots() -> None:
    assert len(listed(moonshot("ABC"), moonshot("ABC", TOKEN_NAME="Another"))) == 2


def test_a_moonshot_without_dates_is_listed_last() -> None:
    rows = listed(moonshot("OLD", None, LAST_TRADING_SIGNAL_TIME=None), moonshot("NEW"))
    assert [(row["symbol"], row["moonshot_at"]) for row in rows] == [("NEW", "2025-12-20T00:00:00Z"), ("OLD", None)]


@pytest.mark.parametrize("source", [METRICS, SENTIMENTS, MOONSHOTS], ids=lambda source: source.key)
def test_version_3_spelling_gives_equal_readings(source: Source) -> None:
    row = {"market_metrics": day, "sentiments": hour, "moonshots": moonshot}[source.key]()
    two, three = read(source, row), read(source, *as_v3([row]))
    assert (two.subjects, two.as_of.tolist(), two.texts) == (three.subjects, three.as_of.tolist(), three.texts)
    assert two.values.tolist() == three.values.tolist()


def test_the_lists_differ_only_in_which_they_ask_for() -> None:
    past = SOURCES["past_moonshots"]
    assert (MOONSHOTS.params, past.params) == ({"type": "active"}, {"type": "past"})
    assert MOONSHOTS.rows == past.rows


def test_coverage_is_in_order_of_ids_whatever_the_order_of_rows() -> None:
    rows = [{"TOKEN_ID": token, "TOKEN_NAME": f"Token {token}", "TOKEN_SYMBOL": f"T{token}"} for token in (30, 4, 30, 200)]
    batch = read(TOKENS, *rows)
    assert batch.texts == ['{"tokens":{"4":"T4","30":"T30","200":"T200"}}']
    assert batch.texts == read(TOKENS, *rows[::-1]).texts
    assert (batch.values.tolist(), batch.rows) == ([[3.0]], 3)
