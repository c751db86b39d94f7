"""How long one evaluation takes: `python -m tests.benchmarks.scan` prints figures for 400 daily readings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from timeit import repeat
from typing import Any

import numpy as np

from integration.domain.catalogue import Trigger
from integration.domain.history import History, Log, replay
from integration.triggers import load
from tests.triggers.logs import DAY, history_of, loaded, log_of, source_of

READINGS = 400
RANDOM = np.random.default_rng(7)
TRIGGERS = load()


def walk(low: float, high: float, step: float) -> list[float]:
    """A random walk that turns back at its bounds."""
    steps = np.cumsum(RANDOM.normal(0, step, READINGS))
    span = high - low
    folded: list[float] = (high - np.abs((steps + span / 2) % (2 * span) - span)).tolist()
    return folded


def snapshots(tokens: int) -> list[str]:
    weights = np.exp(np.cumsum(RANDOM.normal(0, 0.05, (READINGS, tokens)), axis=0))
    weights /= weights.sum(axis=1, keepdims=True)
    return [
        json.dumps(
            {
                "holdings": [
                    {"token_id": token, "name": f"Coin {token}", "symbol": f"C{token}", "weight": weight, "market_cap": 1e9}
                    for token, weight in enumerate(row)
                ]
            }
        )
        for row in weights.tolist()
    ]


def readings(trigger: Trigger, options: Mapping[str, Any]) -> dict[str, list[Any]]:
    if trigger.subject == "index":
        return {f"{tokens} holdings": snapshots(tokens) for tokens in (20, 100)}
    names = [metric.name for metric in source_of(trigger, options).metrics]
    low, high, step = (0.0, 100.0, 6.0) if "grade" in trigger.key else (-1.0, 3.0, 0.2)
    shapes = {"a walk": walk(low, high, step), "flapping": [low, high] * (READINGS // 2)}
    return {shape: [dict.fromkeys(names, value) for value in values] for shape, values in shapes.items()}


def measured(trigger: Trigger, asked: Mapping[str, Any]) -> None:
    options = loaded(trigger, asked)
    source = source_of(trigger, options)
    for shape, values in readings(trigger, options).items():
        history = history_of(source, trigger, [(day * DAY, value) for day, value in enumerate(values)])
        firings = len(trigger.scan(history, options))
        best = min(repeat(lambda h=history: trigger.scan(h, options), number=5, repeat=7)) / 5  # type: ignore[misc]
        print(f"{trigger.key:18}{shape:15}{asked!s:28}{best * 1000:8.2f} ms{firings:6} firings")


def replayed(trigger: Trigger) -> None:
    """Every fifth newest reading is restated: one epoch each."""
    options = loaded(trigger, {})
    values = next(iter(readings(trigger, options).values()))
    entries = [(day * DAY, day * DAY + again, value) for day, value in enumerate(values) for again in range(1 + (day % 5 == 0))]
    log: Log = log_of(source_of(trigger, options), trigger, entries)

    def scan(history: History) -> Any:
        return trigger.scan(history, options)

    best = min(repeat(lambda: replay(log, scan), number=1, repeat=3))
    print(f"{trigger.key:18}replay of {len(entries)} versions, {READINGS // 5} restated: {best * 1000:8.2f} ms")


if __name__ == "__main__":
    for each in TRIGGERS.values():
        for question in ({}, {"min_observations": 3}, {"cooldown_hours": 720}):
            measured(each, question)
        replayed(each)
