"""Current prices and hourly bars."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY, HOUR, MINUTE
from integration.sources.daily_ohlcv import SOURCE as DAILY
from integration.sources.hourly_ohlcv import SOURCE as HOURLY
from integration.sources.prices import SOURCE as PRICES
from integration.tokenmetrics.asks import asks, parameters
from tests.sources.samples import SLOT, as_v3, rows

STAMP = 20_166 * DAY + 23 * HOUR + 26 * MINUTE + 9_454


def test_published_prices_whose_ids_are_texts_are_dated_by_their_slot() -> None:
    for published in (rows("price"), as_v3(rows("price"))):
        batch = PRICES.rows(PRICES, published, SLOT, "3306,3375")
        assert batch.subjects == ["token:3306", "token:3375"]
        assert batch.values.tolist() == [[3334.65], [104934]]
        assert batch.as_of.tolist() == [SLOT, SLOT]


def test_prices_of_fifty_tokens_are_one_call_that_is_not_paged() -> None:
    wanted = asks(PRICES, range(1, 103), None, None)
    assert [len(ask.ids.split(",")) for ask in wanted] == [50, 50, 2]
    assert parameters(PRICES, wanted[2], 1, "v2") == {"token_id": "101,102"}


@pytest.mark.parametrize("wrong", [-1, "much", {}, True])
def test_what_is_no_price_is_refused(wrong: Any) -> None:
    with pytest.raises(UpstreamError, match=r"price: CURRENT_PRICE in row 0 \(id 3375\)"):
        PRICES.rows(PRICES, [{"TOKEN_ID": "3375", "CURRENT_PRICE": wrong}], SLOT, "3375")


def test_a_token_without_a_price_has_none() -> None:
    batch = PRICES.rows(PRICES, [{"TOKEN_ID": "3375", "CURRENT_PRICE": None}], SLOT, "3375")
    assert np.isnan(batch.values).all()


def test_published_hourly_bars_are_dated_by_their_stamp_in_both_spellings() -> None:
    two, three = (HOURLY.rows(HOURLY, each, SLOT, "") for each in (rows("hourly-ohlcv"), as_v3(rows("hourly-ohlcv"))))
    assert two.subjects == three.subjects == [f"token:{row['TOKEN_ID']}" for row in rows("hourly-ohlcv")]
    assert two.as_of.tolist() == three.as_of.tolist()
    assert two.as_of[:2].tolist() == [STAMP, STAMP]
    np.testing.assert_array_equal(two.values, three.values)
    assert two.values[0].tolist() == [85816, 86537, 85816, 86255, 31258975021.50926]


def test_hourly_bars_have_the_metrics_of_daily_ones() -> None:
    assert [metric.name for metric in HOURLY.metrics] == [metric.name for metric in DAILY.metrics]


def test_hourly_bars_are_asked_for_by_date_so_that_gaps_are_filled() -> None:
    (ask,) = asks(HOURLY, [3375], None, None)
    assert HOURLY.ranged
    assert parameters(HOURLY, ask, 2, "v2") == {"token_id": "3375", "limit": "100", "page": "2"}


def test_a_stamp_that_is_no_date_is_refused() -> None:
    with pytest.raises(UpstreamError, match=r"TIMESTAMP in row 0 \(id 1\) is not a date"):
        HOURLY.rows(HOURLY, [{"TOKEN_ID": 1, "TIMESTAMP": "noon", "CLOSE": 5}], SLOT, "1")
