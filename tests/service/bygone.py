"""Readings put straight into a database, and backtests of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from integration.domain.retry import DAY, HOUR
from integration.service.backtest import Question, backtest
from integration.store.queries import readings
from tests.market import Here, asked
from tests.service.script import METRICS, START

Value = float | None


def keep(
    here: Here,
    source: str,
    subject: str,
    values: Mapping[float, Value] | Sequence[Value],
    metric: str = "",
    *,
    late: int = HOUR,
    origin: str = "live",
    version: int = 0,
) -> None:
    """Readings by day, of one metric (the one that scripts speak of unless named); known so many ms after they were true."""
    of = here.catalogue.sources[source]
    days = values if isinstance(values, Mapping) else dict(enumerate(values))
    rows = []
    for day, value in days.items():
        numbers = np.full(len(of.metrics), np.nan)
        numbers[of.column(metric or METRICS[source])] = np.nan if value is None else value
        as_of = START + round(day * DAY)
        rows.append(readings.Row(source, subject, as_of, version, as_of + late, origin, None, numbers.tobytes(), None))
    with here.gradewire.database.write() as connection:
        readings.add(connection, rows)


def tried(here: Here, trigger: str, scope: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """What a backtest says; `since`, `until`, `flap_days` and `limit` are the question's own."""
    own = {name: options.pop(name) for name in ("since", "until", "flap_days", "limit") if name in options}
    told, _ = backtest(here.gradewire, Question(trigger, asked(trigger, options), scope or {}, **own))
    return told


def ids(told: Mapping[str, Any]) -> list[str]:
    return [event["id"] for event in told["events"]]
