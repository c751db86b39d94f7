"""For gunicorn: `gunicorn 'integration.web.production:app()'`."""

from __future__ import annotations

from apiflask import APIFlask

from integration import config, logs
from integration.service.wiring import build
from integration.web.app import create_app


def app() -> APIFlask:
    """The application with the settings of the environment. What it owes is sent by the workers' sweep."""
    settings = config.load()
    logs.configure(settings)
    return create_app(build(settings), open_page=False)
