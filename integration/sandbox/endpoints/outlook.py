"""moonshot-tokens, scenario-analysis, price-prediction: made-up outlooks derived from the market."""

from collections.abc import Callable

import numpy as np

from integration.sandbox.endpoints.common import blank, identity, percent_change
from integration.sandbox.query import BadRequestError, Query
from integration.sandbox.selection import columns
from integration.sandbox.view import Row, Rows, View, number

_SCENARIO_BLANK = 81
_MULTIPLIERS = (0.5, 1, 2, 4, 8)
_CASES = {"base": 1.0, "bear": 0.6, "moon": 1.8}
_ACTIVE_DAYS, _PAST_DAYS, _LARGEST = 14, 90, 10


def moonshot_tokens(view: View, query: Query) -> Rows:
    """Smaller tokens, no stablecoins, whose buy signal fired in the last 14 days (active) or 15 to 90 days ago (past)."""
    kind, sort_by = query.text("type") or "active", query.text("sort_by") or "moonshot_at"
    if kind not in ("active", "past") or sort_by not in _SORTED:
        raise BadRequestError(f"type must be active or past, sort_by one of {', '.join(_SORTED)}")
    day = view.newest
    ages = range(_ACTIVE_DAYS) if kind == "active" else range(_ACTIVE_DAYS, _PAST_DAYS)
    may = np.array([token.sector != "stablecoin" for token in view.market.tokens])
    may[:_LARGEST] = False
    found = []
    for fired in (day - age for age in ages if day - age >= 7):
        found += [(column, fired) for column in np.flatnonzero((view.measures.signals.signal[fired] == 1) & may).tolist()]
    found.sort(key=lambda pair: _SORTED[sort_by](view, pair[0], pair[1], kind), reverse=True)
    return [_moonshot_row(view, column, fired, kind) for column, fired in query.cut(found)]


def scenario_analysis(view: View, query: Query) -> Rows:
    """Prices at given sizes of the whole market, in the 2023 shape; null for some small tokens."""
    hidden = blank(view, _SCENARIO_BLANK, 1 / 4)
    total = float(np.nansum(view.market.market_cap(view.today)))
    rows = []
    for column in query.cut(columns(view, query).tolist()):
        token, close = view.market.tokens[column], float(view.market.close[view.today][column])
        share = close * token.supply / total
        scenarios = [
            {
                "crypto_market_cap_trillion": size,
                "price_prediction": number(float(f"{size * 1e12 * share / token.supply:.4g}")),
                "token_dominance": float(f"{share:.3g}"),
            }
            for size in _MULTIPLIERS
        ]
        row = identity(token) | {"DATE": view.date(view.today)}
        rows.append(row | {"SCENARIO_ANALYSIS": None if hidden[column] else scenarios})
    return rows


def price_prediction(view: View, query: Query) -> Rows:
    """Prices under multiples of today's market, in the shape of 2025-08 (names only upstream)."""
    return [
        identity(view.market.tokens[column]) | {"DATE": view.date(view.today), "PRICE_PREDICTION": _prediction(view, column)}
        for column in query.cut(columns(view, query).tolist())
    ]


def _prediction(view: View, column: int) -> Row:
    market, day = view.market, view.today
    token, close = market.tokens[column], float(market.close[day][column])
    total = float(np.nansum(market.market_cap(day)))
    first = float(market.close[int(market.listed[column])][column])
    return {
        "token_mcap": number(close * token.supply, 2),
        "total_mcap": number(total, 2),
        "category_name": token.sector,
        "current_price": number(close),
        "predicted_date": view.date(day + 365),
        "similar_tokens_info": [],
        "avg_past_performance": 0,
        "self_past_performance": number(percent_change(close, first)),
        "price_prediction": [_scenario(close, token.supply, token.max_supply, total, size) for size in _MULTIPLIERS],
    }


def _scenario(close: float, supply: float, most: float, total: float, size: float) -> Row:
    row: Row = {"scenario": size, "total_mcap_scenario": number(total * size, 2)}
    for case, factor in _CASES.items():
        price = float(f"{close * size * factor:.6g}")
        row[f"predicted_price_{case}"] = number(price)
        row[f"predicted_mcap_{case}"] = number(price * supply, 2)
        row[f"predicted_fdv_{case}"] = number(price * most, 2)
        row[f"predicted_roi_{case}"] = number(price / close - 1, 4)
    return row


def _moonshot_row(view: View, column: int, fired: int, kind: str) -> Row:
    """All figures but the ROI are strings, as the vendor's types declare; there is no TOKEN_ID."""
    market, day, grades = view.market, view.newest, view.measures.grades
    close, token = market.close, market.tokens[column]
    grade, before = float(grades.trader[day][column]), float(grades.trader[day - 1][column])
    return {
        "TOKEN_NAME": token.name,
        "TOKEN_SYMBOL": token.symbol,
        "LAST_TRADING_SIGNAL_TIME": view.stamp(fired),
        "TM_TRADER_GRADE": str(number(grade, 2)),
        "TM_TRADER_GRADE_24H_PCT_CHANGE": str(percent_change(grade, before)),
        "PRICE_CHANGE_PERCENTAGE_7D_IN_CURRENCY": str(percent_change(float(close[day][column]), float(close[day - 7][column]))),
        "MARKET_CAP": str(number(market.market_cap(day)[column], 2)),
        "VOLUME_24H": str(number(np.nan_to_num(market.volume[day][column]), 2)),
        "MOONSHOT_AT": view.stamp(fired),
        "MOONSHOT_END_AT": None if kind == "active" else view.stamp(_end(view, fired, kind)),
        "MOONSHOT_ROI": number(_roi(view, column, fired, kind)),
    }


def _end(view: View, fired: int, kind: str) -> int:
    """Day index on which a moonshot ended; an active one is measured up to now."""
    return view.newest if kind == "active" else min(view.newest, fired + _ACTIVE_DAYS)


def _roi(view: View, column: int, fired: int, kind: str) -> float:
    """Return since the signal in percent."""
    close = view.market.close
    return percent_change(float(close[_end(view, fired, kind)][column]), float(close[fired][column]))


_SORTED: dict[str, Callable[[View, int, int, str], float]] = {
    "moonshot_at": lambda _view, _column, fired, _kind: fired,
    "roi_pct": _roi,
    "tm_grade": lambda view, column, _fired, _kind: float(view.measures.grades.trader[view.newest][column]),
    "market_cap_usd": lambda view, column, _fired, _kind: float(view.market.market_cap(view.newest)[column]),
}
