"""Resistance and support levels: closes that were the highest or lowest within ten days on either side."""

import numpy as np

from integration.sandbox.market.base import Market

_SIDE, _DAYS, _MOST, _APART = 10, 720, 20, 0.03


def turning_points(market: Market, token: int, day: int) -> list[tuple[float, int]]:
    """(close in USD, day index) of the levels of a token, ascending by close, none within 3 % of the next."""
    first = max(int(market.listed[token]), day - _DAYS)
    close = market.close.rows[first : day + 1, token]
    if len(close) < 2 * _SIDE + 1:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(close, 2 * _SIDE + 1)
    middle = close[_SIDE:-_SIDE]
    turns = (middle == windows.max(axis=1)) | (middle == windows.min(axis=1))
    found: list[tuple[float, int]] = []
    for place in sorted(np.flatnonzero(turns), key=lambda place: float(middle[place])):
        level = float(middle[place])
        if not found or level > found[-1][0] * (1 + _APART):
            found.append((level, first + _SIDE + int(place)))
    return found[-_MOST:]
