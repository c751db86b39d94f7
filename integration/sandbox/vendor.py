"""The vendor's side: from a request to an answer, in the order key, endpoint, plan, allowance, parameters."""

import time
from collections.abc import Sequence

from flask import Blueprint, Request, Response, request

from integration.sandbox.distort import distorted
from integration.sandbox.endpoints import ENDPOINTS
from integration.sandbox.endpoints.texts import chat
from integration.sandbox.envelope import INVALID, as_json, broken, envelope, failure, refused
from integration.sandbox.faults import HEADER, Fault
from integration.sandbox.naming import v3_row
from integration.sandbox.query import BadRequestError, Query
from integration.sandbox.state import Sandbox

VERSIONS = ("v2", "v3")
CHAT = "tmai"
_BREAKING = frozenset({"cut_off", "not_json", "wrong_envelope", "success_false"})


def vendor_blueprint(sandbox: Sandbox) -> Blueprint:
    """Routes /v2/* and /v3/*."""
    blueprint = Blueprint("vendor", __name__)

    @blueprint.route("/<version>/<path:endpoint>", methods=["GET", "POST"])
    def answer(version: str, endpoint: str) -> Response:
        try:
            faults = sandbox.faults.take(endpoint, request.headers.get(HEADER))
        except ValueError as error:
            return as_json(failure(f"{HEADER}: {error}"), 400)
        for fault in faults:
            if fault.kind == "slow":
                time.sleep(fault.value)
        response = _answer(sandbox, request, version, endpoint, faults)
        sandbox.calls.record(endpoint, response.status_code)
        return response

    return blueprint


def _answer(sandbox: Sandbox, asked: Request, version: str, endpoint: str, faults: Sequence[Fault]) -> Response:
    refusal = _forced(faults) or _refusal(sandbox, asked, version, endpoint)
    if refusal is not None:
        return refusal
    if endpoint == CHAT:
        return _chat(asked, faults)
    query = Query(version, asked.args)
    try:
        _ = query.limit, query.page
        with sandbox.lock:
            view = sandbox.view()
            rows = distorted(ENDPOINTS[endpoint].handler(view, query), faults, view.date(view.today))
    except BadRequestError:
        return as_json({} if ENDPOINTS[endpoint].bare_400 else failure(INVALID), 400)
    if version == "v3":
        rows = [v3_row(row, sandbox.slugs) for row in rows]
    return _spoilt(envelope(rows), faults)


def _forced(faults: Sequence[Fault]) -> Response | None:
    """The answer of a fault that is a status."""
    for fault in faults:
        if fault.kind == "unauthorized":
            return refused(401)
        if fault.kind == "forbidden":
            return refused(403)
        if fault.kind == "rate_limited":
            return _rate_limited(int(fault.value))
        if fault.kind == "rate_limited_bare":
            return refused(429)
        if fault.kind == "server_error":
            return refused(int(fault.value))
    return None


def _refusal(sandbox: Sandbox, asked: Request, version: str, endpoint: str) -> Response | None:
    """401, 404, 405, 403 or 429; None takes one call from the key's allowance."""
    key = asked.headers.get("x-api-key") or asked.headers.get("api_key") or ""
    if key != sandbox.settings.key:
        return refused(401)
    known = endpoint == CHAT or (endpoint in ENDPOINTS and version in ENDPOINTS[endpoint].versions)
    if version not in VERSIONS or not known:
        return refused(404)
    if (asked.method == "POST") != (endpoint == CHAT):
        return refused(405)
    if endpoint in sandbox.plan.locked:
        return refused(403)
    wait = sandbox.calls.spend(key)
    return None if wait is None else _rate_limited(wait)


def _rate_limited(seconds: int) -> Response:
    """429 with both headers that clients read; upstream is not known to send either."""
    return refused(429, {"Retry-After": str(seconds), "X-RateLimit-Reset": str(int(time.time()) + seconds)})


def _spoilt(body: dict[str, object], faults: Sequence[Fault]) -> Response:
    for fault in faults:
        if fault.kind in _BREAKING:
            return broken(body, fault.kind, fault.value)
    return as_json(body)


def _chat(asked: Request, faults: Sequence[Fault]) -> Response:
    """The chat's answer to the last message of the user."""
    body = asked.get_json(silent=True)
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return as_json(failure(INVALID), 400)
    return _spoilt(chat(str(messages[-1].get("user", ""))), faults)
