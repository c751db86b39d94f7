"""The application: settings in force, doors hung in."""

from __future__ import annotations

import secrets
from datetime import timedelta
from importlib.metadata import version
from typing import Any

from apiflask import APIFlask
from flask import Flask, Request, Response, request
from flask.json.provider import DefaultJSONProvider
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from integration.derive.openapi import finish
from integration.derive.webhooks import add_webhooks
from integration.service.kept import kept
from integration.service.wiring import Gradewire
from integration.web import errors, schemas
from integration.web.api import reading_routes
from integration.web.auth import require_key
from integration.web.backtests import backtest_routes
from integration.web.body import MOST_BYTES, check_request
from integration.web.dashboard import page_routes
from integration.web.deliveries import delivery_routes
from integration.web.events import event_routes
from integration.web.feed_links import link_routes, linked_routes
from integration.web.finding import finding_routes
from integration.web.hooks import hook_routes
from integration.web.ifttt import ifttt_routes
from integration.web.inbox import inbox_routes
from integration.web.limits import SlidingWindow
from integration.web.notices import notice_routes
from integration.web.replays import replay_routes
from integration.web.streams import LIFE_S, NAME, Streams, stream_routes
from integration.web.telling import destination_routes, subscription_routes
from integration.web.watches import watch_routes
from integration.web.watching import watching_routes

REQUESTS_A_MINUTE = 600
#: The API, in the order of its chapters.
ROUTES = (
    reading_routes,
    finding_routes,
    event_routes,
    stream_routes,
    backtest_routes,
    hook_routes,
    watch_routes,
    link_routes,
    destination_routes,
    subscription_routes,
    delivery_routes,
    replay_routes,
    notice_routes,
)
ABOUT = """What changed in the market, as events: read feeds, or have them sent.

Send your API key in the header `X-Api-Key`. Errors are `{"error": {"code", "message", "field"}}`. Times are UTC.
An event has one id everywhere; sending is at least once, so receivers should ignore an id they have seen."""
_OF_PROGRAMS = ("/v1/", "/feed/", "/ifttt/")
#: Everything comes from here, nothing runs that was not written here. Pico draws small icons as data: images.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class _Json(DefaultJSONProvider):
    """UTF-8, keys in the order they were written."""

    ensure_ascii = False
    sort_keys = False


class _Sessions(SecureCookieSessionInterface):
    """Sessions of the page. Programs send a key: for them none is looked for, and none can be begun."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return None if request.path.startswith(_OF_PROGRAMS) else super().open_session(app, request)


def create_app(
    gradewire: Gradewire, *, open_page: bool = False, requests_a_minute: int = REQUESTS_A_MINUTE, stream_s: float = LIFE_S
) -> APIFlask:
    """The application on a Gradewire. With `open_page`, who sits at this machine sees the page without a key.

    Event streams last `stream_s` seconds; `streams.stop_streams` ends them before that.
    """
    app = APIFlask("integration.web", title="Gradewire", version=version("gradewire"), docs_path=None)
    app.config.update(
        DESCRIPTION=ABOUT,
        AUTO_SERVERS=False,
        SERVERS=[{"url": "/"}],
        HTTP_ERROR_SCHEMA=schemas.Error,
        VALIDATION_ERROR_SCHEMA=schemas.Error,
        MAX_CONTENT_LENGTH=MOST_BYTES,
        SECRET_KEY=kept(gradewire, "session_key", lambda: secrets.token_urlsafe(32)),
        SESSION_COOKIE_NAME="gradewire",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=str(gradewire.settings["public_url"]).startswith("https:"),
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
    )
    app.json = _Json(app)
    app.session_interface = _Sessions()
    app.extensions[NAME] = Streams(gradewire, life_s=stream_s)
    errors.register(app)
    window = SlidingWindow(requests_a_minute)
    _api(app, gradewire, window)
    app.register_blueprint(inbox_routes(gradewire))
    app.register_blueprint(linked_routes(gradewire))
    app.register_blueprint(ifttt_routes(gradewire, window))
    app.register_blueprint(watching_routes(gradewire))
    app.register_blueprint(page_routes(gradewire, open_page=open_page))

    @app.after_request
    def label(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store" if request.path.startswith("/v1") else "no-cache")
        return response

    return app


def _api(app: APIFlask, gradewire: Gradewire, window: SlidingWindow) -> None:
    for routes in ROUTES:
        blueprint = routes(gradewire)
        blueprint.before_request(lambda: require_key(gradewire, window))
        blueprint.before_request(check_request)
        app.register_blueprint(blueprint)

    @app.spec_processor
    def finished(spec: Any) -> Any:
        error = {"$ref": "#/components/schemas/Error"}
        keys = {"triggers": gradewire.catalogue.triggers, "channels": gradewire.channels}
        return add_webhooks(finish(spec, **keys, error=error, said=errors.SAID), gradewire.catalogue.triggers)
