"""How long 6,000 rows of 14 metrics take from bytes to readings: by columns, and by a marshmallow load of each row.

Run it with `python -m tests.benchmarks.pages`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from marshmallow import EXCLUDE, Schema, fields, validate

from integration.domain.retry import DAY
from integration.sources.quantmetrics import SOURCE
from integration.tokenmetrics.envelope import rows_of

ROWS, PAGE, ROUNDS = 6_000, 100, 7
SLOT = 20_454 * DAY


def pages() -> list[bytes]:
    """Sixty answers of a hundred rows, a tenth of all values null."""
    random = np.random.default_rng(1)
    values = random.uniform(-0.9, 0, (ROWS, len(SOURCE.metrics)))
    positive = [metric.low == 0 for metric in SOURCE.metrics]
    values[:, positive] *= -1
    values[random.random(values.shape) < 0.1] = np.nan
    rows = [
        {"TOKEN_ID": token, "TOKEN_NAME": f"Token {token}", "TOKEN_SYMBOL": f"T{token}", "DATE": "2025-12-31"}
        | {metric.field: None if np.isnan(value) else value for metric, value in zip(SOURCE.metrics, line, strict=True)}
        for token, line in enumerate(values.tolist())
    ]
    chunks = [rows[at : at + PAGE] for at in range(0, ROWS, PAGE)]
    return [orjson.dumps({"success": True, "message": "", "length": len(chunk), "data": chunk}) for chunk in chunks]


def row_schema() -> Schema:
    """The same rules, a row at a time."""
    numbers = {
        metric.name: fields.Float(allow_none=True, data_key=metric.field, validate=validate.Range(metric.low, metric.high))
        for metric in SOURCE.metrics
    }
    token, day = fields.Integer(required=True, data_key="TOKEN_ID"), fields.Date(required=True, data_key="DATE")
    return Schema.from_dict({"token": token, "day": day, **numbers})(unknown=EXCLUDE)


def best(work: Callable[[], Any]) -> float:
    """The shortest of several runs, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return 1_000 * min(times)


def main() -> None:
    """Print the figures."""
    bodies, schema = pages(), row_schema()
    rows = [row for body in bodies for row in rows_of(body, PAGE)]
    size = sum(map(len, bodies)) / 1e6
    print(f"{ROWS} rows x {len(SOURCE.metrics)} metrics, {len(bodies)} pages, {size:.1f} MB; best of {ROUNDS}, milliseconds")
    print(f"  orjson alone                         {best(lambda: [orjson.loads(body) for body in bodies]):8.1f}")
    print(f"  orjson and envelope                  {best(lambda: [rows_of(body, PAGE) for body in bodies]):8.1f}")
    print(f"  rows to readings, by columns         {best(lambda: SOURCE.rows(SOURCE, rows, SLOT, '')):8.1f}")
    print(f"  rows, one marshmallow load each      {best(lambda: schema.load(rows, many=True)):8.1f}")


if __name__ == "__main__":
    main()
