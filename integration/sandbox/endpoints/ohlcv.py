"""daily-ohlcv and hourly-ohlcv: newest first, tokens mixed within a time."""

from collections.abc import Iterator

from integration.sandbox.endpoints.common import identity
from integration.sandbox.endpoints.signals import timestamp
from integration.sandbox.market.token import Token
from integration.sandbox.measures.intraday import Hour
from integration.sandbox.query import Query
from integration.sandbox.selection import columns, selected
from integration.sandbox.view import Row, Rows, View, number


def daily_ohlcv(view: View, query: Query) -> Rows:
    """Daily bars in USD; the bar of DATE D closes with the close that D's metrics use."""
    chosen, market = selected(view, query), view.market
    pairs = view.mixed(query, view.window(query, by_plan=False), lambda day: chosen & market.present[day])
    return [
        {
            **identity(market.tokens[column]),
            "DATE": view.stamp(day),
            "OPEN": number(market.open[day][column]),
            "HIGH": number(market.high[day][column]),
            "LOW": number(market.low[day][column]),
            "CLOSE": number(market.close[day][column]),
            "VOLUME": float(market.volume[day][column]),
        }
        for day, column in pairs
    ]


def hourly_ohlcv(view: View, query: Query) -> Rows:
    """Hourly bars in USD, stamped some 25 minutes past the hour; VOLUME is over the last 24 hours."""
    low, high = view.window(query, by_plan=False)
    wanted = columns(view, query)
    limit, skip = query.limit, (query.page - 1) * query.limit
    rows: Rows = []
    for day, hour in _hours_back(view, low, high):
        there = wanted[view.market.listed[wanted] <= day]
        # Whole hours before the page are skipped uncomputed.
        for column in there[skip : skip + limit - len(rows)].tolist():
            rows.append(_hour_row(view.market.tokens[column], view.measures.intraday.bar(column, day, hour)))
        skip = max(0, skip - len(there))
        if len(rows) == limit:
            break
    return rows


def _hours_back(view: View, low: int, high: int) -> Iterator[tuple[int, int]]:
    """(day, hour) of every bar stamped by now, newest first."""
    for day in range(high, low - 1, -1):
        stamps = view.measures.intraday.stamps(day)
        yield from ((day, hour) for hour in range(23, -1, -1) if stamps[hour] <= view.now)


def _hour_row(token: Token, bar: Hour) -> Row:
    row = identity(token) | {"TIMESTAMP": timestamp(bar.stamp), "OPEN": number(bar.open), "HIGH": number(bar.high)}
    return row | {"LOW": number(bar.low), "CLOSE": number(bar.close), "VOLUME": bar.volume}
