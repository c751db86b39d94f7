"""What a request may carry at all, asked before any route sees it."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest, NotFound, RequestEntityTooLarge, UnsupportedMediaType

from integration.domain.errors import InvalidInput

MOST_BYTES = 256 * 1024
#: NUL, which PostgreSQL cannot store, and halves of surrogate pairs, which UTF-8 cannot say.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
#: Without one of these a query string holds neither.
_ODD = re.compile(rb"[%\0\x80-\xff]")


def check_request() -> None:
    """Refuse what cannot be read or stored: 413, 415, 400 for a body; 404 and 422 for text that no database can hold."""
    if (request.content_length or 0) > MOST_BYTES:
        raise RequestEntityTooLarge
    if _UNSTORABLE.search(request.path):
        raise NotFound
    for name, values in request.args.lists() if _ODD.search(request.query_string) else ():
        if any(_UNSTORABLE.search(text) for text in (name, *values)):
            raise _unstorable(name)
    if request.method in ("POST", "PUT", "PATCH") and request.get_data():
        _check_json()


def _check_json() -> None:
    if request.mimetype != "application/json" and not request.mimetype.endswith("+json"):
        raise UnsupportedMediaType
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {_why(error)}. Send an object, such as {{}}.") from error
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object, such as {}.")
    for name, value in body.items():
        if _spoiled(name) or _spoiled(value):
            raise _unstorable(name)


def _why(error: Exception) -> str:
    """What a parser found wrong, and where; nothing of what it was given."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"it is not {error.encoding} at byte {error.start}"
    return "it is nested too deeply" if isinstance(error, RecursionError) else "a number is too long"


def _spoiled(value: Any) -> bool:
    if isinstance(value, str):
        return _UNSTORABLE.search(value) is not None
    if isinstance(value, dict):
        return any(_spoiled(key) or _spoiled(entry) for key, entry in value.items())
    return isinstance(value, list) and any(map(_spoiled, value))


def _unstorable(name: str) -> InvalidInput:
    clean = _UNSTORABLE.sub("\ufffd", name)[:40]
    return InvalidInput(f"{clean}: NUL and lone surrogates are not text.", field=clean)
