"""The published answers, read by the sources that poll those endpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from integration.domain.catalogue import Batch
from integration.sources import load
from tests.sources.samples import SLOT, as_v3, rows

SOURCES = load()
SAMPLES = ["trader-grades", "investor-grades", "quantmetrics", "top-market-cap-tokens", "tokens", "market-metrics", "sentiments"]
BY_PATH = {source.path: source for source in SOURCES.values()}


def read(name: str, upstream: list[dict[str, Any]] | None = None) -> Batch:
    source = BY_PATH[name]
    return source.rows(source, rows(name) if upstream is None else upstream, SLOT, "")


@pytest.mark.parametrize("name", ["trader-grades", "investor-grades", "quantmetrics"])
def test_every_number_of_a_published_row_is_in_its_reading(name: str) -> None:
    batch, source = read(name), BY_PATH[name]
    assert len(batch.subjects) == len(rows(name))
    for upstream, subject, values in zip(rows(name), batch.subjects, batch.values.tolist(), strict=True):
        assert subject == f"token:{upstream['TOKEN_ID']}"
        expected = [upstream[metric.field] for metric in source.metrics]
        np.testing.assert_array_equal(values, np.array(expected, dtype=np.float64))


def test_published_dates_are_midnight_utc() -> None:
    assert np.datetime64(int(read("trader-grades").as_of[0]), "ms") == np.datetime64("2023-10-10")
    assert np.datetime64(int(read("investor-grades").as_of[0]), "ms") == np.datetime64("2024-04-29")


def test_published_trader_grades_obey_their_formula() -> None:
    values = read("trader-grades").values
    np.testing.assert_allclose(values[:, 0], 0.8 * values[:, 1] + 0.2 * values[:, 2], atol=0.01)


@pytest.mark.parametrize("name", SAMPLES)
def test_version_3_spelling_gives_equal_readings_and_names(name: str) -> None:
    two, three, source = read(name), read(name, as_v3(rows(name))), BY_PATH[name]
    assert two.subjects == three.subjects
    assert two.texts == three.texts
    np.testing.assert_array_equal(two.as_of, three.as_of)
    np.testing.assert_array_equal(two.values, three.values)
    if source.names:
        assert source.names(rows(name)) == source.names(as_v3(rows(name)))


def test_the_token_list_names_tokens() -> None:
    assert SOURCES["tokens"].names is not None
    exverse, *others = SOURCES["tokens"].names(rows("tokens"))
    assert (exverse.subject, exverse.kind, exverse.name, exverse.symbol) == ("token:35809", "token", "Exverse", "EXVG")
    assert exverse.categories == ("binance-smart-chain", "chain:binance-smart-chain")
    assert {"mxc", "gate", "bybit_spot"} <= set(exverse.exchanges)
    assert exverse.market_rank is None
    assert len(others) == 9


def test_the_token_list_is_one_reading_of_which_tokens_there_are() -> None:
    batch = read("tokens")
    assert (batch.subjects, batch.as_of.tolist(), batch.values.tolist(), batch.rows) == (["market"], [SLOT], [[10.0]], 10)
    (text,) = batch.texts
    assert orjson.loads(text or "")["tokens"] == {str(row["TOKEN_ID"]): row["TOKEN_SYMBOL"] for row in rows("tokens")}


def test_a_published_market_row_is_a_reading_about_the_market() -> None:
    batch = read("market-metrics")
    assert set(batch.subjects) == {"market"}
    assert len(batch.as_of) == len(rows("market-metrics")) == 9
    assert np.datetime64(int(batch.as_of[0]), "ms") == np.datetime64("2022-07-01")
    assert batch.values[0].tolist() == [911873217283.901, 4.608294931, 0, -1]


def test_a_published_sentiment_is_a_reading_with_its_labels_and_without_its_summaries() -> None:
    batch = read("sentiments")
    assert (batch.subjects, batch.values.tolist()) == (["market"], [[56.17, 49.04, 62.09, 68.14]])
    assert np.datetime64(int(batch.as_of[0]), "ms") == np.datetime64("2023-11-08T10:00")
    labels = {"market": "neutral", "news": "neutral", "reddit": "positive", "twitter": "positive"}
    assert [orjson.loads(text or "") for text in batch.texts] == [labels]


def test_market_cap_ranks_follow_upstreams_order() -> None:
    source = SOURCES["top_market_cap"]
    assert source.names is not None
    named = source.names(rows("top-market-cap-tokens"))
    batch = read("top-market-cap-tokens")
    assert [(row.subject, row.market_rank) for row in named] == list(zip(batch.subjects, [1, 2, 3], strict=True))
    assert batch.values[:, 0].tolist() == [1, 2, 3]
    assert batch.as_of.tolist() == [SLOT] * 3
    assert batch.subjects[0] == "token:3306"


def test_a_token_that_a_shifting_page_shows_twice_is_ranked_once() -> None:
    upstream = [{"TOKEN_ID": token, "TOKEN_NAME": f"Token {token}"} for token in (3375, 3306, 3306, 3379)]
    batch = read("top-market-cap-tokens", upstream)
    assert batch.subjects == ["token:3375", "token:3306", "token:3379"]
    assert batch.values[:, 0].tolist() == [1, 2, 3]
