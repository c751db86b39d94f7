"""Quantmetrics from daily closes. One formula a line; r are simple daily returns over all history, n their number.

VOLATILITY = s * sqrt(365), s = standard deviation of r (ddof 1) · ALL_TIME_RETURN = last / first - 1 ·
CAGR = (last / first) ** (365 / calendar days) - 1 · SHARPE = mean(r) / s * sqrt(365) ·
SORTINO = mean(r) / sqrt(mean(min(r, 0)^2)) * sqrt(365) · MAX_DRAWDOWN = min(close / highest close so far - 1) ·
SKEW = m3 / m2^1.5 · KURTOSIS = m4 / m2^2 - 3 (excess; m2..m4 central moments over n) ·
TAIL_RATIO = |95th percentile of r / 5th| · RISK_REWARD_RATIO = (highest - last) / (last - lowest close) over the
last 90 days, both at least 0.01 % of the last close · PROFIT_FACTOR = sum of gains / |sum of losses| ·
DAILY_VALUE_AT_RISK = 5th percentile of r (historical; percentiles interpolate linearly) ·
DAILY_RETURN_AVG = mean(r) · DAILY_RETURN_STD = s.
SHARPE follows upstream's published rows; the others are the usual formulas, since upstream states none.
"""

import numpy as np

from integration.sandbox.market.base import Bools, Floats, Ints

METRICS = [
    "VOLATILITY",
    "ALL_TIME_RETURN",
    "CAGR",
    "SHARPE",
    "SORTINO",
    "MAX_DRAWDOWN",
    "SKEW",
    "TAIL_RATIO",
    "RISK_REWARD_RATIO",
    "PROFIT_FACTOR",
    "KURTOSIS",
    "DAILY_VALUE_AT_RISK",
    "DAILY_RETURN_AVG",
    "DAILY_RETURN_STD",
]
"""The metrics in upstream's order of keys."""

YEAR = 365.0
_RANGE_DAYS = 90


def quantmetrics(close: Floats, present: Bools, listed: Ints) -> dict[str, Floats]:
    """Each metric as an array of shape (tokens,).

    ``close`` (days, tokens) holds the last known close on days without a row, NaN before the listing; ``present``
    says which days have one; ``listed`` is each token's first day index. Undefined values are NaN or infinite.
    """
    with np.errstate(all="ignore"):
        returns = np.where(present[1:], close[1:] / close[:-1] - 1, np.nan)
        last, first = close[-1], close[listed, np.arange(close.shape[1])]
        found = _moments(returns)
        found["ALL_TIME_RETURN"] = last / first - 1
        found["CAGR"] = (last / first) ** (YEAR / (len(close) - 1 - listed)) - 1
        found["MAX_DRAWDOWN"] = np.fmin.reduce(close / np.fmax.accumulate(close, axis=0) - 1, axis=0)
        found["RISK_REWARD_RATIO"] = _risk_reward(close[-_RANGE_DAYS:])
        found |= _percentiles(returns if len(returns) else np.full((1, close.shape[1]), np.nan))
    return found


def _moments(returns: Floats) -> dict[str, Floats]:
    """Metrics that are sums over returns of shape (days, tokens)."""
    known = ~np.isnan(returns)
    n = known.sum(axis=0)
    r = np.where(known, returns, 0.0)
    mean = r.sum(axis=0) / n
    off = np.where(known, returns - mean, 0.0)
    square = off * off
    total = square.sum(axis=0)
    s = np.sqrt(total / (n - 1))
    downside = np.sqrt((np.minimum(r, 0.0) ** 2).sum(axis=0) / n)
    return {
        "VOLATILITY": s * np.sqrt(YEAR),
        "SHARPE": mean / s * np.sqrt(YEAR),
        "SORTINO": mean / downside * np.sqrt(YEAR),
        "SKEW": ((square * off).sum(axis=0) / n) / (total / n) ** 1.5,
        "KURTOSIS": ((square * square).sum(axis=0) / n) / (total / n) ** 2 - 3,
        "PROFIT_FACTOR": np.maximum(r, 0.0).sum(axis=0) / -np.minimum(r, 0.0).sum(axis=0),
        "DAILY_RETURN_AVG": mean,
        "DAILY_RETURN_STD": s,
    }


def _risk_reward(close: Floats) -> Floats:
    last = close[-1]
    least = last * 1e-4
    up = np.maximum(np.fmax.reduce(close, axis=0) - last, least)
    down = np.maximum(last - np.fmin.reduce(close, axis=0), least)
    ratio: Floats = up / down
    return ratio


def _percentiles(returns: Floats) -> dict[str, Floats]:
    """TAIL_RATIO and DAILY_VALUE_AT_RISK from one sort; NaN sorts last."""
    n = (~np.isnan(returns)).sum(axis=0)
    ordered = np.sort(returns.T, axis=1)

    def percentile(share: float) -> Floats:
        place = share * np.maximum(n - 1, 0)
        low = np.floor(place).astype(np.int_)
        high = np.minimum(low + 1, np.maximum(n - 1, 0))
        rows = np.arange(len(n))
        below = ordered[rows, low]
        value: Floats = below + (ordered[rows, high] - below) * (place - low)
        return value

    worst = percentile(0.05)
    return {"DAILY_VALUE_AT_RISK": worst, "TAIL_RATIO": np.abs(percentile(0.95) / worst)}
