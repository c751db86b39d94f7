"""A client with everything around it written down: calls, sleeps, and a budget that can run out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson
import requests

from integration.domain.errors import BudgetSpent
from integration.tokenmetrics.asks import Version
from integration.tokenmetrics.client import TokenMetrics
from tests.sources.samples import SLOT

BASE = "http://127.0.0.1:9"
KEY = "tm-00000000-0000-0000-0000-000000000000"


@dataclass
class Around:
    """Time passes only by sleeping. `left` calls remain until `retry_at`; None means no limit."""

    time: int = SLOT
    left: int | None = None
    retry_at: int = 0
    taken: int = 0
    slept: list[float] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    spoilt: list[dict[str, Any]] = field(default_factory=list)

    def now(self) -> int:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += round(seconds * 1_000)

    def take(self, now: int) -> None:
        if self.left is not None and self.taken >= self.left and now < self.retry_at:
            raise BudgetSpent(retry_at=self.retry_at)
        self.taken += 1

    def record(self, **call: Any) -> None:
        self.calls.append(call)

    def aside(self, **answer: Any) -> None:
        self.spoilt.append(answer)

    def client(self, version: Version = "v2", base: str = BASE, key: str = KEY) -> TokenMetrics:
        return TokenMetrics(
            requests.Session(), base, version, key, self, self.record, self.now, self.sleep, keep_spoilt=self.aside
        )


def grades(tokens: range, day: str = "2025-12-31") -> list[dict[str, Any]]:
    return [{"TOKEN_ID": token, "DATE": day, "TM_TRADER_GRADE": token % 100} for token in tokens]


def answer(rows: list[dict[str, Any]], **changes: Any) -> bytes:
    return orjson.dumps({"success": True, "message": "Data fetched successfully", "length": len(rows), "data": rows} | changes)
