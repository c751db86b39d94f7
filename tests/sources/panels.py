"""Panels for sources that are derived from the whole market, and what every one of these promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from integration.domain.catalogue import Batch, Panel, Source, SubjectRow
from integration.domain.retry import DAY
from integration.sources import load

SOURCES = load()
DAY_0 = 19_000

Figures = Mapping[int, Sequence[Any]]


def panel(source: str, metric: str, figures: Figures, days: Sequence[float] = ()) -> Panel:
    """A panel of one metric: by token, a figure a day. None is a null, "-" is no reading; a time has at least one reading."""
    metrics = tuple(each.name for each in SOURCES[source].metrics)
    length = max((len(row) for row in figures.values()), default=0)
    values = np.full((len(figures), length, len(metrics)), np.nan)
    there = np.zeros((len(figures), length), dtype=bool)
    subjects = sorted(f"token:{token}" for token in figures)
    for row, subject in enumerate(subjects):
        for column, figure in enumerate(figures[int(subject.partition(":")[2])]):
            there[row, column] = figure != "-"
            values[row, column, metrics.index(metric)] = figure if isinstance(figure, int | float) else np.nan
    times = (np.asarray(days or range(length), dtype=np.float64) * DAY).astype(np.int64) + DAY_0 * DAY
    said = there.any(axis=0)
    return Panel(tuple(subjects), times[said], metrics, values[:, said], there[:, said])


def token(number: int, rank: int | None = None, categories: Sequence[str] = (), name: str = "", symbol: str = "") -> SubjectRow:
    words = name or f"Token {number}", symbol or f"T{number}"
    return SubjectRow(f"token:{number}", "token", *words, categories=tuple(categories), market_rank=rank)


def names(*rows: SubjectRow) -> dict[str, SubjectRow]:
    return {row.subject: row for row in rows}


def compute(source: Source, panels: Mapping[str, Panel], known: Mapping[str, SubjectRow], times: Any = None) -> Batch:
    assert source.derivation is not None
    clock = panels[source.derivation.inputs[0].source]
    return source.derivation.compute(panels, known, clock.subjects, clock.times if times is None else times)


def said(batch: Batch) -> dict[int, Any]:
    """What the texts say, by day."""
    return {int(as_of) // DAY - DAY_0: orjson.loads(text or "") for as_of, text in zip(batch.as_of, batch.texts, strict=True)}


def cut(whole: Panel, first: int, last: int) -> Panel:
    """The part of a panel between two times (ms), both included."""
    part = (whole.times >= first) & (whole.times <= last)
    return replace(whole, times=whole.times[part], values=whole.values[:, part], there=whole.there[:, part])


def assert_a_time_is_said_by_its_own_past(source: Source, panels: Mapping[str, Panel], known: Mapping[str, SubjectRow]) -> None:
    """Asked for alone, with nothing stored but what its inputs say they look back to, each time has the same reading."""
    assert source.derivation is not None
    every = compute(source, panels, known)
    clock = panels[source.derivation.inputs[0].source]
    expected = {int(as_of): (every.values[row].tolist(), every.texts[row]) for row, as_of in enumerate(every.as_of)}
    for time in clock.times.tolist():
        near = {each.source: cut(panels[each.source], time - each.days * DAY, time) for each in source.derivation.inputs}
        alone = compute(source, near, known, np.array([time]))
        found = [(alone.values[row].tolist(), alone.texts[row]) for row in range(len(alone.as_of))]
        assert found == ([expected[time]] if time in expected else [])
