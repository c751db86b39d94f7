from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from integration.domain.catalogue import Batch
from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY
from integration.sources.indices_performance import SOURCE
from tests.sources.samples import SLOT, as_v3


def day(date: str, roi: Any, **more: Any) -> dict[str, Any]:
    return {"DATE": date, "INDEX_CUMULATIVE_ROI": roi, "MARKET_CAP": 5.8e8, "VOLUME": 1e7, "FDV": 9e8, **more}


def read(*rows: dict[str, Any], asked: str = "5") -> Batch:
    return SOURCE.rows(SOURCE, rows, SLOT, asked)


def test_each_day_is_a_reading() -> None:
    batch = read(day("2025-12-30", "-0.71", ID=5), day("2025-12-31T00:00:00.000Z", 0.3853318362, ID=5))
    assert batch.subjects == ["index:5", "index:5"]
    assert batch.as_of.tolist() == [SLOT - 2 * DAY, SLOT - DAY]
    assert batch.values.tolist() == [[-0.71, 5.8e8, 1e7, 9e8], [0.3853318362, 5.8e8, 1e7, 9e8]]


def test_the_id_that_was_asked_for_names_rows_without_one() -> None:
    with_id, without = read(day("2025-12-31", 0.1, ID=5)), read(day("2025-12-31", 0.1))
    assert without.subjects == with_id.subjects == ["index:5"]


def test_both_spellings_give_equal_readings() -> None:
    rows = [day("2025-12-30", 0.1, ID=5), day("2025-12-31", 0.2, ID=5)]
    two, three = read(*rows), read(*as_v3(rows))
    assert two.subjects == three.subjects
    np.testing.assert_array_equal(two.values, three.values)


def test_an_unknown_index_has_no_readings() -> None:
    assert len(read().subjects) == 0


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (day("2025-12-31", -1, ID=5), "INDEX_CUMULATIVE_ROI in row 1 .* -1 is outside -0.9999 to inf"),
        (day("2025-12-31", "much", ID=5), "INDEX_CUMULATIVE_ROI in row 1 .* is not a number"),
        (day("2025-12-31", 0.1, ID=5, VOLUME=-1), "VOLUME in row 1 .* -1 is outside 0 to inf"),
        (day("2025-12-31", 0.1, ID=6), "indices-performance of index 5: rows of index:6 came instead"),
        (day("2025-12-31", 0.1), "ID in row 1 .* is not an id"),
        (day("2126-12-31", 0.1, ID=5), "DATE of row 1 is in the future"),
    ],
)
def test_rows_that_cannot_be_trusted_are_refused(bad: dict[str, Any], text: str) -> None:
    with pytest.raises(UpstreamError, match=text):
        read(day("2025-12-30", 0.1, ID=5), bad)
