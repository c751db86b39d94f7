"""What triggers know of how fast sources are is what the sources say."""

from __future__ import annotations

from integration.domain.retry import DAY
from integration.sources import load
from integration.triggers._paces import NOT_DAILY, pace


def test_every_source_that_is_not_daily_is_known_to_the_triggers() -> None:
    assert {key: source.cadence for key, source in load().items() if source.cadence != DAY} == NOT_DAILY


def test_a_single_subjects_readings_come_as_fast_as_their_source() -> None:
    assert pace("daily_ohlcv@token:3375") == DAY
    assert pace("hourly_ohlcv@token:3375") == DAY // 24
