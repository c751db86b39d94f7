"""Turns: threads of a process that want the same go one after the other, in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Busy(Exception):
    """Others write, and whoever asked was not to wait for them."""


class Turns:
    """A lock that is handed to whoever has waited longest.

    SQLite itself makes writers try again and again until they find it free: one that writes without a break keeps the
    others out until they give up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def take(self, *, wait: bool = True) -> Iterator[None]:
        """Have a turn until the end of the block, waiting for it if need be. A thread that has it must not ask for another.

        Raises Busy where it would have to wait and is not to.
        """
        self._wait(willing=wait)
        try:
            yield
        finally:
            self._pass_on()

    def _wait(self, *, willing: bool) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            if not willing:
                raise Busy
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            mine.acquire()
        except BaseException:  # a signal: whoever leaves the queue does not hold up those behind
            with self._lock:
                had_it = mine not in self._waiting
                if not had_it:
                    self._waiting.remove(mine)
            if had_it:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
