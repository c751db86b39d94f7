"""libcurl's sockets, waited for with epoll: only those where something happened are looked at, however many wait.

curl_multi_perform would look at every transfer each time, and its select() sees no descriptor above 1,023.
"""

from __future__ import annotations

import resource
import select
import time
from contextlib import suppress
from typing import Any

import pycurl

#: What the rest of a process may need: databases, brokers, logs.
_BESIDE = 256
#: macOS has no epoll; its poll takes the same calls and the same numbers, but the timeout in milliseconds.
_EPOLL = hasattr(select, "epoll")
_BROKEN = select.POLLERR | select.POLLHUP


def sockets_allowed(wanted: int) -> int:
    """How many sockets this process may open: its limit of open files is raised for them, as far as that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = wanted + _BESIDE
    if soft != resource.RLIM_INFINITY and soft < need:
        soft = need if hard == resource.RLIM_INFINITY else min(need, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, max(soft - _BESIDE, 1))


class Sockets:
    """Drives one multi of libcurl by its socket interface; for one thread."""

    def __init__(self, multi: Any) -> None:
        self._multi = multi
        self._poller: Any = select.epoll() if _EPOLL else select.poll()
        self._wanted: set[int] = set()
        self._due: float | None = None
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._want)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._wake_at)

    def turn(self, timeout: float) -> None:
        """Let libcurl do all it can do now; if that is nothing, as soon as it can within `timeout` seconds."""
        for number, happened in self._poll(0.0 if self._expire() else timeout):
            if number not in self._wanted:
                self._forget(number)
                continue
            ready = pycurl.CSELECT_IN if happened & select.POLLIN else 0
            if happened & select.POLLOUT:
                ready |= pycurl.CSELECT_OUT
            if happened & _BROKEN:
                ready |= pycurl.CSELECT_ERR
            self._multi.socket_action(number, ready)
        self._expire()

    def close(self) -> None:
        """Watch nothing any more; after the multi is closed."""
        if _EPOLL:
            self._poller.close()

    def _poll(self, timeout: float) -> list[tuple[int, int]]:
        if self._due is not None:
            timeout = max(0.0, min(timeout, self._due - time.monotonic()))
        found: list[tuple[int, int]] = self._poller.poll(timeout if _EPOLL else timeout * 1000)
        return found

    def _expire(self) -> bool:
        """Do what libcurl's timer is due for: also to begin what was added."""
        if self._due is None or self._due > time.monotonic():
            return False
        self._due = None
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        return True

    def _wake_at(self, milliseconds: int) -> None:
        self._due = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _want(self, what: int, number: int, _multi: Any, _data: Any) -> None:
        # A kept connection is wanted again soon: it stays where it is until it says something unasked. A closed one
        # has left by itself, so its number may be new to the poller at any time.
        if what == pycurl.POLL_REMOVE:
            self._wanted.discard(number)
            return
        self._wanted.add(number)
        events = (select.POLLIN if what & pycurl.POLL_IN else 0) | (select.POLLOUT if what & pycurl.POLL_OUT else 0)
        try:
            self._poller.modify(number, events)
        except FileNotFoundError:
            self._poller.register(number, events)

    def _forget(self, number: int) -> None:
        with suppress(KeyError, OSError):
            self._poller.unregister(number)
