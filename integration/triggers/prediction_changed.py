"""Fires when a predicted price of a token moves by at least N percent over `window` readings.

Predictions are for a market so many times its present size (the scenario), in a base, bear or moon case. A move is
measured against the reading `window` readings back, never against the last event; a longer move is told when it begins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from marshmallow import fields, validate, validates_schema

from integration.domain.catalogue import Case, Options, Trigger
from integration.domain.delta import moves
from integration.domain.history import Firing, History, Ints
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.triggers._levels import direction_field, suppressed_field
from integration.triggers._moves import told_moves, window_lookback
from integration.triggers._options import MoveOptions, direction
from integration.triggers._possible import check_fall
from integration.triggers._prices import change
from integration.triggers._values import number, percent, usd

SOURCE = "price_predictions"
METRIC = "current_price"


class PredictionOptions(MoveOptions):
    """Which prediction, and what counts as a move."""

    scenario = Number(
        load_default=1.0,
        validate=validate.Range(0.01, 1000),
        metadata=described("Scenario", "For a market so many times its present size, such as 0.5, 1, 2, 4 or 8", unit="times"),
    )
    case = fields.String(
        load_default="base", validate=validate.OneOf(["base", "bear", "moon"]), metadata=described("Case", "base, bear or moon")
    )
    percent = Number(
        load_default=10.0,
        validate=validate.Range(0.1, 1000),
        metadata=described("Percent", "Tell when the predicted price moves by at least this much", unit="%"),
    )
    window = Whole(
        load_default=1,
        validate=validate.Range(1, 30),
        metadata=described("Over", "Compare with the prediction this many readings before", unit="readings"),
    )
    direction = direction("Tell when it rises (up), falls (down), or either")

    @validates_schema
    def _it_can_fall_so_far(self, options: dict[str, Any], **_: Any) -> None:
        check_fall(options["percent"], options["direction"])


class PredictionPayload(EventPayload):
    """A move of a predicted price."""

    scenario = fields.Float(required=True, metadata=described("Scenario", "Market size against the present one", unit="times"))
    case = fields.String(required=True, metadata=described("Case", "base, bear or moon"))
    direction = direction_field()
    predicted_price = fields.Float(required=True, metadata=described("Predicted Price", unit="USD"))
    previous_predicted_price = fields.Float(
        required=True, metadata=described("Previous Predicted Price", "That it is compared with", unit="USD")
    )
    change = fields.Float(required=True, metadata=described("Change", "Predicted / previous - 1", unit="fraction"))
    window = fields.Integer(required=True, metadata=described("Over", unit="readings"))
    predicted_date = fields.String(
        required=True, allow_none=True, metadata=described("Predicted Date", "The day that it is predicted for")
    )
    current_price = fields.Float(
        required=True, allow_none=True, metadata=described("Current Price", "At the time of the prediction", unit="USD")
    )
    predicted_return = fields.Float(
        required=True, allow_none=True, metadata=described("Predicted Return", "Predicted / current - 1", unit="fraction")
    )
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Predictions."""
    return (SOURCE,)


def _predicted(text: str | None, options: Options) -> float:
    """A text's price of the scenario and case; NaN where it says none."""
    for each in orjson.loads(text)["scenarios"] if text else ():
        if each["scenario"] == options["scenario"] and each[options["case"]]:
            return float(each[options["case"]])
    return float("nan")


def _back(as_of: Ints, window: int, max_gap: int) -> Ints:
    """The position of the reading `window` readings before each; -1 where there is none, or too long a silence between."""
    places = np.arange(len(as_of), dtype=np.int64)
    return np.where(np.isnan(moves(places.astype(np.float64), as_of, window, max_gap)), -1, places - window)


def scan(history: History, options: Options) -> list[Firing]:
    """Moves that are told."""
    prices = np.array([_predicted(text, options) for text in history.texts], dtype=np.float64)
    known = np.flatnonzero(prices > 0)
    seen, prices, window = history.take(known), prices[known], options["window"]
    back = _back(seen.as_of, window, seen.max_gap)
    current = seen.column(METRIC)
    firings = []
    for at, moved, suppressed in told_moves(seen.as_of, change(prices, back), options["percent"] / 100, options):
        price, now = float(prices[at]), number(current[at])
        told = {
            "scenario": options["scenario"],
            "case": options["case"],
            "direction": "up" if moved > 0 else "down",
            "predicted_price": price,
            "previous_predicted_price": float(prices[back[at]]),
            "change": round(moved, 9),
            "window": window,
            "predicted_date": orjson.loads(seen.texts[at] or "{}").get("predicted_date"),
            "current_price": now,
            "predicted_return": number(price / now - 1) if now else None,
            "suppressed_count": suppressed,
        }
        firings.append(Firing(int(seen.as_of[at]), told))
    return firings


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    verb = "rose" if event["direction"] == "up" else "fell"
    size = "of the present size" if event["scenario"] == 1 else f"{event['scenario']:g} times as large"
    return (
        f"{event['subject_name']}'s predicted price ({event['case']} case, a market {size}) {verb} by "
        f"{percent(abs(event['change']))}: {usd(event['previous_predicted_price'])} → {usd(event['predicted_price'])} "
        f"on {day_and_month(event['as_of'])}."
    )


_TIME = "2025-09-14T00:00:00Z"
_EXAMPLE = {
    "scenario": 2.0,
    "case": "base",
    "direction": "up",
    "predicted_price": 241_300.0,
    "previous_predicted_price": 214_900.0,
    "change": 0.122848,
    "window": 1,
    "predicted_date": "2026-09-14",
    "current_price": 115_950.0,
    "predicted_return": 1.0811,
    "suppressed_count": 0,
}


def _told(*prices: float | None, scenario: float = 1, case: str = "base", current: float | None = 100) -> list[tuple[float, Any]]:
    """A predicted price a day; 0 where the scenario is missing, None where nothing is said."""
    rows: list[tuple[float, Any]] = []
    for day, price in enumerate(prices):
        cases = {"base": 7.0, "bear": 7.0, "moon": 7.0} | {case: price}
        scenarios = [{"scenario": scenario, **cases}, {"scenario": 9.0, "base": 7.0, "bear": 7.0, "moon": 7.0}]
        text = json.dumps({"predicted_date": "2026-09-14", "scenarios": scenarios[price == 0 :]})
        rows.append((day, {"current_price": current} if price is None else {"current_price": current, "text": text}))
    return rows


TRIGGER = Trigger(
    key="prediction_changed",
    noun="Price Prediction Change",
    label="New Price Prediction Change",
    description="Triggers when a predicted price of a token moves by a percentage.",
    semantics=1,
    subject="token",
    options=PredictionOptions,
    payload=PredictionPayload,
    sources=sources,
    lookback=window_lookback,
    scan=scan,
    summary=summary,
    sample=sample(
        "prediction_changed",
        "New Price Prediction Change",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "it rises by ten percent",
            {},
            _told(120, 132),
            {1: {"direction": "up", "change": 0.1, "previous_predicted_price": 120.0, "predicted_return": 132 / 100 - 1}},
        ),
        Case("it falls", {"direction": "down"}, _told(120, 100), {1: {"direction": "down", "predicted_date": "2026-09-14"}}),
        Case(
            "another scenario and case",
            {"scenario": 2, "case": "moon"},
            _told(400, 500, scenario=2, case="moon"),
            {1: {"scenario": 2.0, "case": "moon", "change": 0.25}},
        ),
        Case("a longer move is told when it begins", {"window": 2}, _told(100, 106, 112, 119, 126), {2: {"window": 2}}),
        Case("a day without a prediction between", {}, _told(100, None, 0, 120), {3: {"previous_predicted_price": 100.0}}),
        Case("the current price is not known", {}, _told(100, 120, current=None), {1: {"predicted_return": None}}),
    ),
    silent=(
        Case("the first prediction", {}, _told(500)),
        Case("too small a move", {}, _told(100, 109, 118)),
        Case("the other direction", {"direction": "up"}, _told(100, 80)),
        Case("only another case", {"case": "bear"}, _told(100, 200)),
        Case("a scenario that is not there", {"scenario": 4}, _told(100, 200)),
        Case("too long a silence lies between", {}, [_told(100)[0], (4, _told(200)[0][1])]),
    ),
)
