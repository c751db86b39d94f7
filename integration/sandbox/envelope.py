"""Response bodies: the vendor's envelope, its errors (those of 401 and above are assumed), and broken ones."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Response

SUCCESS = "Data fetched successfully"
INVALID = "Some thing wrong"
"""The vendor's message for a 400, spelled so."""

MESSAGES = {
    401: "Invalid or missing API key (sandbox)",
    403: "Your plan does not include this endpoint (sandbox)",
    404: "Unknown endpoint (sandbox)",
    405: "Method not allowed (sandbox)",
    429: "Too many requests (sandbox)",
    500: "Internal server error (sandbox)",
}


def envelope(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The success envelope: ``length`` is the number of rows on this page."""
    return {"success": True, "message": SUCCESS, "length": len(rows), "data": rows}


def failure(message: str) -> dict[str, Any]:
    """The envelope of an error."""
    return {"success": False, "message": message, "length": 0, "data": []}


def as_json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response; NaN is refused, since it is not JSON."""
    text = json.dumps(body, separators=(",", ":"), allow_nan=False)
    return Response(text, status, dict(headers or {}), mimetype="application/json")


def refused(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An error answer with the message of its status."""
    return as_json(failure(MESSAGES.get(status, MESSAGES[500])), status, headers)


def broken(body: dict[str, Any], kind: str, value: float) -> Response:
    """The body of a success, spoilt: cut_off, not_json, wrong_envelope or success_false."""
    if kind == "cut_off":
        return _cut_off(json.dumps(body, separators=(",", ":")).encode(), value)
    if kind == "not_json":
        return Response("<html><body>Sandbox gateway page, not JSON</body></html>", 200, mimetype="text/html")
    if kind == "wrong_envelope":
        return as_json({"status": "ok", "result": {"items": body.get("data", [])}})
    return as_json(failure("Sandbox failure in a 200"))


def _cut_off(body: bytes, share: float) -> Response:
    """Declares the whole length and sends a share of it; the server then has to cut the connection."""
    part = body[: int(len(body) * share)]

    def chunks() -> Iterator[bytes]:
        yield part

    response = Response(chunks(), 200, mimetype="application/json")
    response.headers["Content-Length"] = str(len(body))
    return response
