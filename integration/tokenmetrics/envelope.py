"""What every list answer is wrapped in, checked before a row is looked at."""

from __future__ import annotations

from typing import Any, cast

import orjson
from marshmallow import EXCLUDE, Schema, ValidationError, fields

from integration.domain.errors import UpstreamError

LONGEST_MESSAGE = 200


class Garbled(UpstreamError):
    """Token Metrics answered with something that is not a whole answer."""


class Rows(fields.Field[list[dict[str, Any]]]):
    """A list of objects; what is in them is the sources' to check."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not all(type(row) is dict for row in value):
            raise ValidationError("Not a list of rows.")
        return value


class Envelope(Schema):
    """`{"success": true, "message": "…", "length": rows in this page, "data": [rows]}`."""

    success = fields.Boolean(required=True, truthy={True}, falsy={False})
    message = fields.Raw(load_default=None, allow_none=True)
    length = fields.Integer(load_default=None, allow_none=True)
    data = Rows(load_default=None, allow_none=True)


_ENVELOPE = Envelope(unknown=EXCLUDE)


def rows_of(body: bytes, limit: int | None) -> list[dict[str, Any]]:
    """The rows of an answer to a call for at most `limit` of them; Garbled where trying again may help.

    A page shorter than its own length was cut off. Where the length is above the limit it counts more than this page.
    """
    try:
        envelope = _ENVELOPE.load(orjson.loads(body))
    except orjson.JSONDecodeError:
        raise Garbled("the answer is not JSON") from None
    except ValidationError as error:
        raise Garbled(f"the answer has no valid {', '.join(_names(error))}") from None
    if not envelope["success"]:
        raise UpstreamError(message_of(envelope["message"]) or "the answer says that it failed")
    rows, length = envelope["data"], envelope["length"]
    if rows is None:
        raise Garbled("the answer has no data")
    if length is not None and len(rows) < length <= (limit or length):
        raise Garbled(f"the answer holds {len(rows)} of {length} rows")
    return cast("list[dict[str, Any]]", rows)


def answer_of(body: bytes) -> list[str]:
    """The one answer of Token Metrics AI, at the top or in `data`; Garbled where there is none."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Garbled("the answer is not JSON") from None
    if isinstance(told, dict) and told.get("success") is False:
        raise UpstreamError(message_of(told.get("message")) or "the answer says that it failed")
    parts = [told, told.get("data")] if isinstance(told, dict) else []
    found = next((part["answer"] for part in parts if isinstance(part, dict) and part.get("answer")), None)
    if not isinstance(found, str):
        raise Garbled("the answer has no text")
    return [found]


def _names(error: ValidationError) -> list[str]:
    # the error of a body that is no object at all is under one name of marshmallow's own
    return ["envelope" if name == "_schema" else str(name) for name in error.messages_dict]


def message_of(text: Any) -> str:
    """Upstream's own words on one line, shortened."""
    words = " ".join(text.split()) if isinstance(text, str) else ""
    return words if len(words) <= LONGEST_MESSAGE else words[: LONGEST_MESSAGE - 1] + "…"


def refusal(body: bytes) -> str:
    """The message of an error's body, or nothing: its form is not known."""
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    return message_of(decoded.get("message")) if isinstance(decoded, dict) else ""
