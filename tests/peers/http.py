"""An HTTP server on 127.0.0.1 that can be told, per request, to be late, to answer otherwise, or to break off."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def answer_json(status: int, value: Any, **headers: str) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


@dataclass(frozen=True, slots=True)
class Told:
    """How to treat one request: after `delay` seconds; with this answer instead of the peer's own; or by breaking off.

    `acts` says that the peer does its work all the same: it is the answer that is lost.
    """

    delay: float = 0.0
    answer: Answer | None = None
    reset: bool = False
    acts: bool = False


class Peer:
    """A vendor. A subclass says in `handle` what it answers; use it in a `with` statement."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._told: deque[Told] = deque()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.peer = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def tell(self, *told: Told) -> None:
        """What to do with the next requests, one each; afterwards the peer is itself again."""
        self._told.extend(told)

    def handle(self, request: Request) -> Answer:
        raise NotImplementedError

    def take(self, request: Request) -> Answer | None:
        """The answer, or None to break off."""
        with self._lock:
            self.requests.append(request)
            told = self._told.popleft() if self._told else Told(acts=True)
            own = self.handle(request) if told.acts else Answer()
        time.sleep(told.delay)
        return None if told.reset else told.answer or own

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    peer: Peer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients go away in the middle where a test wants it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.peer.take(Request(self.command, self.path, headers, body))
        if answer is None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass
