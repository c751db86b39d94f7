"""Any address that takes a POST, also Zapier's hooks: the event's JSON as stored, signed as Standard Webhooks 1.0.0 asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields

from integration.channels._answers import JSON, http_verdict
from integration.channels._settings import public_url, shown_url, stripped
from integration.domain.catalogue import Channel
from integration.domain.errors import InvalidInput
from integration.domain.message import Dead, HttpRequest, Limits, Message, Reply, Verdict
from integration.domain.payload import described
from integration.domain.retry import HOUR
from integration.domain.signing import check_secret, new_secret

_GONE = Dead("HTTP 410 Gone: the receiver wants no more.", "gone")


def _can_sign(secret: str) -> None:
    try:
        check_secret(secret)
    except InvalidInput as error:
        raise ValidationError(f"{error.message} Leave it empty and one is made for you.") from error


def _made(value: Any) -> Any:
    """A new secret where none is entered."""
    return new_secret() if stripped(value) in (None, "") else stripped(value)


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


def render(messages: Sequence[Message], config: Mapping[str, Any]) -> HttpRequest:
    """The stored bytes. The sender signs each attempt anew; `webhook-id` makes a repeat recognisable."""
    return HttpRequest(config["url"], messages[0].body, headers=JSON, signed=True)


def verdict(reply: Reply) -> Verdict:
    """Only 410 ends it: receivers are deployed wrongly for a while, so every other refusal is tried again."""
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
    manners=("each", "grouped"),
    stale_after=72 * HOUR,
)
