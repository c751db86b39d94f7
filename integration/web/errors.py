"""Every failure, translated once: JSON of one shape for programs, a page for people."""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import Any

import structlog
from apiflask import APIFlask, HTTPError
from flask import Response, json, redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from integration.domain import errors
from integration.service.asking import first_problem

log = structlog.get_logger()

LONGEST = 249
STATUS: dict[type[errors.GradewireError], int] = {
    errors.BadCursor: 400,
    errors.InvalidInput: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooMany: 429,
    errors.UpstreamError: 503,
}
#: What the API answers beside its successes; the document says the same.
SAID = {
    400: "The body is not a JSON object, or the cursor is none of this database.",
    401: "The API key is missing, unknown or revoked.",
    403: "This is not yours to see or to change.",
    404: "There is no such thing, or it is not yours.",
    409: "This contradicts what is already there.",
    413: "The body is larger than 256 KiB.",
    415: "The body is not declared as application/json.",
    422: "A field is not valid; the error names it.",
    429: "Too many requests, or a limit is reached.",
    503: "Token Metrics does not answer as it should.",
}
TEXTS = {
    400: "The request cannot be read.",
    404: "There is nothing at this address; /docs lists what there is.",
    405: "This address does not take that method.",
    413: "The body is too large; send at most 256 KiB.",
    415: "Send JSON with the header Content-Type: application/json.",
    500: "Something went wrong here. It has been noted; try again later.",
}


def error_response(status: int, code: str, message: str, field: str | None = None) -> Response:
    """The one shape of every error. The message is cut to fit."""
    text = message if len(message) <= LONGEST else message[: LONGEST - 1] + "…"
    body = json.dumps({"error": {"code": code, "message": text, "field": field}})
    return Response(body, status, mimetype="application/json")


def register(app: APIFlask) -> None:
    """Put the translations into force."""
    app.register_error_handler(errors.GradewireError, _named)
    app.register_error_handler(HTTPError, _validation)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def for_programs() -> bool:
    """Whether the answer goes to a program, or to a person who looks at the page."""
    return request.path.startswith(("/v1", "/inbox/webhook/", "/feed/", "/ifttt/", "/openapi", "/healthz", "/readyz", "/metrics"))


def _answer(status: int, code: str, message: str, field: str | None = None) -> Response:
    if for_programs():
        return error_response(status, code, message, field)
    return Response(render_template("error.html", status=status, message=message), status, mimetype="text/html")


def _named(error: errors.GradewireError) -> Any:
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
    if status == 401 and not for_programs():
        if "HX-Request" in request.headers:  # a part of an open page: the whole page goes to the form
            return "", 401, {"HX-Redirect": url_for("page.login")}
        return redirect(url_for("page.login", next=request.path))
    answer = _answer(status, error.code, error.message, error.field)
    if isinstance(error, errors.TooMany):
        answer.headers["Retry-After"] = str(max(1, int(error.retry_after)))
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="Gradewire"'
    return answer


def _validation(error: HTTPError) -> Response:
    """What a schema refused, by its first problem."""
    problems: Any = error.detail if isinstance(error.detail, dict) else {}
    name, text = first_problem(ValidationError(next(iter(problems.values()), str(error.message))))
    code = errors.InvalidInput.code if error.status_code == 422 else _code(error.status_code)
    return _answer(error.status_code, code, f"{name}: {text}", name)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    # what is said where it was raised says more than what is said of every such status
    own = error.description if error.description != type(error).description else None
    answer = _answer(status, _code(status), own or TEXTS.get(status, error.description or error.name))
    kept = {name: value for name, value in error.get_headers(request.environ) if name in ("Allow", "Retry-After", "Location")}
    answer.headers.update(kept)
    return answer


def _code(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")


def _unexpected(error: Exception) -> Response:
    """Noted by where it happened only: messages of libraries may quote what they were given."""
    place = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-6:]]
    log.error("request_failed", error=type(error).__name__, at=place, route=str(request.url_rule))
    return _answer(500, "internal_error", TEXTS[500])
