"""What both backends give: tokens, and daily bars as tables of shape (days, tokens)."""

from abc import ABC, abstractmethod
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from integration.sandbox.market.table import Table
from integration.sandbox.market.token import Token

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int_]


class Market(ABC):
    """Daily bars in USD by day index; index 0 is the date ``first``.

    ``close`` holds the last known close on days without a row and NaN before the listing; ``present`` says which
    (day, token) have a row. A close of day index d never changes once it is there.
    """

    def __init__(self, tokens: tuple[Token, ...], first: date, last: date | None, seed: int) -> None:
        self.tokens = tokens
        self.first, self.last, self.seed = first, last, seed
        n = len(tokens)
        self.open, self.high, self.low = Table(n), Table(n), Table(n)
        self.close, self.volume = Table(n), Table(n)
        self.present = Table(n, np.bool_)
        self.listed: Ints = np.zeros(n, dtype=np.int_)

    @abstractmethod
    def ensure(self, day: int) -> None:
        """Have every day up to and including index ``day``, where the backend has them."""

    def index(self, day: date) -> int:
        """Day index of a date; may lie outside the market."""
        return (day - self.first).days

    def date(self, index: int) -> date:
        """Date of a day index."""
        return self.first + timedelta(days=index)

    def newest(self, day: int) -> int:
        """The day itself, or the last one the backend has."""
        return min(day, len(self.close) - 1)

    @cached_property
    def ids(self) -> Ints:
        """TOKEN_ID by column."""
        return np.array([token.token_id for token in self.tokens], dtype=np.int_)

    @cached_property
    def supply(self) -> Floats:
        """Circulating supply by column, in coins."""
        return np.array([token.supply for token in self.tokens])

    @cached_property
    def max_supply(self) -> Floats:
        """Greatest supply by column, in coins."""
        return np.array([token.max_supply for token in self.tokens])

    @cached_property
    def stable(self) -> Bools:
        """Which columns are stablecoins."""
        return np.array([token.sector == "stablecoin" for token in self.tokens])

    @cached_property
    def well_known(self) -> Bools:
        """Which columns never have null metrics."""
        return np.array([token.well_known for token in self.tokens])

    def market_cap(self, day: int) -> Floats:
        """Market capitalisation in USD by column; NaN before the listing."""
        cap: Floats = self.close[day] * self.supply
        return cap

    def listed_by(self, day: int, age: int = 0) -> Bools:
        """Which columns were listed at least ``age`` days before a day index."""
        old: Bools = self.listed + age <= day
        return old

    def draw(self, label: int, *more: int) -> np.random.Generator:
        """A random stream that depends on the seed and the numbers given only, never on what was drawn before."""
        return np.random.default_rng([self.seed, label, *more])


def absent(n: int) -> Any:
    """A row of NaN."""
    return np.full(n, np.nan)
