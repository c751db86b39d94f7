"""A replay of real daily bars from a folder of ``<SYMBOL>.csv`` (date, open, high, low, close, volume_usd)."""

import csv
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from integration.sandbox.market.base import Floats, Market
from integration.sandbox.market.catalogue import placed
from integration.sandbox.market.known import BY_SYMBOL, OWN_IDS
from integration.sandbox.market.token import Token, slug_of

_FIELDS = ("open", "high", "low", "close", "volume_usd")
Bars = dict[date, tuple[float, ...]]


class ReplayMarket(Market):
    """Bars exactly as the files have them; a date that a file lacks is a day without a row for that token."""

    def __init__(self, folder: Path, seed: int) -> None:
        bars = {path.stem: _read(path) for path in sorted(folder.glob("*.csv"))}
        bars = {symbol: rows for symbol, rows in bars.items() if rows}
        if not bars:
            raise ValueError(f"no <SYMBOL>.csv with rows in {folder}: name a folder of daily price files")
        ordered = _by_size(bars)
        first = min(min(rows) for rows in bars.values())
        last = max(max(rows) for rows in bars.values())
        super().__init__(tuple(token for _, token in ordered), first, last, seed)
        self._fill([bars[symbol] for symbol, _ in ordered], (last - first).days + 1)

    def ensure(self, day: int) -> None:
        """Nothing to do: the files hold all there is."""

    def _fill(self, columns: list[Bars], days: int) -> None:
        grid = np.full((len(_FIELDS), days, len(columns)), np.nan)
        for column, rows in enumerate(columns):
            self.listed[column] = self.index(min(rows))
            for at, values in rows.items():
                grid[:, self.index(at), column] = values
        last: Floats = np.full(len(columns), np.nan)
        for day in range(days):
            present = ~np.isnan(grid[3, day])
            last = np.where(present, grid[3, day], last)
            self.open.append(grid[0, day])
            self.high.append(grid[1, day])
            self.low.append(grid[2, day])
            self.close.append(last)
            self.volume.append(grid[4, day])
            self.present.append(present)


def _read(path: Path) -> Bars:
    """Rows of one file by date; a row with a blank or unreadable figure is left out."""
    rows: Bars = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            try:
                values = tuple(float(line[field]) for field in _FIELDS)
            except (KeyError, TypeError, ValueError):
                continue
            rows[date.fromisoformat(line["date"])] = values
    return rows


def _by_size(bars: dict[str, Bars]) -> list[tuple[str, Token]]:
    """(file name, token) pairs, largest market cap at the end of the files first."""
    found = [(name, _token(name, OWN_IDS + place, rows)) for place, (name, rows) in enumerate(sorted(bars.items()))]
    found.sort(key=lambda pair: -pair[1].price * pair[1].supply)
    return [(name, replace(token, **placed(token, place))) for place, (name, token) in enumerate(found)]


def _token(file_name: str, own_id: int, rows: Bars) -> Token:
    """The token a file stands for: HOT1 is Holo's HOT, COMP1 is Compound's COMP, an unknown one is taken by symbol."""
    symbol = file_name.upper()
    trimmed = re.sub(r"\d+$", "", symbol)
    known = BY_SYMBOL.get(symbol) or BY_SYMBOL.get(trimmed)
    price = rows[max(rows)][3]
    if known:
        return replace(known, token_id=known.token_id or own_id, price=price)
    supply = max(1.0, rows[max(rows)][4] * 10 / price)
    return Token(own_id, symbol, symbol, "infrastructure", price, supply, supply, True, slug_of(symbol))
