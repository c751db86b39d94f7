"""Daily and hourly trading signals: published answers, both spellings, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from integration.domain.catalogue import Source
from integration.domain.errors import UpstreamError
from integration.sources.hourly_signals import SOURCE as HOURLY
from integration.sources.trading_signals import SOURCE as DAILY
from tests.sources.samples import SLOT, as_v3, rows

DAY_ROW: dict[str, Any] = {
    "TOKEN_ID": 3375, "DATE": "2025-04-10", "TRADING_SIGNAL": 0, "TOKEN_TREND": -1, "TRADING_SIGNALS_RETURNS": 45098.7,
    "HOLDING_RETURNS": 7559.6, "TM_TRADER_GRADE": 26.48, "TM_INVESTOR_GRADE": 58.23,
}  # fmt: skip
HOUR_ROW: dict[str, Any] = {
    "TOKEN_ID": 3375, "TOKEN_NAME": "Bitcoin", "TOKEN_SYMBOL": "BTC", "TIMESTAMP": "2025-06-09T10:26:09.454Z",
    "CLOSE": 105_000, "SIGNAL": "-1", "POSITION": "short",
}  # fmt: skip


@pytest.mark.parametrize("name", ["trading-signals", "trading-signals_2025-04_live"])
def test_every_number_of_a_published_row_is_in_its_reading(name: str) -> None:
    batch = DAILY.rows(DAILY, rows(name), SLOT, "")
    assert batch.subjects == [f"token:{row['TOKEN_ID']}" for row in rows(name)]
    expected = [[row[metric.field] for metric in DAILY.metrics] for row in rows(name)]
    np.testing.assert_array_equal(batch.values, np.array(expected, dtype=np.float64))


def test_both_forms_of_a_published_date_are_midnight_utc() -> None:
    for name, day in (("trading-signals", "2024-04-23"), ("trading-signals_2025-04_live", "2025-04-10")):
        assert np.datetime64(int(DAILY.rows(DAILY, rows(name), SLOT, "").as_of[0]), "ms") == np.datetime64(day)


def test_version_3_has_the_same_signals_and_no_grades_that_are_these() -> None:
    renamed = {"TM_TRADER_GRADE": "TM_GRADE", "TM_INVESTOR_GRADE": "FUNDAMENTAL_GRADE"}
    three = as_v3([{renamed.get(key, key): value for key, value in row.items()} for row in rows("trading-signals")])
    two, three_read = (DAILY.rows(DAILY, each, SLOT, "") for each in (rows("trading-signals"), three))
    np.testing.assert_array_equal(two.values[:, :4], three_read.values[:, :4])
    assert np.isnan(three_read.values[:, 4:]).all()


def test_an_hour_s_signal_is_a_number_though_upstream_writes_a_text() -> None:
    for row in (HOUR_ROW, *as_v3([HOUR_ROW]), HOUR_ROW | {"SIGNAL": -1}):
        batch = HOURLY.rows(HOURLY, [row], SLOT, "3375")
        assert batch.values.tolist() == [[105_000, -1]]
        assert np.datetime64(int(batch.as_of[0]), "ms") == np.datetime64("2025-06-09T10:26:09.454")


def test_an_hour_without_a_signal_is_missing_one() -> None:
    for nothing in (None, ""):
        batch = HOURLY.rows(HOURLY, [HOUR_ROW | {"SIGNAL": nothing}], SLOT, "3375")
        np.testing.assert_array_equal(batch.values, [[105_000, np.nan]])


@pytest.mark.parametrize(
    ("source", "row", "wrong", "text"),
    [
        (DAILY, DAY_ROW, {"TRADING_SIGNAL": 2}, "TRADING_SIGNAL in row 0 .* outside -1 to 1"),
        (DAILY, DAY_ROW, {"TOKEN_TREND": -100}, "TOKEN_TREND in row 0 .* outside -1 to 1"),
        (DAILY, DAY_ROW, {"TOKEN_TREND": "up"}, "TOKEN_TREND in row 0 .* is not a number"),
        (DAILY, DAY_ROW, {"HOLDING_RETURNS": -80}, "HOLDING_RETURNS in row 0 .* outside -1 to inf"),
        (DAILY, DAY_ROW, {"TM_TRADER_GRADE": 264.8}, "TM_TRADER_GRADE in row 0 .* outside 0 to 100"),
        (DAILY, DAY_ROW, {"DATE": None}, "DATE in row 0 .* is not a date"),
        (HOURLY, HOUR_ROW, {"SIGNAL": "bullish"}, "SIGNAL in row 0 .* is not a number"),
        (HOURLY, HOUR_ROW, {"SIGNAL": "3"}, "SIGNAL in row 0 .* outside -1 to 1"),
        (HOURLY, HOUR_ROW, {"CLOSE": -1}, "CLOSE in row 0 .* outside 0 to inf"),
        (HOURLY, HOUR_ROW, {"TIMESTAMP": "10:26"}, "TIMESTAMP in row 0 .* is not a date"),
    ],
)
def test_a_wrong_value_is_refused_by_name(source: Source, row: dict[str, Any], wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(UpstreamError, match=text):
        source.rows(source, [row | wrong], SLOT, "3375")
