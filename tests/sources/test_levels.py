"""Resistance and support in each of upstream's shapes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from integration.domain.catalogue import Batch
from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY
from integration.sources.levels import FIELD, SOURCE
from tests.sources.samples import SLOT, as_v3, rows


def read(*entries: Any, day: str = "2025-12-31") -> Batch:
    upstream = [{"TOKEN_ID": place, "DATE": day, FIELD: each} for place, each in enumerate(entries, 1)]
    return SOURCE.rows(SOURCE, upstream, SLOT, "")


def text(batch: Batch, place: int = 0) -> Any:
    told = batch.texts[place]
    return None if told is None else json.loads(told)["levels"]


def test_the_published_lists_of_numbers_in_both_spellings() -> None:
    for published in (rows("resistance-support"), as_v3(rows("resistance-support"))):
        batch = SOURCE.rows(SOURCE, published, SLOT, "")
        assert batch.subjects == ["token:26818", "token:29367", "token:13138", "token:1791"]
        np.testing.assert_array_equal(batch.values[:, 0], [12, 6, 19, np.nan])
        assert [each["level"] for each in text(batch)] == rows("resistance-support")[0][FIELD]
        assert {each["date"] for each in text(batch)} == {None}
        assert batch.texts[3] is None
        assert np.datetime64(int(batch.as_of[0]), "ms") == np.datetime64("2023-11-08")


def test_objects_with_dates_are_sorted_and_dated_by_day() -> None:
    batch = read(
        [{"level": "9.5", "date": "2024-01-02T00:00:00.000Z"}, {"level": 3, "date": None}, {"date": "2023-01-01", "level": 4}]
    )
    assert text(batch) == [
        {"level": 3.0, "date": None}, {"level": 4.0, "date": "2023-01-01"}, {"level": 9.5, "date": "2024-01-02"},
    ]  # fmt: skip
    assert batch.values[0, 0] == 3


def test_a_list_of_numbers_and_one_of_objects_say_the_same_levels() -> None:
    numbers, objects = (text(read(each)) for each in ([1, 2.5], [{"level": 2.5}, {"level": 1}]))
    assert numbers == objects


def test_a_level_that_comes_twice_counts_once_and_a_null_is_none() -> None:
    batch = read([2, None, 1, 2.0])
    assert [each["level"] for each in text(batch)] == [1, 2]
    assert batch.values[0, 0] == 2


def test_no_level_is_not_the_same_as_nothing_known() -> None:
    batch = read([], None)
    assert (text(batch, 0), text(batch, 1)) == ([], None)
    np.testing.assert_array_equal(batch.values[:, 0], [0, np.nan])


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("12, 13", f"{FIELD} is not a list"),
        ({"level": 1}, f"{FIELD} is not a list"),
        ([1, "high"], f"a level of {FIELD} is not a number"),
        ([[1]], f"a level of {FIELD} is not a number"),
        ([-1], f"a level of {FIELD} -1 is outside 0 to inf"),
        ([{"level": 1, "date": "soon"}], f"a date of {FIELD} is not a date"),
        ([{"level": 1, "date": 5}], f"a date of {FIELD} is not a date"),
    ],
)
def test_what_cannot_be_trusted_is_refused_with_its_row(entries: Any, words: str) -> None:
    with pytest.raises(UpstreamError, match=rf"resistance-support: row 1 \(id 2\): {words}") as caught:
        read([1], entries)
    assert caught.value.field == FIELD


def test_rows_without_the_field_are_not_this_sources() -> None:
    with pytest.raises(UpstreamError, match=f"no row has any of the fields {FIELD}"):
        SOURCE.rows(SOURCE, [{"TOKEN_ID": 1, "DATE": "2025-12-31"}], SLOT, "")


def test_a_row_of_the_future_is_refused() -> None:
    with pytest.raises(UpstreamError, match="DATE of row 0 is in the future"):
        read([1], day="2126-01-01")


def test_of_two_rows_of_a_token_and_day_the_last_counts() -> None:
    upstream = [{"TOKEN_ID": 1, "DATE": "2025-12-31", FIELD: each} for each in ([1], [1, 2])]
    batch = SOURCE.rows(SOURCE, upstream, SLOT, "")
    assert (batch.as_of.tolist(), batch.values.tolist()) == ([SLOT - DAY], [[2]])
