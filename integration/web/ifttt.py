"""IFTTT's service protocol, as an adapter over the same feeds: /ifttt/v1.

IFTTT itself asks with the service key; for a user it sends a bearer token, which is an API key here.
"""

from __future__ import annotations

import hmac
from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, json, request
from werkzeug.exceptions import HTTPException

from integration.domain.errors import GradewireError, InvalidInput, NotFound, TooMany, Unauthenticated
from integration.service import ifttt
from integration.service.accounts import authenticate
from integration.service.wiring import Gradewire
from integration.web.auth import bearer
from integration.web.body import check_request
from integration.web.limits import SlidingWindow

DEFAULT_LIMIT, MOST = 50, 1_000
_SERVICE = ("ifttt.status", "ifttt.test_setup")
#: What went wrong, by the status that IFTTT knows for it.
_STATUS: tuple[tuple[type[GradewireError], int], ...] = (
    (Unauthenticated, 401),
    (NotFound, 404),
    (TooMany, 429),
    (InvalidInput, 400),
    (GradewireError, 503),
)


def ifttt_routes(gradewire: Gradewire, window: SlidingWindow) -> APIBlueprint:
    """Routes of the adapter; they answer 404 as long as no service key is set."""
    api = APIBlueprint("ifttt", __name__, url_prefix="/ifttt/v1", enable_openapi=False)

    @api.before_request
    def check() -> None:
        _check_access(gradewire, window)
        check_request()

    @api.errorhandler(GradewireError)
    def failed(error: GradewireError) -> Response:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        body: dict[str, Any] = {"message": error.message}
        if status == 400:
            body["status"] = "SKIP"  # asked again the same way, it fails the same way
        answer = _json({"errors": [body]}, status)
        if isinstance(error, TooMany):
            answer.headers["Retry-After"] = str(max(1, int(error.retry_after)))
        return answer

    @api.errorhandler(HTTPException)
    def unreadable(error: HTTPException) -> Response:
        return _json({"errors": [{"message": error.description or error.name}]}, error.code or 400)

    @api.get("/status")
    def status() -> Response:
        return Response(status=200)

    @api.post("/test/setup")
    def test_setup() -> Response:
        return _json({"data": ifttt.test_setup(gradewire)})

    @api.get("/user/info")
    def user_info() -> Response:
        return _json({"data": {"id": g.owner.account_id, "name": g.owner.email}})

    @api.post("/triggers/<slug>")
    def trigger(slug: str) -> Response:
        asked = _body()
        fields, identity = asked.get("triggerFields"), asked.get("trigger_identity")
        if not isinstance(fields, dict):
            raise InvalidInput("triggerFields is missing: send an object, {} for what is usual.", field="triggerFields")
        if identity is not None and not (isinstance(identity, str) and 0 < len(identity) <= 200):
            raise InvalidInput("trigger_identity must be a text of 1 to 200 characters.", field="trigger_identity")
        given = {str(name): text for name, value in fields.items() if (text := _text(value))}  # it sends what was left empty
        events = ifttt.timeline(gradewire, g.owner, _trigger(gradewire, slug), given, identity, _limit(asked))
        return _json({"data": events})

    @api.post("/triggers/<slug>/fields/<field>/options")
    def options(slug: str, field: str) -> Response:
        return _json({"data": ifttt.choices(gradewire, _trigger(gradewire, slug), field)})

    @api.delete("/triggers/<slug>/trigger_identity/<identity>")
    def forget(slug: str, identity: str) -> Response:
        _trigger(gradewire, slug)
        ifttt.forget(gradewire, g.owner.account_id, identity)
        return _json({"data": {}})

    return api


def _check_access(gradewire: Gradewire, window: SlidingWindow) -> None:
    """IFTTT itself by the service key, a user by the bearer token."""
    key = str(gradewire.settings["ifttt_service_key"])
    if not key:
        raise NotFound("IFTTT is not set up here: GRADEWIRE_IFTTT_SERVICE_KEY is not set.")
    if request.endpoint in _SERVICE:
        sent = request.headers.get("IFTTT-Service-Key") or request.headers.get("IFTTT-Channel-Key") or ""
        if not hmac.compare_digest(sent.encode(), key.encode()):
            raise Unauthenticated("The header IFTTT-Service-Key is missing or wrong.")
        return
    g.owner = authenticate(gradewire, bearer())
    window.check(g.owner.key_id, gradewire.now())


def _body() -> dict[str, Any]:
    """The body; what IFTTT adds beside what is known here is passed over."""
    body: Any = request.get_json(silent=True) if request.get_data() else {}
    return body if isinstance(body, dict) else {}


def _trigger(gradewire: Gradewire, slug: str) -> Any:
    if slug not in gradewire.catalogue.triggers:
        raise NotFound(f"There is no trigger {slug[:40]!r}.")
    return gradewire.catalogue.triggers[slug]


def _limit(asked: dict[str, Any]) -> int:
    limit = asked.get("limit", DEFAULT_LIMIT)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise InvalidInput("limit must be a whole number, 0 or more.", field="limit")
    return min(limit, MOST)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json; charset=utf-8")
