"""Trading signals as states: bullish, bearish or none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from marshmallow import fields, validate

from integration.domain.history import Floats, History, Joined
from integration.domain.payload import described
from integration.triggers._levels import DOWN, UP

NAMES: Mapping[int, str] = {UP: "bullish", DOWN: "bearish"}
#: The states that a direction asks for.
TURNS: Mapping[str, tuple[int, ...]] = {"bullish": (UP,), "bearish": (DOWN,), "either": (UP, DOWN)}


def trends(readings: History | Joined) -> Floats:
    """The daily trend at each reading: 1 bullish, -1 bearish, 0 before the first signal, NaN where nothing is said.

    It is the last signal that was one. A day's own signal speaks where the trend is missing; no signal then says nothing.
    """
    trend, signal = (np.sign(readings.column(name)) for name in ("token_trend", "trading_signal"))
    spoken = np.where(signal == 0, np.nan, signal)
    return np.where(np.isnan(trend) | ((trend == 0) & ~np.isnan(spoken)), spoken, trend)


def turn(text: str) -> fields.String:
    """bullish, bearish or either; `text` says what that means here."""
    return fields.String(load_default="either", validate=validate.OneOf(list(TURNS)), metadata=described("Direction", text))


def state_field(label: str, text: str) -> fields.String:
    """bullish or bearish, as a payload says it."""
    return fields.String(required=True, metadata=described(label, text))
