"""Any address that takes a POST, also Zapier's hooks: the event's JSON as stored, signed as Standard Webhooks 1.0.0 asks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from integration.channels._answers import JSON, http_verdict
from integration.channels._headers import check_headers, entered_headers, header_lines
from integration.channels._settings import public_url, shown_url, stripped
from integration.domain.catalogue import Channel
from integration.domain.errors import InvalidInput
from integration.domain.message import Dead, Delivered, HttpRequest, Limits, Message, Reply, Verdict
from integration.domain.payload import described
from integration.domain.retry import HOUR
from integration.domain.signing import V1, V1A, check_secret, new_secret

_GONE = Dead("HTTP 410 Gone: the receiver wants no more.", "gone")
#: A web app of Google Apps Script. It answers 302 to a page with what the script said once `doPost` has run; that page
#: takes no POST.
_APPS_SCRIPT = re.compile(r"https://script\.google\.com/(a/([\w.-]+/)?)?macros/([\w.-]+/)?s/[\w-]+/exec(\?.*)?", re.ASCII)
_SCRIPT_SAID = "script.googleusercontent.com"


def _can_sign(secret: str) -> None:
    try:
        check_secret(secret)
    except InvalidInput as error:
        raise ValidationError(f"{error.message} Leave it empty and one is made for you.") from error


def _made(value: Any) -> Any:
    """A new secret where none is entered."""
    return new_secret() if stripped(value) in (None, "") else stripped(value)


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _has_v1(signatures: Sequence[str]) -> None:
    if V1 not in signatures or len(set(signatures)) < len(signatures):
        raise ValidationError('Say ["v1"] or ["v1", "v1a"]: most receivers can check v1 alone.')


class WebhookConfig(Schema):
    """Where to send, and the secret to sign with."""

    url = fields.String(
        required=True,
        pre_load=stripped,
        validate=public_url,
        metadata=described("URL", "The address that takes the POST; it must begin with https://"),
    )
    secret = fields.String(
        load_default=new_secret,
        pre_load=_made,
        validate=_can_sign,
        metadata=described(
            "Signing Secret", "whsec_ and base64 of 24 to 64 bytes, to check signatures with; empty makes one", secret=True
        ),
    )
    headers = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        load_default=dict,
        pre_load=entered_headers,
        validate=check_headers,
        metadata=described(
            "Headers", "Up to 20 headers of your own, such as Authorization: an object, or lines of Name: value", secret=True
        ),
    )
    signatures = fields.List(
        fields.String(validate=validate.OneOf([V1, V1A])),
        load_default=lambda: [V1],
        pre_load=_listed,
        validate=_has_v1,
        metadata=described("Signatures", "v1 (HMAC-SHA256), or v1 and v1a (ed25519, checked with the public key)"),
    )


def render(messages: Sequence[Message], config: Mapping[str, Any]) -> HttpRequest:
    """The stored bytes. The sender signs each attempt anew; `webhook-id` makes a repeat recognisable."""
    url, own = config["url"], config.get("headers")
    headers = JSON + header_lines(own) if own else JSON
    script = url.startswith("https://script.google.com/") and _APPS_SCRIPT.fullmatch(url)
    return HttpRequest(url, messages[0].body, headers=headers, signed=True, taken_at=_SCRIPT_SAID if script else None)


def verdict(reply: Reply) -> Verdict:
    """Only 410 ends it: receivers are deployed wrongly for a while, so every other refusal is tried again."""
    if reply.status == 302 and reply.taken:
        return Delivered()
    return http_verdict(reply, {410: _GONE})


def hint(config: Mapping[str, Any]) -> str:
    """The host: paths of hooks are secrets."""
    return shown_url(config["url"])


CHANNEL = Channel(
    key="webhook",
    label="Webhook",
    description="Posts each event as signed JSON to an address of yours.",
    config=WebhookConfig,
    render=render,
    verdict=verdict,
    hint=hint,
    limits=Limits(),
    manners=("each", "grouped", "bundle"),
    stale_after=72 * HOUR,
    signed=True,
)
