"""A receiver fast enough for many workers: it answers at once and keeps the path and the id of every request."""

from __future__ import annotations

import asyncio
import re
import threading
from typing import Self, cast

_LINE = re.compile(rb"(?i)^POST (\S+) HTTP/1\.1\r\n(?=.*\r\ncontent-length: *(\d+))(?=.*\r\nwebhook-id: *(\S+))", re.DOTALL)
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Recorder:
    """Use it in a `with` statement. From arrival number `hold` on no answer is given until `release`."""

    def __init__(self) -> None:
        self.came: list[tuple[str, str]] = []
        self._hold: int | None = None
        self._held: list[asyncio.Transport] = []
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: _Hearing(self), "127.0.0.1", 0, backlog=512)
        )
        self._thread = threading.Thread(target=self._loop.run_forever, name="recorder")
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def clear(self, hold: int | None = None) -> None:
        """Forget what came."""
        self.release()
        self.came, self._hold = [], hold

    @property
    def holding(self) -> bool:
        """Whether anyone waits for an answer."""
        return bool(self._held)

    def release(self) -> None:
        """Answer all who wait, and from now on at once."""
        self._hold = None
        self._loop.call_soon_threadsafe(self._answer_held)

    def _answer_held(self) -> None:
        while self._held:
            self._held.pop().write(_ANSWER)

    def take(self, path: str, identity: str, asking: asyncio.Transport) -> None:
        """A request has come."""
        self.came.append((path, identity))
        if self._hold is not None and len(self.came) >= self._hold:
            self._held.append(asking)
        else:
            asking.write(_ANSWER)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()


class _Hearing(asyncio.Protocol):
    """One connection, kept as long as the sender likes."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._got = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        while (end := self._got.find(b"\r\n\r\n") + 4) > 3:
            line = _LINE.match(self._got[:end])
            if line is None:
                self._transport.abort()
                return
            whole = end + int(line[2])
            if len(self._got) < whole:
                return
            del self._got[:whole]
            self._recorder.take(line[1].decode(), line[3].decode(), self._transport)
