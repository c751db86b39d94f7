"""Numbers as a payload carries them, and as a sentence says them."""

from __future__ import annotations

import math
from decimal import Decimal


def number(value: float) -> float | None:
    """A plain float, None where it is missing or infinite."""
    return float(value) if math.isfinite(value) else None


def plain(value: float) -> str:
    """A number in six significant digits, never with an exponent.

    >>> plain(107420.5), plain(0.000012), plain(-1.0)
    ('107,420', '0.000012', '-1')
    """
    return f"{Decimal(f'{value:.6g}'):,f}"


def usd(value: float) -> str:
    """A price in six significant digits, never with an exponent.

    >>> usd(107420.5), usd(0.000012)
    ('107,420 USD', '0.000012 USD')
    """
    return f"{plain(value)} USD"


def percent(value: float, digits: int | None = 1) -> str:
    """A fraction as people say it; as many digits as it needs where none are given.

    >>> percent(0.0834), percent(-0.1, None)
    ('8.3 %', '-10 %')
    """
    said = value * 100
    return f"{round(said, 6):g} %" if digits is None else f"{said:.{digits}f} %"
