"""Windowed risk as a source: what it computes from a panel of daily bars, and what it must not look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain import risk
from integration.domain.catalogue import Batch, Panel, Source
from integration.domain.history import Ints
from integration.domain.retry import DAY
from integration.sources import load
from integration.sources.daily_ohlcv import SOURCE as BARS
from tests.laws import examples
from tests.sources.samples import SLOT, as_v3, rows

RISK = {key: source for key, source in load().items() if key.startswith("risk_")}
EVERY = pytest.mark.parametrize("source", RISK.values(), ids=RISK)
BITCOIN = "token:3375"
NAMES = ("token:1", "token:2", BITCOIN)
METRICS = tuple(metric.name for metric in BARS.metrics)


def panel(days: int = 500, names: Sequence[str] = NAMES, seed: int = 1) -> Panel:
    """Random walks, and volumes, over so many days; the first token has gaps."""
    draw = np.random.default_rng(seed)
    closes = 100 * np.exp(draw.normal(0, 0.03, (3, days)).cumsum(axis=1))
    values = np.stack([closes, closes * 1.01, closes * 0.99, closes, draw.lognormal(10, 1, (3, days))], axis=2)
    there = np.ones((3, days), dtype=bool)
    there[0, draw.choice(days, 6, replace=False)] = False
    values[~there] = np.nan
    picked = [NAMES.index(name) for name in names]
    return Panel(tuple(names), (19_000 + np.arange(days)) * DAY, METRICS, values[picked], there[picked])


def compute(source: Source, bars: Panel, subjects: Sequence[str], times: Ints) -> Batch:
    assert source.derivation is not None
    return source.derivation.compute({"daily_ohlcv": bars}, {}, subjects, times)


def by_reading(batch: Batch) -> dict[tuple[str, int], bytes]:
    return {key: batch.values[row].tobytes() for row, key in enumerate(zip(batch.subjects, batch.as_of.tolist(), strict=True))}


@cache
def whole(key: str) -> dict[tuple[str, int], bytes]:
    """Every reading of a source over the whole panel."""
    bars = panel()
    return by_reading(compute(RISK[key], bars, NAMES, bars.times))


def days_of(source: Source) -> int:
    assert source.derivation is not None
    return source.derivation.inputs[0].days


def cut(bars: Panel, first: int, stop: int) -> Panel:
    part = slice(first, stop)
    return replace(bars, times=bars.times[part], values=bars.values[:, part], there=bars.there[:, part])


@EVERY
def test_its_metrics_are_every_figure_over_its_window_and_the_volume_ratio(source: Source) -> None:
    assert tuple(metric.name for metric in source.metrics) == (*risk.METRICS, "volume_ratio")
    assert source.subject == BARS.subject
    bars = panel()
    batch = compute(source, bars, NAMES, bars.times[-3:])
    closes, volumes = bars.of("close"), bars.of("volume")
    window = int(source.key.removeprefix("risk_").removesuffix("d"))
    figures = risk.window_metrics(closes, closes[2], window, [497, 498, 499])
    wanted = {name: figures[name] for name in risk.METRICS} | {"volume_ratio": risk.volume_ratio(volumes, [497, 498, 499])}
    for row, (subject, as_of) in enumerate(zip(batch.subjects, batch.as_of.tolist(), strict=True)):
        place = NAMES.index(subject), as_of // DAY - 19_497
        np.testing.assert_array_equal(batch.values[row], [wanted[metric.name][place] for metric in source.metrics])


@EVERY
@examples(25)
@given(data=st.data())
def test_a_time_has_the_same_reading_whatever_else_is_asked_for(source: Source, data: st.DataObject) -> None:
    bars, known = panel(), whole(source.key)
    picked = sorted(data.draw(st.sets(st.integers(0, 499), min_size=1, max_size=5)))
    names = data.draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    some = by_reading(compute(source, bars, names, bars.times[picked]))
    assert some == {key: known[key] for key in known if key[0] in names and key[1] in bars.times[picked]}


@EVERY
@examples(25)
@given(data=st.data())
def test_neither_what_lies_before_its_days_nor_what_comes_later_matters(source: Source, data: st.DataObject) -> None:
    bars, reach = panel(), days_of(source)
    at = data.draw(st.integers(reach, 499))
    time = bars.times[at : at + 1]
    shorter = cut(bars, at - reach, data.draw(st.integers(at + 1, 500)))
    assert by_reading(compute(source, shorter, NAMES, time)) == {
        key: values for key, values in whole(source.key).items() if key[1] == time[0]
    }


@EVERY
def test_it_looks_back_as_far_as_it_says(source: Source) -> None:
    bars, reach = panel(), days_of(source)
    enough, shorter = (compute(source, cut(bars, 500 - n, 500), NAMES[1:], bars.times[-1:]) for n in (reach + 1, reach))
    assert np.isfinite(enough.values).all()
    assert not np.isfinite(shorter.values).all()


@EVERY
def test_there_is_a_reading_where_its_clock_has_one_and_nowhere_else(source: Source) -> None:
    bars = panel()
    batch = compute(source, bars, NAMES, bars.times[-200:])
    rows, columns = np.nonzero(bars.there[:, -200:])
    assert not bars.there[:, -200:].all()
    assert set(by_reading(batch)) == {(NAMES[r], int(bars.times[300 + c])) for r, c in zip(rows, columns, strict=True)}
    assert len(batch.subjects) == len(batch.texts) == len(rows)
    assert set(batch.texts) == {None}


@EVERY
def test_without_bitcoin_what_is_relative_to_it_is_missing(source: Source) -> None:
    bars = panel(names=NAMES[:2])
    batch = compute(source, bars, NAMES[1:2], bars.times[-1:])
    missing = {metric.name for metric, value in zip(source.metrics, batch.values[0], strict=True) if np.isnan(value)}
    assert missing == {"beta", "correlation", "return_over_btc", "sharpe_over_btc"}


@EVERY
def test_bitcoin_is_always_among_its_inputs(source: Source) -> None:
    assert source.derivation is not None
    (bars,) = source.derivation.inputs
    assert (bars.source, bars.always) == ("daily_ohlcv", (BITCOIN,))


@EVERY
def test_bars_with_days_between_them_lie_on_their_calendar_days(source: Source) -> None:
    """A day on which nobody had a bar is missing, not skipped."""
    bars = panel()
    kept = np.delete(np.arange(500), [450, 460])
    gappy = replace(bars, times=bars.times[kept], values=bars.values[:, kept], there=bars.there[:, kept])
    holes = bars.values.copy()
    holes[:, [450, 460]] = np.nan
    found = by_reading(compute(source, gappy, NAMES, bars.times[-1:]))
    assert found == by_reading(compute(source, replace(bars, values=holes), NAMES, bars.times[-1:]))


@EVERY
def test_no_times_no_readings(source: Source) -> None:
    bars = cut(panel(), 0, 0)
    batch = compute(source, bars, NAMES, bars.times)
    assert (len(batch.subjects), batch.values.shape) == (0, (0, len(source.metrics)))


# -- the bars ------------------------------------------------------------------------------------------------------------


def test_published_bars_are_read_in_both_spellings() -> None:
    published = rows("daily-ohlcv")
    two, three = (BARS.rows(BARS, each, SLOT, "") for each in (published, as_v3(published)))
    assert two.subjects == three.subjects == [BITCOIN] * 10
    np.testing.assert_array_equal(two.values, three.values)
    assert two.values[0].tolist() == [103821, 106063, 101225, 103966, 108720681775.491]
    assert two.as_of.tolist() == [SLOT - DAY * (343 + day) for day in range(10)]


def test_a_bar_is_dated_by_its_day_whatever_time_is_printed() -> None:
    bars = [{"TOKEN_ID": 1, "DATE": date, "CLOSE": close} for date, close in
            [("2025-12-30T23:59:59.000Z", 5), ("2025-12-31", 6), ("2025-12-31T00:10:00Z", 7)]]  # fmt: skip
    batch = BARS.rows(BARS, bars, SLOT, "")
    assert batch.as_of.tolist() == [SLOT - 2 * DAY, SLOT - DAY]
    assert batch.values[:, BARS.column("close")].tolist() == [5, 7]
