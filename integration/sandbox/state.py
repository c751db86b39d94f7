"""One sandbox: its clock, market, measures, plan, calls and faults."""

import threading
from datetime import date, timedelta

from integration.sandbox.calls import Calls
from integration.sandbox.clock import DAY_MS, Clock, date_ms
from integration.sandbox.faults import Faults
from integration.sandbox.market.base import Market
from integration.sandbox.market.model import ModelMarket
from integration.sandbox.market.replay import ReplayMarket
from integration.sandbox.measures.correlation import Correlation
from integration.sandbox.measures.grades import Grades
from integration.sandbox.measures.indices import Indices
from integration.sandbox.measures.intraday import Intraday
from integration.sandbox.measures.investor import Investor
from integration.sandbox.measures.quant import Quant
from integration.sandbox.measures.signals import Signals
from integration.sandbox.plans import plan_of
from integration.sandbox.settings import SandboxSettings
from integration.sandbox.view import Measures, View

FURTHEST_DAYS = 20_000
_MOST_CELLS = 12_000_000
"""(day, token) pairs of a model market at most, some 70 bytes each; its clock stops there."""


class Sandbox:
    """What a server holds. ``lock`` guards the market and its measures, which grow as the clock runs."""

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.plan = plan_of(settings)
        self.market = market_of(settings)
        self.clock = Clock(
            start_of(settings, self.market),
            settings.day,
            paused=settings.paused,
            earliest=self.market.first,
            latest=last_date(self.market),
        )
        self.calls = Calls(self.plan, self.clock)
        self.faults = Faults(self.clock.now)
        self.measures = measures_of(self.market, settings)
        self.slugs = {token.token_id: token.slug for token in self.market.tokens}
        self.lock = threading.RLock()
        self.view()

    def view(self) -> View:
        """Everything at this moment, the market walked on to the market date. Hold ``lock`` while using it."""
        now = self.clock.now()
        with self.lock:
            day = (now - date_ms(self.market.first)) // DAY_MS
            self.market.ensure(day + 1)
            self.measures.signals.ensure(day)
        return View(self.measures, self.settings, self.plan, now)


def market_of(settings: SandboxSettings) -> Market:
    """The backend that the settings ask for."""
    if settings.replay is not None:
        return ReplayMarket(settings.replay, settings.seed)
    return ModelMarket(settings.tokens, settings.seed, settings.start, settings.coming)


def start_of(settings: SandboxSettings, market: Market) -> date:
    """The first market date: ``start`` where the market has it and a day after, else a year after its first row."""
    if market.last is None or market.first <= settings.start < market.last:
        return settings.start
    return min(market.first + timedelta(days=365), market.last)


def last_date(market: Market) -> date:
    """Where the clock stops: at the end of a replay; in the model after 20,000 days, with many tokens earlier."""
    days = min(FURTHEST_DAYS, _MOST_CELLS // len(market.tokens))
    return market.last or market.first + timedelta(days=days)


def measures_of(market: Market, settings: SandboxSettings) -> Measures:
    """Every measure over one market."""
    grades = Grades(market)
    return Measures(
        market=market,
        grades=grades,
        signals=Signals(market, grades),
        investor=Investor(market, grades, settings.nulls),
        quant=Quant(market, settings.nulls),
        indices=Indices(market, grades),
        intraday=Intraday(market),
        correlation=Correlation(market),
    )
