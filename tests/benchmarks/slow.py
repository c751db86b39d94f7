"""A receiver that answers every request after a while, on kept connections: `python -m tests.benchmarks.slow MS`.

Barer than asyncio, or it would be what is measured: one thread, epoll, and a queue of answers in the order they are due.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_STATUS = b"HTTP/1.0 200 OK\r\n\r\nserver accepts handled requests\n 0 0 %d\n"


def whole(data: bytes) -> bool:
    """Whether this is a request to its end."""
    end = data.find(b"\r\n\r\n")
    length = _LENGTH.search(data, 0, end) if end >= 0 else None
    return end >= 0 and len(data) >= end + 4 + (int(length[1]) if length else 0)


def serve(listener: socket.socket, delay_s: float, heard: Callable[[], None] = lambda: None) -> None:
    """Serve for ever. `heard` is called at each request; a GET is answered at once, as nginx' status page would."""
    listener.setblocking(False)
    poller, connections = select.epoll(), dict[int, socket.socket]()
    poller.register(listener, select.EPOLLIN)
    due, parts, count = deque[tuple[float, socket.socket]](), dict[int, bytes](), 0
    while True:
        wait = max(due[0][0] - time.monotonic(), 0) if due else -1
        for number, _ in poller.poll(wait):
            if number == listener.fileno():
                with contextlib.suppress(BlockingIOError):
                    while True:
                        new, _ = listener.accept()
                        new.setblocking(False)
                        new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        connections[new.fileno()] = new
                        poller.register(new, select.EPOLLIN)
                continue
            connection = connections[number]
            try:
                got = connection.recv(65_536)
            except OSError:
                got = b""
            if not got:
                del connections[number]
                connection.close()
                continue
            if number in parts:
                got = parts.pop(number) + got
            if got.startswith(b"GET"):
                count += 1
                connection.sendall(_STATUS % count)
                del connections[number]
                connection.close()
            elif whole(got):
                count += 1
                heard()
                due.append((time.monotonic() + delay_s, connection))
            else:
                parts[number] = got
        now = time.monotonic()
        while due and due[0][0] <= now:
            with contextlib.suppress(OSError):
                due.popleft()[1].send(_ANSWER)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=4_096)
    print(listener.getsockname()[1], flush=True)
    serve(listener, float(sys.argv[1]) / 1000)


if __name__ == "__main__":
    main()
