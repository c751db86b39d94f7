"""Risk and return of every token over the last 30 days, derived from daily closes."""

from __future__ import annotations

from integration.sources._risk import risk_source

SOURCE = risk_source(30)
