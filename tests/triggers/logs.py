"""Building logs and histories for the trigger suite."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from integration.domain.catalogue import MARKET, Source, Trigger, split_source
from integration.domain.history import Firing, History, Joined, Log, epochs
from integration.sources import load as load_sources

DAY = 86_400_000
SOURCES = load_sources()


def loaded(trigger: Trigger, options: Mapping[str, Any]) -> dict[str, Any]:
    return cast("dict[str, Any]", trigger.options().load(dict(options)))


def source_of(trigger: Trigger, options: Mapping[str, Any]) -> Source:
    """The clock of a rule, given loaded options."""
    return SOURCES[split_source(trigger.sources(options)[0])[0]]


def others_of(trigger: Trigger, options: Mapping[str, Any]) -> dict[str, Source]:
    """What stands beside the clock, by the name that the trigger uses."""
    return {name: SOURCES[split_source(name)[0]] for name in trigger.sources(options)[1:]}


def _names(source: Source) -> tuple[str, ...]:
    return tuple(metric.name for metric in source.metrics)


def _whole(trigger: Trigger, value: Any) -> Mapping[str, Any]:
    """A value with its names: a bare number is the METRIC of the trigger's file, a string the reading's text."""
    if isinstance(value, Mapping):
        return value
    return {"text": value} if isinstance(value, str) else {sys.modules[trigger.scan.__module__].METRIC: value}


def _numbers(metrics: Sequence[str], value: Mapping[str, Any], prefix: str = "") -> list[float]:
    return [float("nan") if value.get(prefix + name) is None else float(value[prefix + name]) for name in metrics]


def log_of(
    source: Source,
    trigger: Trigger,
    entries: Sequence[tuple[int, int, Any]],
    cadence: int | None = None,
    others: Mapping[str, Source] | None = None,
) -> Log:
    """A log from (as_of, known_at, value), in milliseconds, sorted as the store gives it; all arrays are read-only."""
    ordered = sorted(entries, key=lambda entry: (entry[1], entry[0]))
    rows = [_whole(trigger, value) for _, _, value in ordered]
    times = [as_of for as_of, _, _ in ordered]
    known = {*_names(source), "text"} | {
        f"{o}.{m}" for o, each in (others or {}).items() for m in (*_names(each), "text", "as_of")
    }
    for row in rows:
        assert set(row) <= known, f"there is no {set(row) - known}"
    joined = {name: _joined(name, each, times, rows) for name, each in (others or {}).items()}
    arrays = (
        np.asarray(times, dtype=np.int64),
        np.asarray([known_at for _, known_at, _ in ordered], dtype=np.int64),
        np.asarray([_numbers(_names(source), row) for row in rows], dtype=np.float64).reshape(len(rows), len(source.metrics)),
    )
    for array in (*arrays, *(a for j in joined.values() for a in (j.as_of, j.values))):
        array.setflags(write=False)
    texts = tuple(row.get("text") for row in rows)
    subject = MARKET if source.subject == "market" else f"{source.subject}:1"
    return Log(subject, _names(source), cadence or source.cadence, *arrays, texts, joined)


def _joined(name: str, source: Source, times: Sequence[int], rows: Sequence[Mapping[str, Any]]) -> Joined:
    """What a case says stands beside the clock; of the clock's own as_of unless it says otherwise."""
    said = [any(key.startswith(f"{name}.") for key in row) for row in rows]
    as_of = [
        -1 if not there else round(row[f"{name}.as_of"] * DAY) if f"{name}.as_of" in row else time
        for time, row, there in zip(times, rows, said, strict=True)
    ]
    values = [_numbers(_names(source), row, f"{name}.") for row in rows]
    return Joined(
        _names(source),
        np.asarray(as_of, dtype=np.int64),
        np.asarray(values, dtype=np.float64).reshape(len(rows), len(source.metrics)),
        tuple(row.get(f"{name}.text") for row in rows),
    )


def history_of(
    source: Source,
    trigger: Trigger,
    readings: Sequence[tuple[int, Any]],
    cadence: int | None = None,
    others: Mapping[str, Source] | None = None,
) -> History:
    """A history from (as_of in milliseconds, value)."""
    return log_of(source, trigger, [(as_of, as_of, value) for as_of, value in readings], cadence, others).history(slice(None))


def case_log(trigger: Trigger, options: Mapping[str, Any], readings: Sequence[tuple[float, Any]], later: float = 0) -> Log:
    """A log from a case's (day, value), all of it so many days later; a value may name the day that it was known at."""
    entries = []
    for day, value in readings:
        known_at, said = day, value
        if isinstance(value, Mapping) and "known_at" in value:
            known_at, said = value["known_at"], {name: each for name, each in value.items() if name != "known_at"}
        entries.append((round((day + later) * DAY), round((known_at + later) * DAY), said))
    return log_of(source_of(trigger, options), trigger, entries, others=others_of(trigger, options))


def case_history(trigger: Trigger, options: Mapping[str, Any], readings: Sequence[tuple[float, Any]]) -> History:
    """What is settled of a case's (day, value) in the end."""
    log = case_log(trigger, options, readings)
    stretches = list(epochs(log))
    history = stretches[-1].history if stretches else log.history(slice(None))
    for array in (history.as_of, history.values, *(a for j in history.joined.values() for a in (j.as_of, j.values))):
        array.setflags(write=False)
    return history


def cut(history: History, start: int = 0, stop: int | None = None) -> History:
    return history.take(slice(start, stop))


def cut_log(log: Log, stop: int) -> Log:
    part = slice(stop)
    joined = {name: other.take(part) for name, other in log.joined.items()}
    return replace(
        log, as_of=log.as_of[part], known_at=log.known_at[part], values=log.values[part], texts=log.texts[part], joined=joined
    )  # fmt: skip


def joined_logs(logs: Sequence[Log]) -> Log:
    """Logs of one subject, one after the other."""
    first = logs[0]
    joined = {
        name: Joined(
            first.joined[name].metrics,
            np.concatenate([log.joined[name].as_of for log in logs]),
            np.concatenate([log.joined[name].values for log in logs]),
            tuple(text for log in logs for text in log.joined[name].texts),
        )
        for name in first.joined
    }
    as_of, known_at, values = (np.concatenate([getattr(log, name) for log in logs]) for name in ("as_of", "known_at", "values"))
    texts = tuple(text for log in logs for text in log.texts)
    return replace(first, as_of=as_of, known_at=known_at, values=values, texts=texts, joined=joined)


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
