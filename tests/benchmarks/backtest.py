"""How long a backtest takes over a year that is stored: `python -m tests.benchmarks.backtest --json`.

Daily and hourly readings of one token, daily ones of a thousand, with a year of daily closes beside them, in a fresh SQLite
database; `sharpe_threshold` with its defaults. Each measure opens the database anew: loading is part of it, nothing is
kept from one to the next. Printed is the shortest of several.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from cryptography.fernet import Fernet

from integration.config import load
from integration.domain.retry import DAY, HOUR
from integration.service.backtest import Question, backtest
from integration.service.wiring import Gradewire
from integration.store import migrate
from integration.store.database import Database
from integration.store.queries import readings
from integration.store.secrets import Vault

NOW = 1_790_000_000_000 // DAY * DAY
DAYS = 365
RISK, CLOSES = "risk_90d", "daily_ohlcv"
#: The Sharpe ratio wanders around the level, and crosses it about once a month.
STEP, SPREAD = 0.08, 1.0


def remember(here: Gradewire, tokens: int, cadence: int) -> None:
    """A year of readings of each token, known an hour after they were true, and of its closes."""
    draw = np.random.default_rng(7)
    risk, closes = here.catalogue.sources[RISK], here.catalogue.sources[CLOSES]
    for token in range(1, tokens + 1):
        rows = [*_rows(RISK, token, _figures(draw, DAYS * DAY // cadence, len(risk.metrics), cadence), cadence)]
        walk = 100 * np.exp(np.cumsum(draw.normal(0, 0.03, DAYS)))
        rows += _rows(CLOSES, token, np.repeat(walk[:, None], len(closes.metrics), axis=1), DAY)
        with here.database.write() as connection:
            readings.add(connection, rows)


def _figures(draw: np.random.Generator, count: int, metrics: int, cadence: int) -> np.ndarray:
    steps = 1 + np.cumsum(draw.normal(0, STEP * np.sqrt(cadence / DAY), count))
    folded = np.abs((steps + SPREAD) % (4 * SPREAD) - 2 * SPREAD)
    return np.column_stack((folded, np.full((count, metrics - 1), 0.5)))


def _rows(source: str, token: int, values: np.ndarray, cadence: int) -> list[readings.Row]:
    start = NOW - len(values) * cadence
    times = (start + at * cadence for at in range(len(values)))
    return [
        readings.Row(source, f"token:{token}", as_of, 0, as_of + HOUR, "live", None, row.tobytes(), None)
        for as_of, row in zip(times, values, strict=True)
    ]


def opened(file: Path) -> Gradewire:
    """A Gradewire with a database connection of its own."""
    return Gradewire(load({}), Database(f"sqlite:///{file}"), Vault([Fernet.generate_key().decode()]), now=lambda: NOW)


def measured(file: Path, rounds: int, *, progress: bool) -> float:
    """The shortest of so many backtests in seconds, each with a database opened anew."""
    times = []
    for _ in range(rounds):
        here = opened(file)
        _ = here.catalogue  # code is read once in the life of a process
        begun = time.perf_counter()
        told, _ = backtest(here, Question("sharpe_threshold"), _told if progress else _quiet)
        times.append(time.perf_counter() - begun)
        here.close()
        assert told["count"] > 0
    return min(times)


def _quiet(_done: int, _of: int) -> None:
    pass


def _told(done: int, of: int) -> None:
    print(f"\r{done:,} of {of:,} tokens", end="\n" if done == of else "", file=sys.stderr, flush=True)


def main(as_json: bool, rounds: int, tokens: int) -> None:
    """Print what each measure took."""
    shapes: dict[str, tuple[int, int, Callable[[float], float]]] = {
        "one_token_ms": (1, DAY, lambda seconds: round(1_000 * seconds, 1)),
        "one_token_hourly_ms": (1, HOUR, lambda seconds: round(1_000 * seconds, 1)),
        "thousand_tokens_s": (tokens, DAY, lambda seconds: round(seconds, 2)),
    }
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (count, cadence, shown) in shapes.items():
            file = Path(folder) / f"{name}.db"
            here = opened(file)
            migrate.upgrade(here.database)
            remember(here, count, cadence)
            here.close()
            found[name] = shown(measured(file, rounds, progress=count > 1))
            print(f"{name:22}{found[name]:10}")
    if as_json:
        print(json.dumps(found))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=1_000)
    given = parser.parse_args()
    main(given.json, given.rounds, given.tokens)
