"""Standard Webhooks signatures, version 1 (spec 1.0.0): HMAC-SHA256 over `id.timestamp.body`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from functools import lru_cache

from integration.domain.errors import InvalidInput

PREFIX = "whsec_"


def new_secret() -> str:
    """A fresh secret: `whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


@lru_cache(maxsize=20_000)
def _keyed(secret: str) -> hmac.HMAC:
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("The secret must be `whsec_` followed by base64.", field="secret") from error
    if not 24 <= len(key) <= 64:
        raise InvalidInput("The secret must hold 24 to 64 bytes.", field="secret")
    return hmac.new(key, digestmod=hashlib.sha256)


def check_secret(secret: str) -> str:
    """The secret itself if it can sign; raises InvalidInput naming the field otherwise."""
    _keyed(secret)
    return secret


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One entry of the header `webhook-signature`: "v1," and base64. `timestamp` is in whole seconds UTC."""
    mac = _keyed(secret).copy()
    mac.update(f"{message_id}.{timestamp}.".encode())
    mac.update(body)
    return "v1," + base64.b64encode(mac.digest()).decode()


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> tuple[str, str, str]:
    """The three header lines of an attempt; each attempt has its own timestamp, hence its own signature."""
    return (
        f"webhook-id: {message_id}",
        f"webhook-timestamp: {timestamp}",
        f"webhook-signature: {signature(secret, message_id, timestamp, body)}",
    )
