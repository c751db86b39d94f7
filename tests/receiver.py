"""A webhook receiver that records what it gets and answers as it is told: also badly, slowly, or not at all."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer. `fault` replaces the answer: "reset" and "close" give none, "endless" a body without end.

    `held` waits until the receiver is released.
    """

    status: int = 200
    body: bytes = b"ok"
    headers: tuple[tuple[str, str], ...] = ()
    fault: str | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: tuple[str, int]


@dataclass(slots=True)
class Receiver:
    """The running receiver. Answers are given per path, in order; the last one repeats; unknown paths get 200."""

    port: int
    scheme: str = "http"
    requests: list[Received] = field(default_factory=list)
    waiting: int = 0
    _answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _released: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def on(self, path: str, *answers: Answer) -> None:
        self._answers[path] = list(answers)

    def release(self) -> None:
        """Let every held answer go, now and later."""
        self._released.set()

    def at(self, path: str) -> list[Received]:
        return [request for request in self.requests if request.path == path]

    def wait_for(self, count: int, seconds: float = 10.0) -> None:
        """Until so many requests have come; fails after a while."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, seconds), f"only {len(self.requests)} of {count}"

    def took(self, request: Received) -> Answer:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            answers = self._answers.get(request.path.partition("?")[0]) or [Answer()]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self.waiting += answer.held
        if answer.held:
            self._released.wait(60)
            self.waiting -= 1
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    # One packet for one answer: with Nagle's algorithm a kept connection waits 40 ms for each.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.receiver.took(Received(self.command, self.path, headers, body, self.client_address))
        if answer.fault:
            self._fault(answer.fault)
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in answer.headers):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_DELETE = do_POST

    def _fault(self, fault: str) -> None:
        self.close_connection = True
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # The handler's two file objects keep the socket open: only closing all of them sends the RST.
            self.rfile.close()
            self.connection.close()
        elif fault == "endless":
            self.send_response(200)
            self.end_headers()
            while not self.server.stopping.is_set():
                self.wfile.write(b"x" * 4096)
                self.wfile.flush()
        elif fault != "close":
            raise ValueError(fault)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    receiver: Receiver
    stopping: threading.Event

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what several tests are about."""


@contextmanager
def receiver(*, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on 127.0.0.1, with TLS where a context is given."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.stopping = threading.Event()
    server.receiver = Receiver(server.server_port, "https" if tls else "http")
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.stopping.set()
        server.receiver.release()
        server.shutdown()
        with contextlib.suppress(OSError):
            server.server_close()
        thread.join()
