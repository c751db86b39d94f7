"""trading-signals (daily) and hourly-trading-signals."""

from datetime import UTC, datetime

import numpy as np

from integration.sandbox.endpoints.common import identity, require
from integration.sandbox.market.base import Bools
from integration.sandbox.measures.intraday import Hour
from integration.sandbox.query import BadRequestError, Query
from integration.sandbox.selection import columns, selected
from integration.sandbox.view import Row, Rows, View, number

BULLISH = {1: "bullish", 0: "neutral", -1: "bearish"}
"""token_signal_str (v3)."""
_TREND = {1: "up", 0: "sideways", -1: "down"}
_GRADED_DAYS = 90
_WINDOW_HOURS = 24
_HOURLY_DAYS = 30


def trading_signals(view: View, query: Query) -> Rows:
    """Daily signals, newest first; ``signal`` keeps just the days on which that signal fired."""
    chosen, table = selected(view, query), view.measures.signals
    wanted = query.text("signal")
    if wanted not in (None, "1", "0", "-1"):
        raise BadRequestError("signal must be 1, 0 or -1")

    def rows_of(day: int) -> Bools:
        mask = chosen & table.graded(day)
        return mask & (table.signal[day] == int(wanted)) if wanted is not None else mask

    row_of = _v3_row if query.version == "v3" else _v2_row
    return [row_of(view, day, column) for day, column in view.mixed(query, view.window(query), rows_of)]


def hourly_trading_signals(view: View, query: Query) -> Rows:
    """Hourly signals, newest first: 1 while the close is above the mean of its last 24 hours, else -1.

    Rows go back 30 days.
    """
    require(query, "token_id")
    need = query.page * query.limit
    rows: list[tuple[int, int, Row]] = []
    for column in columns(view, query).tolist():
        for hour, mean in _hours(view, column, need):
            above = hour.close >= mean
            row = identity(view.market.tokens[column]) | {
                "TIMESTAMP": timestamp(hour.stamp),
                "CLOSE": number(hour.close),
                "SIGNAL": "1" if above else "-1",
                "POSITION": "long" if above else "short",
            }
            rows.append((hour.stamp, -column, row))
    rows.sort(key=lambda found: found[:2], reverse=True)
    return query.cut([row for _, _, row in rows])


def timestamp(ms: int) -> str:
    """UTC epoch milliseconds as 2025-03-19T23:26:09.454Z."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _hours(view: View, column: int, need: int) -> list[tuple[Hour, float]]:
    """The newest ``need`` hourly bars that the plan shows, each with the mean close of its last 24 hours."""
    low, high = view.window(Query("v2", {}))
    low = max(low, high - _HOURLY_DAYS, int(view.market.listed[column]))
    found: list[Hour] = []
    day = high
    while day >= low and len(found) < need + _WINDOW_HOURS:
        bars = [view.measures.intraday.bar(column, day, hour) for hour in range(24)]
        found = [bar for bar in bars if bar.stamp <= view.now] + found
        day -= 1
    closes = np.array([hour.close for hour in found])
    means = [float(closes[max(0, place - _WINDOW_HOURS + 1) : place + 1].mean()) for place in range(len(found))]
    return list(zip(found, means, strict=True))[-need:]


def _base(view: View, day: int, column: int) -> Row:
    """What both versions have: the returns are ROI as multiples, null before the first signal."""
    signals, market = view.measures.signals, view.market
    trend = int(signals.trend[day][column])
    roi = float(signals.growth[day][column]) - 1 if trend else float("nan")
    first = float(market.close[int(market.listed[column])][column])
    return identity(market.tokens[column]) | {
        "DATE": view.stamp(day),
        "TRADING_SIGNAL": int(signals.signal[day][column]),
        "TOKEN_TREND": trend,
        "TRADING_SIGNALS_RETURNS": number(roi, 4),
        "HOLDING_RETURNS": number(float(market.close[day][column]) / first - 1, 4),
        "TM_LINK": market.tokens[column].link,
    }


def _hidden(view: View, day: int) -> bool:
    """Grades are null on older rows, as in upstream's examples."""
    return view.settings.nulls and view.today - day > _GRADED_DAYS


def _v2_row(view: View, day: int, column: int) -> Row:
    # A live row of April 2025 has a stray lower-case tm_link beside TM_LINK.
    row = _base(view, day, column) | {"tm_link": view.market.tokens[column].slug}
    if _hidden(view, day):
        return row | {"TM_TRADER_GRADE": None, "TM_INVESTOR_GRADE": None}
    return row | {
        "TM_TRADER_GRADE": number(view.measures.grades.trader[day][column], 2),
        "TM_INVESTOR_GRADE": number(view.measures.investor.investor(day)[column]),
    }


def _v3_row(view: View, day: int, column: int) -> Row:
    """v3 has the newer grades in place of the two, and the text twins."""
    row = _base(view, day, column)
    hidden = _hidden(view, day)
    return row | {
        "TOKEN_SIGNAL_STR": BULLISH[row["TRADING_SIGNAL"]],
        "TOKEN_TREND_STR": _TREND[row["TOKEN_TREND"]],
        "TM_GRADE": None if hidden else number(view.measures.grades.trader[day][column], 2),
        "FUNDAMENTAL_GRADE": None if hidden else number(view.measures.investor.fundamental(day)[column]),
    }
