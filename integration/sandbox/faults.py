"""Faults the server commits on request: a list, by endpoint, for a number of requests or until deleted."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

KINDS: dict[str, float | None] = {
    "unauthorized": None,
    "forbidden": None,
    "rate_limited": 2,
    "rate_limited_bare": None,
    "server_error": 500,
    "slow": 1,
    "cut_off": 0.5,
    "not_json": None,
    "wrong_envelope": None,
    "success_false": None,
    "empty": None,
    "late": None,
    "nulls": None,
    "strings": None,
    "missing_tokens": 0.2,
    "restated": 0.05,
    "short_page": 0.5,
}
"""Kinds with the default of ``value``: seconds for Retry-After and slow, a status for server_error, the share of the
body that is sent, of tokens dropped, of the greatest change, of rows kept."""

HEADER = "X-Sandbox-Fault"


@dataclass(frozen=True)
class Fault:
    """One fault; ``times`` None lasts until deleted, ``begins`` is wall time, ``market_ms`` when it was set."""

    kind: str
    endpoint: str = "*"
    times: int | None = None
    value: float = 0.0
    begins: float = 0.0
    market_ms: int = 0


class Faults:
    """The faults now asked for, newest last. Thread-safe."""

    def __init__(self, market_now: Callable[[], int], wall: Callable[[], float] = time.monotonic) -> None:
        self._market_now, self._wall = market_now, wall
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(
        self, kind: str, endpoint: str = "*", times: int | None = None, after: float = 0, value: float | None = None
    ) -> Fault:
        """Ask for a fault from ``after`` wall seconds on; ValueError for an unknown kind or a bad figure."""
        if times is not None and times < 1:
            raise ValueError("times must be 1 or more; leave it out to last until deleted")
        fault = replace(self._made(kind, value), endpoint=endpoint, times=times, begins=self._wall() + after)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> int:
        """Delete every fault; how many there were."""
        with self._lock:
            count, self._faults = len(self._faults), []
        return count

    def take(self, endpoint: str, header: str | None = None) -> list[Fault]:
        """Faults for this request, counted down; ``header`` (kind or kind=value) adds one. ValueError as ``add``."""
        own = []
        if header:
            kind, _, text = header.partition("=")
            own = [self._made(kind.strip(), float(text) if text else None)]
        with self._lock:
            due = [fault for fault in self._faults if self._is_due(fault, endpoint)]
            self._faults = [self._counted(fault) if fault in due else fault for fault in self._faults]
            self._faults = [fault for fault in self._faults if fault.times != 0]
        return due + own

    def report(self) -> list[Mapping[str, Any]]:
        """The list for the control endpoint."""
        with self._lock:
            return [
                {"endpoint": fault.endpoint, "kind": fault.kind, "times": fault.times, "value": fault.value}
                for fault in self._faults
            ]

    def _made(self, kind: str, value: float | None) -> Fault:
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}: choose one of {', '.join(KINDS)}")
        figure = KINDS[kind] if value is None else value
        return Fault(kind, value=float(figure or 0), market_ms=self._market_now())

    def _is_due(self, fault: Fault, endpoint: str) -> bool:
        return fault.endpoint in ("*", endpoint) and fault.begins <= self._wall()

    def _counted(self, fault: Fault) -> Fault:
        return fault if fault.times is None else replace(fault, times=fault.times - 1)
