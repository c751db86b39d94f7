"""Windowed risk against a plain computation, one window of one coin at a time, over all real coins."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain import risk
from integration.domain.history import Floats
from tests.laws import examples
from tests.market import prices

NAN = float("nan")
WINDOWS = (30, 90, 365)
#: One column of a result for each of so many days, spread over three years.
STEP = 3
EXACT = 1e-9

Series = Sequence[float | None]


# -- the same figures once more, plainly -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coin:
    """Closes by day and the returns between them, None where there is none."""

    closes: Series

    @cached_property
    def daily(self) -> Series:
        return [change(self.closes, day - 1, day) for day in range(len(self.closes))]


def plain(coin: Coin, bitcoin: Coin, window: int, day: int) -> dict[str, float | None]:
    """Every figure over the `window` days that end on a day; None where there is none. Nothing here is shared with the code."""
    days, closes, market = slice(max(0, day - window + 1), day + 1), coin.closes, bitcoin.closes
    mine, btc = [r for r in coin.daily[days] if r is not None], [r for r in bitcoin.daily[days] if r is not None]
    if 10 * len(mine) < 9 * window:
        return dict.fromkeys(risk.METRICS)
    both = zip(coin.daily[days], bitcoin.daily[days], strict=True)
    pairs = [(x, y) for x, y in both if x is not None and y is not None]
    deviation, sharpe, market_sharpe = spread(mine), ratio(mine), ratio(btc) if 10 * len(btc) >= 9 * window else None
    gain, market_gain = change(closes, day - window, day), change(market, day - window, day)
    together = beta_and_correlation(pairs) if 10 * len(pairs) >= 9 * window else (None, None)
    last, lowest = drawdowns(closes[max(0, day - window) : day + 1])
    return {
        "sharpe": sharpe,
        "sortino": sortino(mine),
        "volatility": None if deviation is None else deviation * math.sqrt(365),
        "value_at_risk_95": percentile(mine, 0.05),
        "value_at_risk_99": percentile(mine, 0.01),
        "drawdown": last,
        "max_drawdown": lowest,
        "return": gain,
        "beta": together[0],
        "correlation": together[1],
        "return_over_btc": None if gain is None or market_gain is None else (1 + gain) / (1 + market_gain) - 1,
        "sharpe_over_btc": None if sharpe is None or market_sharpe is None else sharpe - market_sharpe,
    }


def change(closes: Series, before: int, day: int) -> float | None:
    if before < 0:
        return None
    old, new = closes[before], closes[day]
    return None if old is None or new is None else (new - old) / old


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def spread(values: Sequence[float]) -> float | None:
    """The sample standard deviation, None where the values do not differ."""
    if len(values) < 2 or max(values) - min(values) < 1e-12:
        return None
    middle = mean(values)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1))


def ratio(values: Sequence[float]) -> float | None:
    deviation = spread(values)
    return None if deviation is None else mean(values) / deviation * math.sqrt(365)


def sortino(values: Sequence[float]) -> float | None:
    squares = [value * value for value in values if value < 0]
    return mean(values) / math.sqrt(math.fsum(squares) / len(values)) * math.sqrt(365) if squares else None


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def drawdowns(closes: Series) -> tuple[float | None, float]:
    peak, lowest, last = 0.0, 0.0, None
    for close in closes:
        last = None
        if close is not None:
            peak = max(peak, close)
            last = (close - peak) / peak
            lowest = min(lowest, last)
    return last, lowest


def beta_and_correlation(pairs: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    own, btc = [x for x, _ in pairs], [y for _, y in pairs]
    if spread(btc) is None:
        return None, None
    a, b = mean(own), mean(btc)
    product = math.fsum((x - a) * (y - b) for x, y in pairs)
    ours, theirs = math.fsum((x - a) ** 2 for x in own), math.fsum((y - b) ** 2 for y in btc)
    return product / theirs, None if spread(own) is None else product / math.sqrt(ours * theirs)


# -- real coins ----------------------------------------------------------------------------------------------------------


@cache
def market(folder: Path) -> tuple[list[str], Floats, Floats]:
    """(symbols, closes, volumes) of every coin by calendar day, NaN where a day is missing."""
    first = date(2019, 1, 1)
    symbols = sorted(path.stem for path in folder.glob("*.csv"))
    closes, volumes = np.full((len(symbols), 1140), NAN), np.full((len(symbols), 1140), NAN)
    for row, symbol in enumerate(symbols):
        with (folder / f"{symbol}.csv").open(encoding="utf-8", newline="") as file:
            for line in csv.DictReader(file):
                day = (date.fromisoformat(line["date"]) - first).days
                closes[row, day], volumes[row, day] = float(line["close"]), float(line["volume_usd"])
    return symbols, closes, volumes


def series(values: Any) -> Series:
    return [None if math.isnan(value) else value for value in values.tolist()]


def assert_same(found: Any, wanted: float | None, what: Any) -> None:
    if wanted is None:
        assert math.isnan(found), what
    else:
        assert abs(found - wanted) <= EXACT * max(1.0, abs(wanted)), what


@pytest.mark.parametrize("window", WINDOWS)
def test_every_figure_of_every_real_coin_equals_the_plain_computation(window: int) -> None:
    symbols, closes, _ = market(prices())
    assert len(symbols) == 40
    days = list(range(20, closes.shape[1], STEP))
    found = risk.window_metrics(closes, closes[symbols.index("BTC")], window, days)
    assert set(found) == set(risk.METRICS)
    btc = Coin(series(closes[symbols.index("BTC")]))
    for row, symbol in enumerate(symbols):
        own = Coin(series(closes[row]))
        for column, day in enumerate(days):
            for name, wanted in plain(own, btc, window, day).items():
                assert_same(found[name][row, column], wanted, (symbol, name, day))


def test_the_volume_ratio_of_every_real_coin_is_that_to_the_median_of_the_thirty_days_before() -> None:
    symbols, _, volumes = market(prices())
    days = list(range(0, volumes.shape[1], 2))
    found = risk.volume_ratio(volumes, days)
    for row, symbol in enumerate(symbols):
        own = series(volumes[row])
        for column, day in enumerate(days):
            before = [volume for volume in own[max(0, day - 30) : day] if volume is not None]
            median = percentile(before, 0.5) if len(before) >= 27 else 0
            now = own[day]
            assert_same(found[row, column], now / median if now is not None and median > 0 else None, (symbol, day))


def test_known_days_of_bitcoin() -> None:
    """2021-05-19 closed at 37,002.44, 41.7 % below the highest close so far, of 2021-04-13."""
    symbols, closes, _ = market(prices())
    btc = closes[symbols.index("BTC")]
    day = (date(2021, 5, 19) - date(2019, 1, 1)).days
    found = risk.window_metrics(btc[None, :], btc, 90, [day])
    assert btc[day] == pytest.approx(37_002.44, abs=0.01)
    assert found["drawdown"][0, 0] == pytest.approx(37_002.44 / np.nanmax(btc[: day + 1]) - 1, abs=1e-6)
    assert found["beta"][0, 0] == pytest.approx(1, abs=1e-12)
    assert found["correlation"][0, 0] == pytest.approx(1, abs=1e-12)
    assert (found["return_over_btc"][0, 0], found["sharpe_over_btc"][0, 0]) == (0, 0)


# -- gaps ----------------------------------------------------------------------------------------------------------------


def walk(days: int, seed: int) -> Floats:
    return np.asarray(100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.04, days))), dtype=np.float64)


def metrics(closes: Any, btc: Any, window: int, day: int) -> dict[str, float]:
    found = risk.window_metrics(np.asarray(closes, dtype=np.float64)[None, :], np.asarray(btc, dtype=np.float64), window, [day])
    return {name: float(values[0, 0]) for name, values in found.items()}


@pytest.mark.parametrize(("missing", "there"), [(1, True), (2, False)])
def test_a_figure_needs_returns_on_ninety_percent_of_its_days(missing: int, there: bool) -> None:
    """A missing close takes two returns: of 30 days' returns 27 must be there, and the last 31 closes have 30."""
    closes = walk(40, 1)
    closes[[15, 20][:missing]] = NAN
    found = metrics(closes, walk(40, 2), 30, 39)
    assert {name: math.isfinite(value) for name, value in found.items()} == dict.fromkeys(risk.METRICS, there)


def test_a_young_token_has_figures_once_ninety_percent_of_the_window_have_a_return_but_no_return_over_it() -> None:
    closes = np.concatenate((np.full(12, NAN), walk(28, 1)))
    found = metrics(closes, walk(40, 2), 30, 39)
    assert {name for name, value in found.items() if math.isnan(value)} == {"return", "return_over_btc"}
    assert all(map(math.isnan, metrics(np.concatenate((np.full(13, NAN), walk(27, 1))), walk(40, 2), 30, 39).values()))


def test_without_bitcoin_what_is_relative_to_it_is_missing_and_nothing_else() -> None:
    relative = {"beta", "correlation", "return_over_btc", "sharpe_over_btc"}
    for btc in (np.full(40, NAN), np.where(np.arange(40) < 15, NAN, walk(40, 2))):
        found = metrics(walk(40, 1), btc, 30, 39)
        assert {name for name, value in found.items() if math.isnan(value)} == relative


def test_a_missing_last_close_has_no_drawdown_but_a_maximum() -> None:
    closes = walk(40, 1)
    closes[39] = NAN
    found = metrics(closes, walk(40, 2), 30, 39)
    assert math.isnan(found["drawdown"])
    assert math.isfinite(found["max_drawdown"])


def test_a_close_that_is_no_price_is_missing() -> None:
    """A zero would make a loss of everything and an endless gain."""
    btc = walk(40, 2)
    for wrong in (0.0, -5.0, float("inf")):
        broken, gone = btc.copy(), btc.copy()
        broken[9], gone[9] = wrong, NAN
        assert_equal_metrics(metrics(walk(40, 1), broken, 30, 39), metrics(walk(40, 1), gone, 30, 39))
        assert_equal_metrics(metrics(broken, walk(40, 1), 30, 39), metrics(gone, walk(40, 1), 30, 39))


def assert_equal_metrics(one: dict[str, float], other: dict[str, float]) -> None:
    np.testing.assert_array_equal(list(one.values()), list(other.values()))


@examples(60)
@given(data=st.data(), window=st.sampled_from([5, 10, 30]))
def test_figures_with_gaps_equal_the_plain_computation(data: st.DataObject, window: int) -> None:
    closes, btc = walk(45, data.draw(st.integers(0, 9))), walk(45, data.draw(st.integers(10, 19)))
    for values in (closes, btc):
        values[data.draw(st.lists(st.integers(0, 44), max_size=4))] = NAN
    found = risk.window_metrics(closes[None, :], btc, window, range(45))
    own, bitcoin = Coin(series(closes)), Coin(series(btc))
    for day in range(45):
        for name, wanted in plain(own, bitcoin, window, day).items():
            assert_same(found[name][0, day], wanted, (name, day))


# -- prices that stand still, and extreme ones ---------------------------------------------------------------------------


@pytest.mark.parametrize("level", [1.0, 0.1, 1e-9, 64_000.37])
def test_a_token_of_constant_price_has_no_sharpe_and_no_risk(level: float) -> None:
    found = metrics(np.full(40, level), walk(40, 2), 30, 39)
    undefined = {"sharpe", "sortino", "volatility", "correlation", "sharpe_over_btc"}
    assert {name for name, value in found.items() if math.isnan(value)} == undefined
    assert {name for name, value in found.items() if value == 0} == set(risk.METRICS) - undefined - {"return_over_btc"}


def test_a_token_that_grows_by_the_same_share_each_day_has_no_sharpe_and_no_correlation() -> None:
    """Its returns differ by rounding alone, and what follows from that is noise."""
    growing = 3.7 * 1.01 ** np.arange(40)
    found = metrics(growing, walk(40, 2), 30, 39)
    assert {name for name, value in found.items() if math.isnan(value)} == {
        "sharpe", "sortino", "volatility", "correlation", "sharpe_over_btc",
    }  # fmt: skip
    assert found["beta"] == pytest.approx(0, abs=1e-12)
    against = metrics(walk(40, 2), growing, 30, 39)
    assert {name for name, value in against.items() if math.isnan(value)} == {"beta", "correlation", "sharpe_over_btc"}


EXTREMES = (1e308, 1.7e308, 5e-324, 1e-300, 1.0, 0.0, -1.0, -1e308, float("inf"), float("-inf"), NAN)


@examples(200)
@given(data=st.data())
def test_extreme_values_give_finite_figures_or_none_and_do_not_warn(data: st.DataObject) -> None:
    value = st.sampled_from(EXTREMES)
    closes = np.asarray(data.draw(st.lists(st.lists(value, min_size=12, max_size=12), min_size=1, max_size=3)))
    btc = np.asarray(data.draw(st.lists(value, min_size=12, max_size=12)))
    before = closes.copy(), btc.copy()
    for values in risk.window_metrics(closes, btc, 5, range(12)).values():
        assert not np.isinf(values).any()
    volumes = np.abs(np.tile(closes, 4))
    assert not np.isinf(risk.volume_ratio(volumes, range(48))).any()
    np.testing.assert_array_equal(closes, before[0])
    np.testing.assert_array_equal(btc, before[1])


def test_figures_are_what_they_are_whatever_day_or_coin_is_asked_for_beside() -> None:
    closes, btc = np.stack([walk(60, seed) for seed in (1, 2, 3)]), walk(60, 9)
    closes[1, 44] = NAN
    whole = risk.window_metrics(closes, btc, 30, range(60))
    for row in range(3):
        for day in (35, 50, 59):
            one = risk.window_metrics(closes[row][None, : day + 1], btc[: day + 1], 30, [day])
            for name, values in whole.items():
                np.testing.assert_array_equal(one[name][0, 0], values[row, day])


def test_no_days_no_figures() -> None:
    found = risk.window_metrics(np.empty((2, 0)), np.empty(0), 30, [])
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(risk.METRICS, (2, 0))
    assert risk.volume_ratio(np.empty((2, 0)), []).shape == (2, 0)
