"""Receivers that misbehave, each in one way, on 127.0.0.1: with raw sockets, for no server library would."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: Between two bytes of a trickle. In the world it is a second; a test's deadline is shorter.
TRICKLE_S = 0.05
_KB = b"x" * 1024


@dataclass
class Faulty:
    """A receiver with one fault. `connections` and `requests` count what reached it."""

    url: str
    connections: int = 0
    requests: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)


class Line:
    """One connection, as its fault sees it."""

    def __init__(self, connection: socket.socket, peer: Faulty) -> None:
        self.connection, self.peer = connection, peer

    def asked(self) -> bool:
        """Read one request, head and body; false once the other side has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := self.connection.recv(65536)):
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(row[15:]) for row in head.split(b"\r\n") if row.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += self.connection.recv(65536)
        self.peer.requests += 1
        return True

    def say(self, text: bytes) -> None:
        self.connection.sendall(text)

    def go_on(self, pause: float = 0) -> bool:
        """Whether to go on, after a pause: not when the test is over."""
        return not self.peer.stopping.wait(pause)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Fault = Callable[[Line], None]


def answers(text: bytes) -> Fault:
    """Says the same to every request on a connection."""

    def fault(line: Line) -> None:
        while line.asked():
            line.say(text)

    return fault


def status(code: int, *headers: str, body: bytes = b"no") -> Fault:
    rows = "".join(f"{header}\r\n" for header in headers)
    return answers(f"HTTP/1.1 {code} Status\r\nContent-Length: {len(body)}\r\n{rows}\r\n".encode() + body)


def hang(line: Line) -> None:
    line.asked()
    line.peer.stopping.wait()


def mute(line: Line) -> None:
    """Takes the connection and does not even read."""
    line.peer.stopping.wait()


def reset(line: Line) -> None:
    line.asked()
    line.reset()


def close(line: Line) -> None:
    line.asked()


def trickle(head: bytes) -> Fault:
    """After `head`, a byte at a time for ever."""

    def fault(line: Line) -> None:
        line.asked()
        line.say(head)
        while line.go_on(TRICKLE_S):
            line.say(b"y")

    return fault


def endless(head: bytes, more: bytes) -> Fault:
    """After `head`, as much as the other side will take."""

    def fault(line: Line) -> None:
        line.asked()
        line.say(head)
        while line.go_on():
            line.say(more)

    return fault


def cut_short(line: Line) -> None:
    line.asked()
    line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def circle(line: Line) -> None:
    while line.asked():
        line.say(f"HTTP/1.1 302 Found\r\nLocation: {line.peer.url}\r\nContent-Length: 0\r\n\r\n".encode())


def retry_at_a_date(line: Line) -> None:
    while line.asked():
        when = formatdate(time.time() + 600, usegmt=True)
        line.say(f"HTTP/1.1 429 Busy\r\nRetry-After: {when}\r\nContent-Length: 0\r\n\r\n".encode())


FAULTS: dict[str, Fault] = {
    "hangs": hang,
    "is mute": mute,
    "resets": reset,
    "closes": close,
    "trickles a head": trickle(b"HTTP/1.1 2"),
    "trickles headers": trickle(b"HTTP/1.1 200 OK\r\nX: "),
    "trickles a body": trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    "endless body": endless(b"HTTP/1.1 200 OK\r\n\r\n", _KB),
    "endless chunks": endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + _KB + b"\r\n"),
    "endless headers": endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "endless header": endless(b"HTTP/1.1 200 OK\r\nX: ", _KB),
    "endless hints": endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "garbage": answers(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "garbage in a 200": answers(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\xff\x00\xfe{"),
    "a 200 with wrong chunks": answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "a 200 cut short": cut_short,
    "two answers": answers(OK + b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"),
    "gone": status(410),
    "busy for seconds": status(429, "Retry-After: 600"),
    "busy until a date": retry_at_a_date,
    "redirects in a circle": circle,
}


@contextmanager
def faulty(name: str, *, tls: ssl.SSLContext | None = None, fault: Fault | None = None) -> Iterator[Faulty]:
    """A receiver with a fault of the table, or another; with TLS where a context is given."""
    behave = fault or FAULTS[name]
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        scheme = "https" if tls else "http"
        peer = Faulty(f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/")

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                if tls:
                    connection = tls.wrap_socket(connection, server_side=True)
                with connection:
                    behave(Line(connection, peer))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    peer.connections += 1
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield peer
        peer.stopping.set()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def refusing() -> Iterator[Faulty]:
    """A port at which nobody listens, and nobody will."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Faulty(f"http://127.0.0.1:{bound.getsockname()[1]}/")


@contextmanager
def deaf() -> Iterator[Faulty]:
    """A port whose queue is full: a connection is never made, as behind a firewall that drops."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(listening.getsockname())
        yield Faulty(f"http://127.0.0.1:{listening.getsockname()[1]}/")
