"""quantmetrics, market-metrics, resistance-support, correlation."""

import numpy as np

from integration.sandbox.endpoints.common import blank, identity
from integration.sandbox.measures.levels import turning_points
from integration.sandbox.query import Query
from integration.sandbox.selection import columns
from integration.sandbox.view import Row, Rows, View, number

_LEVELS_BLANK, _CORRELATION_BLANK = 71, 72
_SHOWN = 10


def quantmetrics(view: View, query: Query) -> Rows:
    """Metrics over all history up to and including the market date, one row a token."""
    rows = []
    for column in query.cut(columns(view, query).tolist()):
        metrics = view.measures.quant.row(view.today, column)
        row = identity(view.market.tokens[column]) | {"DATE": view.date(view.today)}
        digits = view.settings.digits
        rows.append(row | {name: _metric(name, value, digits) for name, value in metrics.items()})
    return rows


def market_metrics(view: View, query: Query) -> Rows:
    """Market-wide daily rows, oldest first; without dates the newest page."""
    low, high = view.window(query, spans=False)
    days = list(range(low, high + 1))
    shown = query.cut(days) if query.text("startDate", "start_date") else query.cut(days[::-1])[::-1]
    signals = view.measures.signals
    return [
        {
            "DATE": view.date(day),
            "TOTAL_CRYPTO_MCAP": round(float(np.nansum(view.market.market_cap(day))), 3),
            "TM_GRADE_PERC_HIGH_COINS": round(signals.high_share[day], 9),
            "TM_GRADE_SIGNAL": signals.market_signal[day],
            "LAST_TM_GRADE_SIGNAL": signals.market_trend[day],
        }
        for day in shown
    ]


def resistance_support(view: View, query: Query) -> Rows:
    """Levels of each token, ascending: objects as of 2025, or numbers as of 2023; null for some small tokens."""
    hidden = blank(view, _LEVELS_BLANK, 1 / 4)
    rows = []
    for column in query.cut(columns(view, query).tolist()):
        row = identity(view.market.tokens[column]) | {"DATE": view.date(view.today)}
        rows.append(row | {"HISTORICAL_RESISTANCE_SUPPORT_LEVELS": None if hidden[column] else _levels(view, column)})
    return rows


def correlation(view: View, query: Query) -> Rows:
    """The ten highest and ten lowest 90-day correlations of each token, unsorted; null for some small tokens."""
    hidden = blank(view, _CORRELATION_BLANK, 288 / 972)
    rows = []
    for column in query.cut(columns(view, query).tolist()):
        row = identity(view.market.tokens[column]) | {"DATE": view.date(view.today)}
        rows.append(row | {"TOP_CORRELATION": None if hidden[column] else _correlations(view, column)})
    return rows


def _metric(name: str, value: float, digits: int | None) -> int | float | None:
    """A metric rounded as told; upstream leaves three of them unrounded."""
    unrounded = name in ("RISK_REWARD_RATIO", "DAILY_RETURN_AVG", "DAILY_RETURN_STD")
    return number(value, None if unrounded else digits)


def _levels(view: View, column: int) -> list[Row] | list[int | float | None]:
    points = turning_points(view.market, column, view.today)
    if view.settings.level_objects:
        return [{"level": number(level), "date": view.date(day)} for level, day in points]
    return [number(level) for level, _ in points]


def _correlations(view: View, column: int) -> list[Row] | None:
    others, values = view.measures.correlation.with_all(column, view.today)
    if not len(others):
        return None
    order = values.argsort()
    shown = sorted(
        {*order[:_SHOWN].tolist(), *order[-_SHOWN:].tolist()}, key=lambda place: view.market.tokens[others[place]].name
    )
    return [{"correlation": round(float(values[place]), 3), "token": view.market.tokens[others[place]].name} for place in shown]
