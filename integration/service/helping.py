"""Blocking work (mail servers, token endpoints) beside a loop that must not block."""

from __future__ import annotations

import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

Result = TypeVar("Result")

THREADS = 4


class Helpers:
    """A few threads; what they come back with is taken up in the loop's own thread, by `run`."""

    def __init__(self) -> None:
        self.busy = 0
        self._pool: ThreadPoolExecutor | None = None
        self._done: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def do(self, work: Callable[[], Result], then: Callable[[Result | Exception], None]) -> None:
        """Have `work` done; `then` gets its result, or the exception it raised."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, "gradewire-helper")
        self.busy += 1
        self._pool.submit(self._work, work, then)

    def _work(self, work: Callable[[], Result], then: Callable[[Result | Exception], None]) -> None:
        try:
            result: Result | Exception = work()
        except Exception as error:
            result = error
        self._done.put(partial(then, result))

    def run(self, timeout: float) -> None:
        """Take up what is done, waiting up to `timeout` seconds for the first."""
        try:
            while True:
                take_up = self._done.get(timeout=timeout) if timeout > 0 else self._done.get_nowait()
                self.busy -= 1
                timeout = 0
                take_up()
        except queue.Empty:
            return

    def close(self) -> None:
        """Wait for what is being done; forget what has not begun."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
