"""A worker that stops at a given point and waits to be killed there: `python -m tests.service.doomed URL POINT`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from integration.service import deliver
from integration.service.ways import Ways
from integration.store.database import Database
from integration.store.queries import outbox
from integration.wire.http import Transport
from tests.service.given import NOW, channel


def stop_here(*_args: Any, **_more: Any) -> Any:
    """Say so, and never go on."""
    print("here", flush=True)
    time.sleep(600)


def after(work: Callable[..., Any], times: int) -> Callable[..., Any]:
    """Stop after a function was called so many times."""
    calls = 0

    def wrapped(*args: Any, **more: Any) -> Any:
        nonlocal calls
        result = work(*args, **more)
        calls += 1
        return stop_here() if calls == times else result

    return wrapped


def replace(module: ModuleType, name: str, function: Callable[..., Any]) -> None:
    setattr(module, name, function)


def main(url: str, point: str) -> None:
    """Drain, and stop at the point."""
    match point:
        case "after the claim":
            replace(deliver, "claim", after(deliver.claim, 1))  # type: ignore[attr-defined]
        case "before recording":
            replace(deliver, "_write", stop_here)
        case "amid recording":
            replace(outbox, "tried", stop_here)  # outcomes are written, attempts are not, nothing is committed
        case "after recording":
            replace(deliver, "_write", after(deliver._write, 1))
    transport = Transport[Any](allow_private=True)
    ways = Ways({"webhook": channel()}, json.loads, transport)
    deliver.drain(Database(url), ways, now=lambda: NOW)


if __name__ == "__main__":
    main(*sys.argv[1:])
