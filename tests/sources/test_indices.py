from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import Batch
from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY
from integration.sources.indices import SOURCE as INDICES
from integration.sources.indices_holdings import SOURCE as HOLDINGS
from tests.sources.samples import SLOT, as_v3

DATE = "2025-12-31T00:00:00.000Z"


def held(token: int, weight: Any, cap: Any = None, day: str = DATE, **more: Any) -> dict[str, Any]:
    name, symbol = f"Token {token}", f"t{token}"
    row = {"TOKEN_ID": token, "TOKEN_NAME": name, "TOKEN_SYMBOL": symbol, "WEIGHT": weight, "MARKET_CAP": cap, "DATE": day}
    return {**row, **more}


def read(*rows: dict[str, Any]) -> Batch:
    return HOLDINGS.rows(HOLDINGS, rows, SLOT, "5")


def holdings(batch: Batch) -> list[dict[str, Any]]:
    assert batch.texts[0] is not None
    return list(json.loads(batch.texts[0])["holdings"])


def test_an_index_is_named_and_read() -> None:
    row = {"ID": 1, "NAME": "TM Global 100", "TICKER": "tm100", "PRICE": "120.5", "COINS": 100, "24H": -1.2, "7D": 3, "1M": 9,
           "24H_VOLUME": 5e6, "INDEX_GRADE": 71.5, "ALL_TIME": 20.5, "MARKET_CAP": 1e8, "TOP_GAINERS_ICONS": {}}  # fmt: skip
    for rows in ([row], as_v3([row])):
        batch = INDICES.rows(INDICES, rows, SLOT, "")
        assert batch.subjects == ["index:1"]
        assert batch.as_of.tolist() == [SLOT]
        assert batch.values.tolist() == [[120.5, 100, -1.2, 3, 9, 20.5, 5e6, 71.5, 1e8]]
        assert INDICES.names is not None
        (named,) = INDICES.names(rows)
        assert (named.subject, named.kind, named.name, named.symbol) == ("index:1", "index", "TM Global 100", "TM100")


def test_all_holdings_of_a_snapshot_are_one_reading_heaviest_first() -> None:
    batch = read(held(3, 20, 5), held(1, 20, 9), held(4, "20", 5), held(2, 40, None))
    assert batch.subjects == ["index:5"]
    assert batch.as_of.tolist() == [SLOT - DAY]
    assert batch.values.tolist() == [[4, 1]]
    assert [(h["token_id"], h["weight"], h["market_cap"]) for h in holdings(batch)] == [
        (2, 0.4, None), (1, 0.2, 9), (3, 0.2, 5), (4, 0.2, 5),
    ]  # fmt: skip
    assert holdings(batch)[1] == {
        "token_id": 1, "name": "Token 1", "symbol": "T1", "weight": 0.2, "market_cap": 9, "trader_grade": None, "roi": None,
    }  # fmt: skip


def test_a_holding_has_its_grade_and_return_where_upstream_tells_them() -> None:
    graded = held(1, 60, TRADER_GRADE="81.5", CURRENT_ROI=12.25)
    batch = read(graded, held(2, 40, TRADER_GRADE=None, CURRENT_ROI="-3"))
    assert [(h["trader_grade"], h["roi"]) for h in holdings(batch)] == [(81.5, 12.25), (None, -3)]
    assert read(*as_v3([graded, held(2, 40, TRADER_GRADE=None, CURRENT_ROI="-3")])).texts == batch.texts


def test_percent_and_fraction_and_both_spellings_give_equal_readings() -> None:
    percent = [held(1, 62.5, 3.0), held(2, 37.1, 2.0)]
    fraction = [held(1, 0.625, 3.0), held(2, 0.371, 2.0)]
    one, *others = (read(*rows) for rows in (percent, fraction, as_v3(percent)))
    for other in others:
        assert (one.subjects, one.texts) == (other.subjects, other.texts)
        np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize("weights", [(50, 40), (0.5, 0.4), (50, 53), (50, None), (0, 0), (2, 3)])
def test_an_incomplete_snapshot_is_refused(weights: tuple[Any, ...]) -> None:
    with pytest.raises(UpstreamError, match=r"indices-holdings of index 5: weights sum to .* incomplete"):
        read(*(held(token, weight) for token, weight in enumerate(weights, 1)))


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (held(2, -50), r"WEIGHT in row 1 \(id 2\) -50 is outside 0 to 102"),
        (held(2, {}), r"WEIGHT in row 1 \(id 2\) is not a number"),
        (held(2, 50, TRADER_GRADE=101), r"TRADER_GRADE in row 1 \(id 2\) 101 is outside 0 to 100"),
        (held(2, 50, CURRENT_ROI=-101), r"CURRENT_ROI in row 1 \(id 2\) -101 is outside -100 to inf"),
        (held(2, 50, day="never"), r"DATE in row 1 \(id 2\) is not a date"),
        (held(2, 50, day="2126-01-01"), "DATE is in the future"),
    ],
)
def test_a_snapshot_with_a_wrong_row_is_refused(bad: dict[str, Any], text: str) -> None:
    with pytest.raises(UpstreamError, match=text):
        read(held(1, 50), bad)


def test_every_day_is_a_snapshot_dated_by_its_latest_row() -> None:
    batch = read(held(1, 1, day="2025-12-30"), held(1, 0.5, day="2025-12-31"), held(2, 0.5, day="2025-12-31T00:00:01.000Z"))
    assert batch.as_of.tolist() == [SLOT - 2 * DAY, SLOT - DAY + 1_000]
    assert batch.subjects == ["index:5", "index:5"]
    assert batch.values.tolist() == [[1, 1], [2, 1]]


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=30), st.floats(98.5, 101.5))
def test_weights_are_fractions_that_sum_to_one_in_falling_order(raw: list[float], total: float) -> None:
    percent = [total * weight / sum(raw) for weight in raw]
    weights = [h["weight"] for h in holdings(read(*(held(token, weight) for token, weight in enumerate(percent, 1))))]
    assert sum(weights) == pytest.approx(1, abs=1e-8)
    assert weights == sorted(weights, reverse=True)
