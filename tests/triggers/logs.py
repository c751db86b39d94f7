"""Building logs and histories for the trigger suite."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from integration.domain.catalogue import Source, Trigger
from integration.domain.history import Firing, History, Log
from integration.sources import load as load_sources

DAY = 86_400_000
SOURCES = load_sources()


def loaded(trigger: Trigger, options: Mapping[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", trigger.options().load(dict(options)))


def source_of(trigger: Trigger, options: Mapping[str, Any]) -> Source:
    """The clock of a rule, given loaded options."""
    return SOURCES[trigger.sources(options)[0]]


def _row(source: Source, trigger: Trigger, value: Any) -> tuple[list[float], str | None]:
    """Values by metric name; a bare number is the METRIC of the trigger's file; a string is the reading's text."""
    if isinstance(value, str):
        return [float("nan")] * len(source.metrics), value
    if not isinstance(value, Mapping):
        value = {sys.modules[trigger.scan.__module__].METRIC: value}
    unknown = set(value) - {metric.name for metric in source.metrics}
    assert not unknown, f"{source.key} has no {unknown}"
    return [float("nan") if value.get(m.name) is None else float(value[m.name]) for m in source.metrics], None


def log_of(source: Source, trigger: Trigger, entries: Sequence[tuple[int, int, Any]], cadence: int | None = None) -> Log:
    """A log from (as_of, known_at, value), in milliseconds, sorted as the store gives it; all arrays are read-only."""
    ordered = sorted(entries, key=lambda entry: (entry[1], entry[0]))
    rows = [_row(source, trigger, value) for _, _, value in ordered]
    arrays = (
        np.asarray([as_of for as_of, _, _ in ordered], dtype=np.int64),
        np.asarray([known_at for _, known_at, _ in ordered], dtype=np.int64),
        np.asarray([values for values, _ in rows], dtype=np.float64).reshape(len(rows), len(source.metrics)),
    )
    for array in arrays:
        array.setflags(write=False)
    names = tuple(metric.name for metric in source.metrics)
    return Log(f"{source.subject}:1", names, cadence or source.cadence, *arrays, tuple(text for _, text in rows))


def history_of(source: Source, trigger: Trigger, readings: Sequence[tuple[int, Any]], cadence: int | None = None) -> History:
    """A history from (as_of in milliseconds, value)."""
    log = log_of(source, trigger, [(as_of, as_of, value) for as_of, value in readings], cadence)
    return History(log.subject, log.metrics, log.cadence, log.as_of, log.values, log.texts)


def case_history(trigger: Trigger, options: Mapping[str, Any], readings: Sequence[tuple[float, Any]]) -> History:
    """A history from a case's (day, value)."""
    return history_of(source_of(trigger, options), trigger, [(round(day * DAY), value) for day, value in readings])


def cut(history: History, start: int = 0, stop: int | None = None) -> History:
    part = slice(start, stop)
    return replace(history, as_of=history.as_of[part], values=history.values[part], texts=history.texts[part])


def cut_log(log: Log, stop: int) -> Log:
    part = slice(stop)
    return replace(
        log, as_of=log.as_of[part], known_at=log.known_at[part], values=log.values[part], texts=log.texts[part]
    )  # fmt: skip


def plain(firings: Sequence[Firing]) -> list[tuple[int, dict[str, Any]]]:
    """Firings as data that compares and prints well."""
    return [(firing.as_of, dict(firing.fields)) for firing in firings]


def assert_nothing_older_than_the_lookback_matters(trigger: Trigger, history: History, options: Mapping[str, Any]) -> None:
    """Cut the head off at each reading: what looks back less far than the cut must fire the same, payload included."""
    reach = trigger.lookback(options).total(history.max_gap)
    whole = plain(trigger.scan(history, options))
    for start in range(1, len(history.as_of)):
        untouched = history.as_of[start - 1] + reach
        if untouched >= history.as_of[-1]:
            break
        shorter = plain(trigger.scan(cut(history, start), options))
        assert [f for f in shorter if f[0] > untouched] == [f for f in whole if f[0] > untouched]
