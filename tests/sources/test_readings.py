from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY
from integration.sandbox.plans import PLANS
from integration.sources import load
from integration.sources.quantmetrics import SOURCE as QUANT
from integration.sources.trader_grades import SOURCE as TRADER
from tests.sources.samples import SLOT

GRADE = TRADER.column("tm_trader_grade")


def row(token: Any = 1, day: Any = "2025-12-31", grade: Any = 50, **more: Any) -> dict[str, Any]:
    return {"TOKEN_ID": token, "DATE": day, "TM_TRADER_GRADE": grade, "TA_GRADE": 40, **more}


def test_every_source_has_a_key_metrics_once_and_an_empty_fetch_gives_no_reading() -> None:
    for key, source in load().items():
        assert source.key == key
        names = [metric.name for metric in source.metrics]
        assert len(set(names)) == len(names)
        if source.derivation is not None:
            continue
        batch = source.rows(source, [], SLOT, "1")
        assert len(batch.subjects) == len(batch.as_of) == len(batch.texts) == 0
        assert batch.values.shape == (0, len(names))
        assert source.names is None or source.names([]) == []


def test_dated_rows_are_dated_by_their_date() -> None:
    batch = TRADER.rows(TRADER, [row(1), row(2, "2026-01-01T12:00:00.000Z", "7.5")], SLOT, "")
    assert batch.subjects == ["token:1", "token:2"]
    assert batch.as_of.tolist() == [SLOT - DAY, SLOT + DAY // 2]
    np.testing.assert_array_equal(batch.values, [[50, 40, np.nan, np.nan], [7.5, 40, np.nan, np.nan]])
    assert batch.values.dtype == np.float64
    assert batch.as_of.dtype == np.int64


def test_a_row_with_only_nulls_is_a_reading_of_nulls() -> None:
    batch = TRADER.rows(TRADER, [row(grade=None, TA_GRADE=None)], SLOT, "")
    assert np.isnan(batch.values).all()
    assert batch.subjects == ["token:1"]


def test_of_two_rows_of_one_subject_and_date_the_later_page_counts() -> None:
    rows = [row(1, grade=10), row(2), row(1, "2025-12-30"), row("1", grade=11), row(2)]
    batch = TRADER.rows(TRADER, rows, SLOT, "")
    assert batch.subjects == ["token:1", "token:2", "token:1"]
    assert batch.values[:, GRADE].tolist() == [11, 50, 50]


@pytest.mark.parametrize(
    ("bad", "field", "text"),
    [
        (row(7, grade="high"), "TM_TRADER_GRADE", r"row 1 \(id 7\) is not a number"),
        (row(7, grade=True), "TM_TRADER_GRADE", r"row 1 \(id 7\) is not a number"),
        (row(7, grade=4_000), "TM_TRADER_GRADE", r"row 1 \(id 7\) 4000 is outside 0 to 100"),
        (row(7, "soon"), "DATE", r"row 1 \(id 7\) is not a date"),
        (row(7, None), "DATE", r"row 1 \(id 7\) is not a date"),
        (row(None), "TOKEN_ID", r"row 1 \(id None\) is not an id"),
        (row(7, "2126-01-01"), "DATE", r"row 1 is in the future"),
    ],
)
def test_a_page_with_one_wrong_row_is_refused_and_names_it(bad: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(UpstreamError, match=f"^trader-grades: {field} .*{text}") as caught:
        TRADER.rows(TRADER, [row(1), bad, row(8)], SLOT, "")
    assert caught.value.field == field


def test_rows_without_any_field_of_the_source_are_refused() -> None:
    with pytest.raises(UpstreamError, match="no row has any of the fields"):
        TRADER.rows(TRADER, [{"TOKEN_ID": 1, "DATE": "2025-12-31", "GRADE": 5}], SLOT, "")


@pytest.mark.parametrize("missing", ["TOKEN_ID", "DATE"])
def test_rows_without_id_or_date_are_refused(missing: str) -> None:
    with pytest.raises(UpstreamError, match=missing):
        TRADER.rows(TRADER, [{key: value for key, value in row().items() if key != missing}], SLOT, "")


@pytest.mark.parametrize(("field", "percent"), [("MAX_DRAWDOWN", -77), ("DAILY_VALUE_AT_RISK", -5), ("CAGR", -20)])
def test_a_change_of_unit_to_percent_is_refused(field: str, percent: float) -> None:
    fine = {"TOKEN_ID": 1, "DATE": "2025-12-31", field: percent / 100}
    assert QUANT.rows(QUANT, [fine], SLOT, "").subjects == ["token:1"]
    with pytest.raises(UpstreamError, match=f"{field} .* is outside"):
        QUANT.rows(QUANT, [{**fine, field: percent}], SLOT, "")


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 28), st.floats(0, 100)), max_size=30))
def test_readings_are_unique_by_subject_and_date_and_are_the_last_rows(given_rows: list[tuple[int, int, float]]) -> None:
    rows = [row(token, f"2025-12-{day:02}", grade) for token, day, grade in given_rows]
    batch = TRADER.rows(TRADER, rows, SLOT, "")
    found = dict(zip(zip(batch.subjects, batch.as_of.tolist(), strict=True), batch.values[:, GRADE].tolist(), strict=True))
    day_0 = SLOT - 32 * DAY
    assert found == {(f"token:{token}", day_0 + day * DAY): grade for token, day, grade in given_rows}
    assert len(found) == len(batch.subjects)


def test_a_source_names_the_smallest_plan_that_includes_its_endpoint() -> None:
    """As the sandbox does, after the vendor's plans."""
    for source in load().values():
        if source.derivation is None:
            open_to = [name for name, plan in PLANS.items() if source.path not in plan.locked]
            assert source.plan == open_to[0], source.key
