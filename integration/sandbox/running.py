"""Serving a sandbox: blocking, or in a thread of this process."""

import threading
from types import TracebackType
from typing import Any

import waitress
from flask import Flask
from waitress.server import create_server

from integration.sandbox.app import create_sandbox
from integration.sandbox.settings import SandboxSettings
from integration.sandbox.state import Sandbox

_THREADS = 16
_STOP_SECONDS = 10
_POLLING = {"asyncore_use_poll": True}  # select() ends at 1,024 open files


def serve(settings: SandboxSettings, host: str = "127.0.0.1", port: int = 8799) -> None:
    """Serve a sandbox until the process is told to stop."""
    waitress.serve(create_sandbox(settings), host=host, port=port, threads=_THREADS, ident="sandbox", **_POLLING)


class RunningSandbox:
    """A sandbox served on 127.0.0.1 by a daemon thread; a context manager. Port 0 takes a free port."""

    def __init__(self, settings: SandboxSettings | None = None, port: int = 0) -> None:
        self.app: Flask = create_sandbox(settings or SandboxSettings())
        self.sandbox: Sandbox = self.app.extensions["sandbox"]
        self._port = port
        self._sockets: dict[int, Any] = {}
        self._server: Any = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base address, such as http://127.0.0.1:40123; RuntimeError before ``start``."""
        if self._server is None:
            raise RuntimeError("the sandbox is not running: call start() first")
        return f"http://127.0.0.1:{self._server.effective_port}"

    def start(self) -> "RunningSandbox":
        """Bind and serve."""
        self._server = create_server(
            self.app, map=self._sockets, host="127.0.0.1", port=self._port, threads=_THREADS, ident="sandbox", **_POLLING
        )
        self._thread = threading.Thread(target=self._server.run, name="sandbox", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close every socket and wait for the threads; does nothing when not running."""
        if self._server is None or self._thread is None:
            return
        # The sockets belong to the server's loop: closing them anywhere else races with its select().
        self._server.trigger.pull_trigger(self._close_all)
        self._thread.join(_STOP_SECONDS)
        self._server.task_dispatcher.shutdown()
        self._server = self._thread = None

    def _close_all(self) -> None:
        for dispatcher in list(self._sockets.values()):
            dispatcher.close()

    def __enter__(self) -> "RunningSandbox":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
