"""tokens, top-market-cap-tokens, price."""

import numpy as np

from integration.sandbox.endpoints.common import identity, percent_change, require
from integration.sandbox.market.catalogue import category_list, exchange_list
from integration.sandbox.query import Query
from integration.sandbox.selection import columns, selected
from integration.sandbox.view import Row, Rows, View, number


def tokens(view: View, query: Query) -> Rows:
    """Every token that passes the filters, larger ones first."""
    rows = []
    for column in query.cut(columns(view, query).tolist()):
        token = view.market.tokens[column]
        row = _listed(view, query, column)
        row["TM_LINK"] = token.link
        row["CONTRACT_ADDRESS"] = dict(token.chains)
        rows.append(row | (_figures(view, column) if query.version == "v3" else {}))
    return rows


def top_market_cap_tokens(view: View, query: Query) -> Rows:
    """``top_k`` tokens a page by market capitalisation; ``limit`` is ignored."""
    top = query.whole("top_k", 50, high=100)
    cap = np.where(selected(view, query), view.market.market_cap(view.today), -1.0)
    order = [int(column) for column in np.argsort(-np.nan_to_num(cap), kind="stable") if cap[column] >= 0]
    rows = [_listed(view, query, column) for column in query.cut(order, top)]
    if query.version == "v3":
        rows = [row | _figures(view, column) for row, column in zip(rows, query.cut(order, top), strict=True)]
    return rows


def price(view: View, query: Query) -> Rows:
    """Current prices; TOKEN_ID is a string and the symbol lower case, as upstream prints them."""
    require(query, "token_id")
    return [
        {
            "TOKEN_ID": str(view.market.tokens[column].token_id),
            "CURRENT_PRICE": number(view.measures.intraday.price(column, view.now)),
            "TOKEN_NAME": view.market.tokens[column].name,
            "TOKEN_SYMBOL": view.market.tokens[column].symbol.lower(),
        }
        for column in query.cut(columns(view, query).tolist())
    ]


def _listed(view: View, query: Query, column: int) -> Row:
    """Identity with exchanges and categories; v3 gives the two lists on ``expand`` only."""
    token = view.market.tokens[column]
    row = identity(token)
    expand = query.items("expand")
    if query.version == "v2" or "exchange_list" in expand:
        row["EXCHANGE_LIST"] = exchange_list(token)
    if query.version == "v2" or "category_list" in expand:
        row["CATEGORY_LIST"] = category_list(token)
    return row


def _figures(view: View, column: int) -> Row:
    """The figures v3 adds (names only upstream)."""
    market, day = view.market, view.today
    token, now = market.tokens[column], view.measures.intraday.price(column, view.now)
    return {
        "CURRENT_PRICE": number(now),
        "MARKET_CAP": number(now * token.supply, 2),
        "TOTAL_VOLUME": number(market.volume[day][column], 2),
        "CIRCULATING_SUPPLY": number(token.supply),
        "TOTAL_SUPPLY": number(token.max_supply),
        "MAX_SUPPLY": number(token.max_supply),
        "FULLY_DILUTED_VALUATION": number(now * token.max_supply, 2),
        "PRICE_CHANGE_PERCENTAGE_24H_IN_CURRENCY": number(
            percent_change(float(market.close[day][column]), float(market.close[max(0, day - 1)][column]))
        ),
        "HIGH_24H": number(market.high[day][column]),
        "LOW_24H": number(market.low[day][column]),
        "TM_LINK": token.link,
    }
