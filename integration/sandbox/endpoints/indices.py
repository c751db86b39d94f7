"""indices, indices-holdings, indices-performance: every index is the sandbox's own (ids 1 to 7)."""

import numpy as np

from integration.sandbox.endpoints.common import identity, percent_change
from integration.sandbox.market.token import SANDBOX_LINK, Token
from integration.sandbox.measures.indices import SPECS, START, IndexSpec, percents
from integration.sandbox.query import BadRequestError, Query
from integration.sandbox.view import Row, Rows, View, number

_BASE_PRICE = 100.0


def indices(view: View, query: Query) -> Rows:
    """The indices, all or by kind (active, passive), with changes in percent."""
    kind = query.text("indicesType", "indices_type")
    if kind not in (None, "active", "passive"):
        raise BadRequestError("indicesType must be active or passive")
    if view.newest < START:
        return []
    return [_index_row(view, spec) for spec in query.cut([spec for spec in SPECS if kind in (None, spec.kind)])]


def indices_holdings(view: View, query: Query) -> Rows:
    """Everything an index holds, heaviest first; weights are percent and sum to 100. Unknown id: no rows."""
    spec = view.measures.indices.find(query.whole("id"))
    if spec is None or view.newest < START:
        return []
    held, weights = view.measures.indices.holdings(spec, view.newest)
    rows = [_holding_row(view, spec, column, weight) for column, weight in zip(held.tolist(), percents(weights), strict=True)]
    return query.cut(rows)


def indices_performance(view: View, query: Query) -> Rows:
    """Daily rows, oldest first (without dates: the newest page); the ROI is a fraction since the first day."""
    spec = view.measures.indices.find(query.whole("id"))
    if spec is None:
        return []
    low, high = view.window(query, spans=False)
    days = range(max(low, START), high + 1)
    shown = query.cut(list(days)) if query.text("startDate", "start_date") else query.cut(list(days)[::-1])[::-1]
    return [_performance_row(view, spec, day) for day in shown]


def _index_row(view: View, spec: IndexSpec) -> Row:
    day, found = view.newest, view.measures.indices
    held, weights = found.holdings(spec, day)
    level = found.level(spec, day)

    def change(days: int) -> float:
        return percent_change(level, found.level(spec, max(START, day - days)))

    grade = float((view.measures.grades.trader[day][held] * weights).sum())
    return {
        "ID": spec.index_id,
        "NAME": spec.name,
        "TICKER": spec.ticker,
        "PRICE": number(_BASE_PRICE * level, 4),
        "COINS": len(held),
        "24H": number(change(1)),
        "7D": number(change(7)),
        "1M": number(change(30)),
        "ALL_TIME": number(percent_change(level, 1.0)),
        "24H_VOLUME": number(np.nansum(view.market.volume[day][held]), 2),
        "INDEX_GRADE": number(grade, 2),
        "MARKET_CAP": number(np.nansum(view.market.market_cap(day)[held]), 2),
        "TOP_GAINERS_ICONS": _gainers(view, held.tolist(), day),
    }


def _gainers(view: View, held: list[int], day: int) -> Row:
    close, before = view.market.close[day], view.market.close[day - 1]
    best = sorted(held, key=lambda column: -float(close[column] / before[column]))[:3]
    found = {}
    for token in (view.market.tokens[column] for column in best):
        sizes = {size: icon(token, size) for size in ("large", "small", "thumb")}
        found[str(token.token_id)] = {"name": token.name, **sizes}
    return found


def icon(token: Token, size: str = "small") -> str:
    """Address of an icon that does not exist."""
    return f"{SANDBOX_LINK}/icons/{size}/{token.slug}.png"


def _holding_row(view: View, spec: IndexSpec, column: int, weight: float) -> Row:
    day, market, grades = view.newest, view.market, view.measures.grades
    token = market.tokens[column]
    bought = view.measures.indices.rebalanced(spec, day)
    now, before = float(grades.trader[day][column]), float(grades.trader[day - 1][column])
    return identity(token) | {
        "COIN": token.symbol,
        "CG_ID": token.slug,
        "WEIGHT": number(weight),
        "MARKET_CAP": number(market.market_cap(day)[column], 2),
        "PRICE": number(market.close[day][column]),
        "CURRENT_ROI": number(percent_change(float(market.close[day][column]), float(market.close[bought][column]))),
        "TRADER_GRADE": number(now, 2),
        "TRADER_GRADE_CHANGE_24H": number(now - before, 2),
        "ICON": icon(token),
        "DATE": view.stamp(day),
    }


def _performance_row(view: View, spec: IndexSpec, day: int) -> Row:
    found, market = view.measures.indices, view.market
    held, _ = found.holdings(spec, day)
    return {
        "ID": spec.index_id,
        "DATE": view.stamp(day),
        "INDEX_CUMULATIVE_ROI": round(found.level(spec, day) - 1, 10),
        "MARKET_CAP": float(np.nansum(market.market_cap(day)[held])),
        "VOLUME": float(np.nansum(market.volume[day][held])),
        "FDV": float(np.nansum((market.close[day] * market.max_supply)[held])),
    }
