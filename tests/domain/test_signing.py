"""Signatures as Standard Webhooks 1.0.0 publishes them, and as the libraries of receivers verify them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import standardwebhooks
import svix
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.errors import InvalidInput
from integration.domain.signing import check_secret, new_secret, signature, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1_614_265_330
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

Verify = Callable[[str, bytes, dict[str, str]], object]
LIBRARIES: dict[str, tuple[Verify, type[Exception]]] = {
    "standardwebhooks": (
        lambda key, body, headers: standardwebhooks.Webhook(key).verify(body, headers),
        standardwebhooks.WebhookVerificationError,
    ),
    "svix": (lambda key, body, headers: svix.Webhook(key).verify(body, headers), svix.WebhookVerificationError),
}
both = pytest.mark.parametrize("library", LIBRARIES)


def headers(secret: str = SECRET, body: bytes = BODY, at: int = AT) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in signed_headers(secret, ID, at, body))


def test_the_published_vector() -> None:
    assert signature(SECRET, ID, AT, BODY) == SIGNED


def test_the_three_headers() -> None:
    assert headers() == {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": SIGNED}


@both
@time_machine.travel(AT, tick=False)
@given(body=st.dictionaries(st.text(), st.text()).map(lambda d: json.dumps(d).encode()))
def test_receivers_accept_what_is_signed(library: str, body: bytes) -> None:
    verify, _ = LIBRARIES[library]
    secret = new_secret()
    verify(secret, body, headers(secret, body))


@both
@pytest.mark.parametrize("change", ["body", "newline", "key", "id", "timestamp", "old", "early"])
def test_receivers_refuse_what_was_changed(library: str, change: str) -> None:
    verify, refusal = LIBRARIES[library]
    given_headers, body, key = headers(), BODY, SECRET
    at = AT + {"old": 301, "early": -301}.get(change, 0)
    match change:
        case "body":
            body = b'{"test":2432232314}'
        case "newline":
            body += b"\n"
        case "key":
            key = new_secret()
        case "id":
            given_headers["webhook-id"] = "msg_other"
        case "timestamp":
            given_headers["webhook-timestamp"] = str(AT + 1)
    with time_machine.travel(datetime.fromtimestamp(at, UTC), tick=False), pytest.raises(refusal):
        verify(key, body, given_headers)


@pytest.mark.parametrize("text", [SECRET.removeprefix("whsec_"), "whsec_" + "A" * 34])
def test_a_secret_works_without_its_prefix_and_without_padding(text: str) -> None:
    assert check_secret(text) == text


SHORT, LONG = ("whsec_" + base64.b64encode(b"x" * size).decode() for size in (23, 65))


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!!", SHORT, LONG])
def test_a_secret_that_cannot_sign_is_named(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_secret(text)
    assert refused.value.field == "secret"
    assert text not in refused.value.message or not text


def test_new_secrets_are_good_and_differ() -> None:
    one, two = new_secret(), new_secret()
    assert one != two
    assert check_secret(one) == one
