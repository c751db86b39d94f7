from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.sources._columns import Instants, Numbers, Page, Subjects

OCTOBER_10 = int(datetime(2023, 10, 10, tzinfo=UTC).timestamp() * 1000)


def rejected(field: Any, column: list[Any]) -> dict[int, Any]:
    with pytest.raises(ValidationError) as caught:
        field.deserialize(column)
    messages = caught.value.messages
    assert isinstance(messages, dict)
    return messages


@pytest.mark.parametrize("spelling", ["TM_GRADE_24H_PCT_CHANGE", "TM_GRADE_24h_PCT_CHANGE", "tm_grade_24_h_pct_change"])
def test_a_field_is_found_in_every_spelling_that_upstream_uses(spelling: str) -> None:
    assert Page([{spelling: 1}, {spelling: 2}, {}]).column("TM_GRADE_24H_PCT_CHANGE") == [1, 2, None]


def test_a_stray_lower_case_twin_does_not_hide_the_field() -> None:
    assert Page([{"tm_link": "bitcoin", "TM_LINK": "https://x"}]).column("TM_LINK") == ["https://x"]


def test_numbers_are_read_from_numbers_and_texts_and_missing_ones_are_nan() -> None:
    column = [1, 2.5, "3.5", " -4e1 ", None, "", "nan", float("inf"), "-Infinity", 2**70]
    expected = [1, 2.5, 3.5, -40, *[np.nan] * 5, float(2**70)]
    np.testing.assert_array_equal(Numbers().deserialize(column), expected)


@pytest.mark.parametrize("value", [True, False, {}, [], [1.0], "twelve", "1_000", "0x10", "1,5", "12 %"])
def test_what_is_not_a_number_is_rejected_by_row(value: Any) -> None:
    assert rejected(Numbers(), [1.0, None, value, 2]) == {2: ["is not a number"]}


def test_a_number_outside_its_bounds_is_rejected_by_row_and_the_bounds_belong() -> None:
    np.testing.assert_array_equal(Numbers(0, 100).deserialize([0, "100", None]), [0, 100, np.nan])
    assert rejected(Numbers(0, 100), [50, 100.01, None, -1]) == {
        1: ["100.01 is outside 0 to 100"],
        3: ["-1 is outside 0 to 100"],
    }


@given(st.lists(st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.text(max_size=6), st.lists(st.floats()))))
def test_a_column_of_numbers_is_read_whole_or_its_wrong_rows_are_named(column: list[Any]) -> None:
    wrong = {row for row, value in enumerate(column) if isinstance(value, bool | list) or not _reads(value)}
    if wrong:
        assert set(rejected(Numbers(), column)) == wrong
        return
    numbers = Numbers().deserialize(column)
    assert numbers is not None
    assert len(numbers) == len(column)
    for read, given_ in zip(numbers.tolist(), column, strict=True):
        assert np.isnan(read) or read == float(given_)


def _reads(value: Any) -> bool:
    try:
        float(value or 0)
    except ValueError:
        return not value.strip()
    return "_" not in str(value)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2023-10-10", 0),
        ("2023-10-10T00:00:00.000Z", 0),
        ("2023-10-10 01:00:00.000", 3_600_000),
        ("2023-10-10T23:26:09.454Z", 84_369_454),
        ("2023-10-10T02:00:00+02:00", 0),
    ],
)
def test_every_form_of_date_is_read_as_utc(text: str, milliseconds: int) -> None:
    assert Instants().deserialize([text, "2023-10-10"]).tolist() == [OCTOBER_10 + milliseconds, OCTOBER_10]


@pytest.mark.parametrize("value", [None, 1_696_896_000, "2023", "2023-13-01", "20231010", "yesterday", [], {}])
def test_what_is_not_a_date_is_rejected_by_row(value: Any) -> None:
    assert rejected(Instants(), ["2023-10-10", value]) == {1: ["is not a date"]}


def test_ids_are_numbers_or_their_digits() -> None:
    assert Subjects("token").deserialize([3375, "3306", 3375]) == ["token:3375", "token:3306", "token:3375"]


@pytest.mark.parametrize("value", [True, None, -1, "", "BTC", "²", "9" * 5000, [], {}, 1.5])
def test_what_is_not_an_id_is_rejected_by_row(value: Any) -> None:
    assert rejected(Subjects("token"), [1, value]) == {1: ["is not an id"]}
    assert rejected(Subjects("token"), [value, 1]) == {0: ["is not an id"]}
