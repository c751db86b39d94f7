"""Scenarios of predicted prices. No published example exists: the shape is that of the names which are documented."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from integration.domain.catalogue import Batch
from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY
from integration.sources.price_predictions import FIELD, SOURCE
from tests.sources.samples import SLOT, as_v3


def scenario(multiple: Any, base: Any, bear: Any = None, moon: Any = None) -> dict[str, Any]:
    prices = {"predicted_price_base": base, "predicted_price_bear": bear, "predicted_price_moon": moon}
    return {"scenario": multiple, "total_mcap_scenario": 1e12, "predicted_roi_base": 0.2, **prices}


TOLD: dict[str, Any] = {
    "token_mcap": 5e9, "total_mcap": 2e12, "category_name": "layer-1", "current_price": 100.0, "predicted_date": "2026-12-31",
    "similar_tokens_info": [],
    "price_prediction": [scenario(2, 240.5, 130, 400), scenario(0.5, 60), scenario("1", "120", 70, 190)],
}  # fmt: skip


def read(*told: Any) -> Batch:
    return SOURCE.rows(SOURCE, [row(each, place) for place, each in enumerate(told, 1)], SLOT, "")


def row(told: Any, token: int = 1) -> dict[str, Any]:
    return {"TOKEN_ID": token, "TOKEN_NAME": "A", "DATE": "2025-12-31", FIELD: told}


def test_scenarios_become_text_smallest_first_and_those_of_a_market_as_now_metrics() -> None:
    for upstream in ([row(TOLD)], as_v3([row(TOLD)])):
        batch = SOURCE.rows(SOURCE, upstream, SLOT, "")
        assert (batch.subjects, batch.as_of.tolist()) == (["token:1"], [SLOT - DAY])
        assert batch.values.tolist() == [[100, 120, 70, 190, 3]]
        assert json.loads(batch.texts[0] or "") == {
            "predicted_date": "2026-12-31",
            "scenarios": [
                {"scenario": 0.5, "base": 60, "bear": None, "moon": None},
                {"scenario": 1, "base": 120, "bear": 70, "moon": 190},
                {"scenario": 2, "base": 240.5, "bear": 130, "moon": 400},
            ],
        }


def test_a_token_without_predictions_has_a_reading_of_nulls() -> None:
    batch = read(TOLD, None)
    assert batch.texts[1] is None
    assert np.isnan(batch.values[1]).all()


def test_without_a_scenario_of_a_market_as_now_its_metrics_are_missing() -> None:
    told = {**TOLD, "price_prediction": [scenario(2, 240)]}
    np.testing.assert_array_equal(read(told).values[0], [100, np.nan, np.nan, np.nan, 1])
    np.testing.assert_array_equal(read({**TOLD, "price_prediction": None}).values[0], [100, np.nan, np.nan, np.nan, 0])


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([], f"{FIELD} is not an object"),
        ({**TOLD, "current_price": "high"}, f"current_price of {FIELD} is not a number"),
        ({**TOLD, "current_price": -1}, f"current_price of {FIELD} -1 is outside"),
        ({**TOLD, "price_prediction": {}}, f"price_prediction of {FIELD} is not a list of scenarios"),
        ({**TOLD, "price_prediction": [5]}, f"price_prediction of {FIELD} is not a list of scenarios"),
        ({**TOLD, "price_prediction": [scenario(None, 5)]}, f"a scenario of {FIELD} is not named"),
        ({**TOLD, "price_prediction": [scenario("twice", 5)]}, f"a scenario of {FIELD} is not a number"),
        ({**TOLD, "price_prediction": [scenario(2, -5)]}, f"predicted_price_base of {FIELD} -5 is outside"),
    ],
)
def test_what_cannot_be_trusted_is_refused_with_its_row(told: Any, words: str) -> None:
    with pytest.raises(UpstreamError, match=rf"price-prediction: row 1 \(id 2\): {words}"):
        read(TOLD, told)


def test_the_older_shape_of_the_endpoint_is_not_this_sources() -> None:
    with pytest.raises(UpstreamError, match=f"no row has any of the fields {FIELD}"):
        SOURCE.rows(SOURCE, [{"TOKEN_ID": 1, "DATE": "2025-04-01", "FORECASTS_FOR_NEXT_7_DAYS": {}}], SLOT, "")
