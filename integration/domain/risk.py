"""Risk and return over the last N days, from daily closes. All results are in upstream's units: fractions, losses negative.

A daily return is close / close of the calendar day before - 1; where either is missing there is none. A figure needs
returns on at least 90 % of its days. `closes` are tokens × calendar days (NaN = missing, and so is what is no price: zero,
negative or infinite); a result has one column for each day in `at`, NaN where a figure is not defined or not finite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from integration.domain.history import Floats

Bools = NDArray[np.bool_]

#: Days of a year in which crypto is traded: all of them.
YEAR = 365
#: The share of a window's days that must have a return.
ENOUGH = 0.9
#: Days that a day's volume is compared with.
VOLUME_DAYS = 30
#: Values that differ by less than this share of themselves differ by rounding alone.
ROUNDING = 1e-12


def returns(closes: Floats) -> Floats:
    """Simple daily returns, as many columns as closes; the first is missing."""
    found = np.full(closes.shape, np.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found[:, 1:] = closes[:, 1:] / closes[:, :-1] - 1
    return _finite(found)


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def window_metrics(closes: Floats, market: Floats, window: int, at: Sequence[int]) -> Mapping[str, Floats]:
    """Every figure over the `window` days that end on each day of `at`; `market` are Bitcoin's closes on the same days.

    - `sharpe`: mean / standard deviation (ddof 1) × √365, risk-free rate 0 (Sharpe 1994, "The Sharpe Ratio")
    - `sortino`: mean / root of the mean squared loss × √365 (Sortino and Price 1994; target 0)
    - `volatility`: standard deviation (ddof 1) × √365
    - `value_at_risk_95`, `value_at_risk_99`: the 5th and 1st percentile of daily returns, linear between order statistics
      (historical simulation; Hyndman and Fan 1996, type 7)
    - `drawdown`: last close / highest close - 1; `max_drawdown`: the lowest close / highest close before it - 1
    - `return`: last close / close `window` days before - 1
    - `beta`: covariance with Bitcoin's returns / their variance; `correlation`: Pearson's, both on days that both have
    - `return_over_btc`: (1 + return) / (1 + Bitcoin's return) - 1; `sharpe_over_btc`: Sharpe - Bitcoin's Sharpe
    """
    closes, market = (np.where(prices > 0, _finite(prices), np.nan) for prices in (closes, market))
    daily, theirs = returns(closes), returns(market[None, :])[0]
    found = {name: np.full((len(closes), len(at)), np.nan) for name in METRICS}
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for place, day in enumerate(at):
            for name, values in _window(closes, daily, market, theirs, window, day).items():
                found[name][:, place] = values
    return found


METRICS = (
    "sharpe", "sortino", "volatility", "value_at_risk_95", "value_at_risk_99", "drawdown", "max_drawdown", "return", "beta",
    "correlation", "return_over_btc", "sharpe_over_btc",
)  # fmt: skip


def _window(closes: Floats, daily: Floats, market: Floats, theirs: Floats, window: int, day: int) -> dict[str, Floats]:
    first = max(0, day - window + 1)
    own, btc = daily[:, first : day + 1], theirs[first : day + 1][None, :]
    enough = np.isfinite(own).sum(axis=1) >= ENOUGH * window
    mean, deviation, losses = _moments(own)
    btc_mean, btc_deviation, _ = _moments(btc)
    btc_enough = bool(np.isfinite(btc).sum() >= ENOUGH * window)
    beta, correlation = _together(own, np.broadcast_to(btc, own.shape), ENOUGH * window)
    change, btc_change = _change(closes, window, day), _change(market[None, :], window, day)
    low, lowest = _drawdowns(closes[:, max(0, day - window) : day + 1])
    sharpe, btc_sharpe = mean / deviation * np.sqrt(YEAR), btc_mean / btc_deviation * np.sqrt(YEAR)
    found = {
        "sharpe": sharpe,
        "sortino": mean / losses * np.sqrt(YEAR),
        "volatility": deviation * np.sqrt(YEAR),
        "value_at_risk_95": _percentile(own, 5, enough),
        "value_at_risk_99": _percentile(own, 1, enough),
        "drawdown": low,
        "max_drawdown": lowest,
        "return": change,
        "beta": beta,
        "correlation": correlation,
        "return_over_btc": (1 + change) / (1 + btc_change) - 1,
        "sharpe_over_btc": sharpe - btc_sharpe if btc_enough else np.full(len(sharpe), np.nan),
    }
    return {name: np.where(enough & np.isfinite(values), values, np.nan) for name, values in found.items()}


def _moments(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, standard deviation (ddof 1) and root of the mean squared loss of each row, 0 deviations as NaN."""
    there = np.isfinite(values)
    count = there.sum(axis=1)
    mean, apart = _apart(values, there)
    deviation = np.sqrt((apart**2).sum(axis=1) / (count - 1))
    losses = np.sqrt((np.where(there, np.minimum(values, 0.0), 0.0) ** 2).sum(axis=1) / count)
    return mean, np.where(_still(deviation, mean), np.nan, deviation), np.where(losses <= 0, np.nan, losses)


def _apart(values: Floats, there: Bools) -> tuple[Floats, Floats]:
    """The mean of each row's values that are there, and how far each lies from it, 0 where it is not."""
    mean = np.where(there, values, 0.0).sum(axis=1) / there.sum(axis=1)
    return mean, np.where(there, values - mean[:, None], 0.0)


def _still(deviation: Floats, mean: Floats) -> Bools:
    """Equal returns differ by rounding alone: their deviation is none."""
    still: Bools = deviation <= ROUNDING * np.maximum(np.abs(mean), 1.0)
    return still


def _together(own: Floats, btc: Floats, least: float) -> tuple[Floats, Floats]:
    """Beta and correlation of each row with Bitcoin's, on the days that both have."""
    both = np.isfinite(own) & np.isfinite(btc)
    count = both.sum(axis=1)
    (btc_mean, x), (mean, y) = _apart(btc, both), _apart(own, both)
    product, x2, y2 = (x * y).sum(axis=1), (x**2).sum(axis=1), (y**2).sum(axis=1)
    fit = (count >= least) & ~_still(np.sqrt(x2 / count), btc_mean)
    moves = fit & ~_still(np.sqrt(y2 / count), mean)
    correlation = np.clip(product / np.sqrt(x2 * y2), -1, 1)
    return np.where(fit, product / x2, np.nan), np.where(moves, correlation, np.nan)


def _change(closes: Floats, days: int, day: int) -> Floats:
    if day < days:
        return np.full(len(closes), np.nan)
    change: Floats = closes[:, day] / closes[:, day - days] - 1
    return change


def _drawdowns(closes: Floats) -> tuple[Floats, Floats]:
    """The last and the lowest of close / highest close so far - 1."""
    peaks = np.fmax.accumulate(closes, axis=1)
    below = closes / peaks - 1
    return below[:, -1], np.fmin.reduce(below, axis=1)


def _percentile(values: Floats, percent: float, enough: Bools) -> Floats:
    """A percentile of each row's values that are there; NaN for rows without enough."""
    found = np.full(len(values), np.nan)
    complete = np.isfinite(values).all(axis=1) & enough
    if complete.any():
        found[complete] = np.percentile(values[complete], percent, axis=1)
    for row in np.flatnonzero(enough & ~complete).tolist():
        found[row] = np.percentile(values[row][np.isfinite(values[row])], percent)
    return found


def volume_ratio(volumes: Floats, at: Sequence[int]) -> Floats:
    """The day's volume / the median of the 30 days before it; NaN where fewer than 90 % of these are there."""
    found = np.full((len(volumes), len(at)), np.nan)
    padded = np.concatenate((np.full((len(volumes), VOLUME_DAYS), np.nan), _finite(volumes)), axis=1)
    windows = sliding_window_view(padded, VOLUME_DAYS, axis=1)
    for place, day in enumerate(at):
        before = windows[:, day]
        enough = np.isfinite(before).sum(axis=1) >= ENOUGH * VOLUME_DAYS
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            median = _percentile(before, 50, enough)
            found[:, place] = np.where(median > 0, volumes[:, day] / median, np.nan)
    return _finite(found)
