"""What Token Metrics predicts a token's price to be if the whole market were so many times its present size.

Each scenario is such a multiple and has three cases: base, bear and moon. As JSON text, smallest multiple first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from integration.domain.catalogue import Batch, Metric, Source
from integration.domain.retry import DAY
from integration.sources._columns import Page
from integration.sources._readings import Rows
from integration.sources._texts import Said, numbers, worded

FIELD = "PRICE_PREDICTION"
CASES = ("base", "bear", "moon")
#: The scenario that the metrics are of: a market of the present size.
AS_NOW = 1.0


def predictions(source: Source, rows: Rows, slot: int, _asked: str = "") -> Batch:
    """Readings with `{"predicted_date", "scenarios": [{"scenario": multiple, "base", "bear", "moon": USD or null}]}`."""
    return worded(source, rows, slot, (FIELD,), _said)


def _said(row: Mapping[str, Any]) -> Said:
    told = row[FIELD]
    if told is None:
        return {}, None
    if not isinstance(told, Mapping):
        raise ValueError(f"{FIELD} is not an object")
    page = Page([told])
    (current,) = numbers(page.column("current_price"), f"current_price of {FIELD}")
    ((entries,), (date,)) = page.column("price_prediction"), page.column("predicted_date")
    scenarios = _scenarios([] if entries is None else entries)
    as_now = next((each for each in scenarios if each["scenario"] == AS_NOW), {})
    metrics = {"current_price": current, "scenarios": len(scenarios), **{f"{case}_price": as_now.get(case) for case in CASES}}
    return metrics, {"predicted_date": None if date is None else str(date)[:10], "scenarios": scenarios}


def _scenarios(entries: Any) -> list[dict[str, float | None]]:
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError(f"price_prediction of {FIELD} is not a list of scenarios")
    page = Page(entries)
    multiples = numbers(page.column("scenario"), f"a scenario of {FIELD}")
    if None in multiples:
        raise ValueError(f"a scenario of {FIELD} is not named")
    prices: dict[str, Sequence[float | None]] = {
        case: numbers(page.column(f"predicted_price_{case}"), f"predicted_price_{case} of {FIELD}") for case in CASES
    }
    found = [{"scenario": multiple, **{case: prices[case][place] for case in CASES}} for place, multiple in enumerate(multiples)]
    return sorted(found, key=lambda scenario: scenario["scenario"] or 0.0)


SOURCE = Source(
    key="price_predictions",
    label="Price predictions",
    path="price-prediction",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(
        Metric("current_price", "", "Price at the time of the prediction", "USD", 0),
        Metric("base_price", "", "Predicted price, base case", "USD", 0),
        Metric("bear_price", "", "Predicted price, bear case", "USD", 0),
        Metric("moon_price", "", "Predicted price, moon case", "USD", 0),
        Metric("scenarios", "", "Scenarios", "", 0),
    ),
    rows=predictions,
    ids_per_call=50,
    plan="advanced",
    weight=0.5,
)
