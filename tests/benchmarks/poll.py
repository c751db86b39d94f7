"""How long a poll with evaluation takes: 200 tokens with 390 days of history, 20 rules. `python -m tests.benchmarks.poll`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from integration.domain.retry import DAY
from integration.store import migrate
from integration.store.database import Database
from integration.store.queries import readings
from tests.market import Town, quiet, town

TOKENS, DAYS = 200, 390


def remember(here: Town, source: str, metric: str, low: float, high: float) -> None:
    """Days of made-up history for every token of a source, before the market's present day."""
    of = here.catalogue.sources[source]
    today = here.gradewire.clock.slot(here.wall(), DAY)
    with here.gradewire.database.read() as connection:
        names = sorted(readings.known_subjects(connection, source))
    draw = np.random.default_rng(7)
    rows = []
    for name in names:
        walk = np.clip(np.cumsum(draw.normal(0, (high - low) / 25, DAYS)) + (low + high) / 2, low, high)
        for back in range(1, DAYS):
            values = np.full(len(of.metrics), np.nan)
            values[of.column(metric)] = walk[back]
            day = today - (back + 3) * DAY
            rows.append(readings.Row(source, name, day, 0, day, "live", None, values.tobytes(), None))
    with here.gradewire.database.write() as connection:
        readings.add(connection, rows)


def rules(here: Town) -> None:
    """Ten levels of the Sharpe ratio and ten grade changes, each with a feed over all tokens."""
    for number in range(10):
        here.feed("sharpe_threshold", level=0.5 + number / 4)
        here.feed("grade_changed", cooldown_hours=number)


def main(tokens: int) -> None:
    """Print what each step took."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/gradewire.db")
        migrate.upgrade(database)
        with town(database, Path(folder), sandbox=quiet(tokens=tokens)) as here:
            here.feed("sharpe_threshold")
            here.feed("grade_changed")
            here.poll_all()
            remember(here, "quantmetrics", "sharpe", -1, 4)
            remember(here, "trader_grades", "tm_trader_grade", 0, 100)
            began = time.process_time()
            rules(here)
            print(f"filling 20 feeds: {time.process_time() - began:.2f} s")
            for _ in range(3):
                here.pass_days()
                for source in ("quantmetrics", "trader_grades"):
                    began = time.process_time()
                    ended = here.poll_one(source)
                    took = time.process_time() - began
                    print(f"{source}: {ended.rows} rows, {ended.events} events, {took:.2f} s")
        database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TOKENS)
