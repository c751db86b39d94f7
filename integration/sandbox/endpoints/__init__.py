"""The vendor's endpoints: each a function (view, query) -> rows under v2 names.

A row's values and types follow upstream.md 2; what it marks "names only" is made up here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from integration.sandbox.endpoints import grades, indices, measures, ohlcv, outlook, signals, texts, tm_grade, tokens
from integration.sandbox.query import Query
from integration.sandbox.view import Rows, View

Handler = Callable[[View, Query], Rows]


@dataclass(frozen=True)
class Endpoint:
    """A handler, the versions that have it, and whether its 400 body is ``{}`` instead of an envelope."""

    handler: Handler
    versions: frozenset[str] = frozenset({"v2", "v3"})
    bare_400: bool = False


ENDPOINTS: dict[str, Endpoint] = {
    "tokens": Endpoint(tokens.tokens),
    "top-market-cap-tokens": Endpoint(tokens.top_market_cap_tokens),
    "price": Endpoint(tokens.price),
    "trader-grades": Endpoint(grades.trader_grades),
    "investor-grades": Endpoint(grades.investor_grades),
    "tm-grade": Endpoint(tm_grade.tm_grade),
    "tm-grade-history": Endpoint(tm_grade.tm_grade_history),
    "fundamental-grade": Endpoint(tm_grade.fundamental_grade),
    "fundamental-grade-history": Endpoint(tm_grade.fundamental_grade_history),
    "technology-grade": Endpoint(tm_grade.technology_grade),
    "technology-grade-history": Endpoint(tm_grade.technology_grade_history),
    "quantmetrics": Endpoint(measures.quantmetrics),
    "market-metrics": Endpoint(measures.market_metrics),
    "resistance-support": Endpoint(measures.resistance_support),
    "correlation": Endpoint(measures.correlation),
    "trading-signals": Endpoint(signals.trading_signals),
    "hourly-trading-signals": Endpoint(signals.hourly_trading_signals),
    "daily-ohlcv": Endpoint(ohlcv.daily_ohlcv, bare_400=True),
    "hourly-ohlcv": Endpoint(ohlcv.hourly_ohlcv),
    "indices": Endpoint(indices.indices),
    "indices-holdings": Endpoint(indices.indices_holdings),
    "indices-performance": Endpoint(indices.indices_performance),
    "moonshot-tokens": Endpoint(outlook.moonshot_tokens),
    "scenario-analysis": Endpoint(outlook.scenario_analysis, frozenset({"v2"})),
    "price-prediction": Endpoint(outlook.price_prediction),
    "sentiments": Endpoint(texts.sentiments),
    "ai-reports": Endpoint(texts.ai_reports),
    "crypto-investors": Endpoint(texts.crypto_investors),
}
"""GET endpoints by name; ``tmai`` (POST) answers in its own shape and is handled beside them."""
