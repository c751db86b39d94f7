"""libcurl's sockets, waited for with epoll: only those where something happened are looked at, however many wait.

curl_multi_perform would try to read from every transfer each time, and its select() sees no descriptor above 1,023.
"""

from __future__ import annotations

import resource
import select
from contextlib import suppress
from typing import Any

import pycurl

#: What the rest of a process may need: databases, brokers, logs.
_BESIDE = 256
#: macOS has no epoll; its poll takes the same calls and the same numbers, but the timeout in milliseconds.
_EPOLL = hasattr(select, "epoll")
_REMOVE: int = pycurl.POLL_REMOVE
#: libcurl's ways of waiting for a socket, as the poller's; and what came of it, as libcurl's.
_EVENTS = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}
_HAPPENED = [
    (pycurl.CSELECT_IN if bits & select.POLLIN else 0)
    | (pycurl.CSELECT_OUT if bits & select.POLLOUT else 0)
    | (pycurl.CSELECT_ERR if bits & (select.POLLERR | select.POLLHUP) else 0)
    for bits in range(64)
]


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
        self._act, self._timer = multi.socket_action, multi.timeout
        self._poller: Any = select.epoll() if _EPOLL else select.poll()
        self._wanted: set[int] = set()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._want)

    def turn(self, timeout: float) -> bool:
        """Let libcurl do all it can do now; if that is nothing, as soon as it can within `timeout` seconds.

        Whether anything was done.
        """
        left: int = self._timer()
        due = left == 0
        if due:
            # What libcurl has to do by now, also beginning what was added.
            self._act(pycurl.SOCKET_TIMEOUT, 0)
            timeout = 0
        elif left > 0:
            timeout = min(timeout, left / 1000)
        found = self._poller.poll(timeout if _EPOLL else timeout * 1000)
        for number, happened in found:
            if number in self._wanted:
                self._act(number, _HAPPENED[happened & 63])
            else:
                # A kept connection that says something unasked, or ends: libcurl looks before it uses it again.
                with suppress(KeyError, OSError):
                    self._poller.unregister(number)
        return due or bool(found)

    def push(self) -> None:
        """Let libcurl begin what was added."""
        if self._timer() == 0:
            self._act(pycurl.SOCKET_TIMEOUT, 0)

    def close(self) -> None:
        """Watch nothing any more; after the multi is closed."""
        if _EPOLL:
            self._poller.close()

    def _want(self, what: int, number: int, _multi: Any, _data: Any) -> None:
        # A kept connection is wanted again soon, so it stays with the poller. A closed one has left it by itself: its
        # number may be new to the poller at any time.
        if what == _REMOVE:
            self._wanted.discard(number)
            return
        self._wanted.add(number)
        try:
            self._poller.modify(number, _EVENTS[what])
        except FileNotFoundError:
            self._poller.register(number, _EVENTS[what])
