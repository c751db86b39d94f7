"""What a sandbox can be told: backend, clock, plan, quirks."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

SANDBOX_KEY = "tm-sandbox0-0000-0000-0000-000000000000"
"""The one key a sandbox accepts by default; it opens nothing at Token Metrics."""

KEY_SHAPE = re.compile(r"tm-[0-9a-z]{8}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{12}")

MODEL_TOKENS = (40, 6000)
"""Fewest and most tokens of the market model."""

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DAY_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class SandboxSettings:
    """Settings of one sandbox server; the defaults give 200 model tokens in real time on the premium plan.

    ``day`` is wall seconds per market day. ``start`` is the market's 'today' when the server starts: a later
    one than the default finds the same model market further on, so that a restart can go on where it stood; a replay
    whose prices do not reach ``start`` begins a year after its first row instead. ``digits`` rounds
    quantmetrics (upstream prints 2); None keeps full precision. None on a plan figure means the plan's own. So many of the
    model's tokens are ``coming``: they are listed one by one, every ten days from the opening date on.
    """

    tokens: int = 200
    coming: int = 0
    seed: int = 7
    replay: Path | None = None
    day: float = 86400.0
    start: date = date(2024, 1, 1)
    plan: str = "premium"
    calls_per_minute: int | None = None
    calls_per_month: int | None = None
    look_back_months: int | None = None
    withheld_days: int | None = None
    locked: frozenset[str] | None = None
    key: str = SANDBOX_KEY
    paused: bool = False
    nulls: bool = True
    digits: int | None = None
    max_span_days: int | None = 29
    tm_grade_edition: int = 2
    level_objects: bool = True

    def __post_init__(self) -> None:
        low, high = MODEL_TOKENS
        if self.replay is None and not low <= self.tokens <= high:
            raise ValueError(f"tokens must be {low} to {high}, not {self.tokens}")
        if not 0 <= self.coming < self.tokens:
            raise ValueError(f"coming must be fewer than the {self.tokens} tokens, not {self.coming}")
        if self.day <= 0:
            raise ValueError(f"day must be a positive number of seconds, not {self.day}")
        if not KEY_SHAPE.fullmatch(self.key):
            raise ValueError("key must look like tm-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")


def parse_day(text: str) -> float:
    """Wall seconds per market day from ``5s``, ``500ms``, ``2m``, ``1h``, ``1d``; ValueError names the remedy."""
    match = _DAY_TEXT.fullmatch(text)
    seconds = float(match[1]) * _UNIT_SECONDS[match[2].lower()] if match else 0.0
    if seconds <= 0:
        raise ValueError(f"cannot read {text!r} as the length of a market day: write a number and ms, s, m, h or d, such as 5s")
    return seconds
