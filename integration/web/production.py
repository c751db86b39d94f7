"""For gunicorn: `gunicorn 'integration.web.production:app()'`."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from apiflask import APIFlask

from integration import config, logs
from integration.service.wiring import build
from integration.web.app import create_app
from integration.web.streams import stop_streams


def app() -> APIFlask:
    """The application with the settings of the environment. What it owes is sent by the workers' sweep."""
    settings = config.load()
    logs.configure(settings)
    made = create_app(build(settings), open_page=False)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
            before = signal.getsignal(number)
            if callable(before) and before is not signal.default_int_handler:  # the server's own: it is a worker of one
                signal.signal(number, _stopping(made, before))
    return made


def _stopping(made: APIFlask, before: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], None]:
    """End the event streams at once, then stop as the server does: it waits for whoever is still being answered."""

    def stop(number: int, frame: FrameType | None) -> None:
        stop_streams(made)
        before(number, frame)

    return stop
