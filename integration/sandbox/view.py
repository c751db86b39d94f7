"""What an endpoint sees: the market and its measures at one moment, within what the plan shows."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from integration.sandbox.clock import DAY_MS, date_ms
from integration.sandbox.market.base import Bools, Ints, Market
from integration.sandbox.measures.correlation import Correlation
from integration.sandbox.measures.grades import Grades
from integration.sandbox.measures.indices import Indices
from integration.sandbox.measures.intraday import Intraday
from integration.sandbox.measures.investor import Investor
from integration.sandbox.measures.quant import Quant
from integration.sandbox.measures.signals import Signals
from integration.sandbox.plans import Plan
from integration.sandbox.query import BadRequestError, Query
from integration.sandbox.settings import SandboxSettings

Row = dict[str, Any]
Rows = list[Row]
_MONTH_DAYS = 30.4375
_MIX = 61


@dataclass(frozen=True)
class Measures:
    """Everything computed from one market."""

    market: Market
    grades: Grades
    signals: Signals
    investor: Investor
    quant: Quant
    indices: Indices
    intraday: Intraday
    correlation: Correlation


@dataclass(frozen=True)
class View:
    """Measures at market time ``now`` (UTC epoch ms); ``today`` is the day index of the market date."""

    measures: Measures
    settings: SandboxSettings
    plan: Plan
    now: int

    @property
    def market(self) -> Market:
        """The market."""
        return self.measures.market

    @property
    def today(self) -> int:
        """Day index of the market date."""
        return (self.now - date_ms(self.market.first)) // DAY_MS

    @property
    def newest(self) -> int:
        """Newest day index the plan shows of grades, signals and indices."""
        return self.today - self.plan.withheld_days

    def date(self, day: int) -> str:
        """Date of a day index as YYYY-MM-DD."""
        return self.market.date(day).isoformat()

    def stamp(self, day: int) -> str:
        """Date of a day index as YYYY-MM-DDT00:00:00.000Z."""
        return f"{self.date(day)}T00:00:00.000Z"

    def window(self, query: Query, *, by_plan: bool = True, spans: bool = True) -> tuple[int, int]:
        """First and last day index asked for (both inclusive), cut to what exists and, if so told, to the plan.

        A span of both dates above ``max_span_days`` is a BadRequest where ``spans`` holds.
        """
        start, end = query.day("startDate", "start_date"), query.day("endDate", "end_date")
        most = self.settings.max_span_days
        if start and end and (end < start or (spans and most is not None and end - start > timedelta(days=most))):
            raise BadRequestError(f"startDate to endDate must span 0 to {most} days")
        low, high = 0, self.newest if by_plan else self.today
        if by_plan and self.plan.look_back_months is not None:
            low = max(0, self.today - round(self.plan.look_back_months * _MONTH_DAYS))
        if start:
            low = max(low, self.market.index(start))
        if end:
            high = min(high, self.market.index(end))
        return low, high

    def mixed(self, query: Query, window: tuple[int, int], rows_of: Callable[[int], Bools]) -> list[tuple[int, int]]:
        """The page's (day, column) pairs, newest day first, columns in a mixed order that is fixed for the day.

        ``rows_of(day)`` says which columns have a row; only the days of the page are expanded.
        """
        limit, skip = query.limit, (query.page - 1) * query.limit
        found: list[tuple[int, int]] = []
        for day in range(window[1], window[0] - 1, -1):
            mask = rows_of(day)
            count = int(mask.sum())
            if skip >= count:
                skip -= count
                continue
            order = self._order(day, mask)[skip : skip + limit - len(found)]
            found += [(day, int(column)) for column in order]
            skip = 0
            if len(found) == limit:
                break
        return found

    def _order(self, day: int, mask: Bools) -> Ints:
        shuffled = self.market.draw(_MIX, day).permutation(len(mask))
        chosen: Ints = shuffled[mask[shuffled]]
        return chosen


def number(value: float, digits: int | None = None) -> int | float | None:
    """A JSON number: None for NaN and infinity, int for whole values, rounded if ``digits`` is given."""
    value = float(value)
    if not np.isfinite(value):
        return None
    if digits is not None:
        value = round(value, digits)
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
