"""Signatures as Standard Webhooks 1.0.0 publishes them, and as the libraries of receivers verify them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
import svix
import time_machine
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.errors import Conflict, InvalidInput
from integration.domain.retry import HOUR
from integration.domain.signing import (
    MOST_OLD,
    Signer,
    check_secret,
    new_secret,
    new_signing_key,
    public_key,
    rotated,
    signature,
    signature_v1a,
    signed_headers,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1_614_265_330
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
KEY = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
SIGNED_V1A = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="

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


# -- v1a, and keys that are rotated ----------------------------------------------------------------------------------


def signatures(keys: dict[str, Any], now: int = AT * 1000, body: bytes = BODY) -> list[str]:
    """The entries of the header, as a receiver splits it."""
    (line,) = [line for line in Signer(keys).headers(ID, now, body) if line.startswith("webhook-signature: ")]
    return line.removeprefix("webhook-signature: ").split(" ")


def holds(public: str, entry: str, body: bytes = BODY, at: int = AT) -> bool:
    """Whether a v1a entry holds, as a receiver checks it with the public key alone."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    try:
        key.verify(base64.b64decode(entry.removeprefix("v1a,")), f"{ID}.{at}.".encode() + body)
    except InvalidSignature:
        return False
    return True


def test_the_published_vector_of_v1a() -> None:
    assert signature_v1a(KEY, ID, AT, BODY) == SIGNED_V1A
    assert public_key(KEY) == "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
    assert holds(public_key(KEY), SIGNED_V1A)


def test_new_signing_keys_hold_seed_and_public_key_and_differ() -> None:
    one, two = new_signing_key(), new_signing_key()
    assert one != two
    assert base64.b64decode(one.removeprefix("whsk_"))[32:] == base64.b64decode(public_key(one).removeprefix("whpk_"))
    assert len(base64.b64decode(one.removeprefix("whsk_"))) == 64


def test_v1_comes_first_and_v1a_beside_it_where_it_is_wanted() -> None:
    keys = {"secret": SECRET, "signing_key": KEY, "signatures": ["v1", "v1a"]}
    assert signatures(keys) == [SIGNED, SIGNED_V1A]
    assert signatures({**keys, "signatures": ["v1"]}) == [SIGNED]


def test_older_settings_go_on_with_v1_alone() -> None:
    assert signatures({"secret": SECRET}) == [SIGNED]
    assert signatures({"secret": SECRET, "signatures": ["v1", "v1a"]}) == [SIGNED]


@given(body=st.binary(max_size=200))
def test_a_body_that_was_changed_has_no_v1a(body: bytes) -> None:
    _, entry = signatures({"secret": SECRET, "signing_key": KEY, "signatures": ["v1", "v1a"]}, body=body)
    assert holds(public_key(KEY), entry, body)
    assert not holds(public_key(KEY), entry, body + b"\n")
    assert not holds(public_key(KEY), entry, body, AT + 1)
    assert not holds(public_key(new_signing_key()), entry, body)


@both
@time_machine.travel(AT, tick=False)
def test_receivers_accept_a_list_by_the_new_secret_and_by_the_old(library: str) -> None:
    verify, refusal = LIBRARIES[library]
    before = {"secret": SECRET, "signing_key": KEY, "signatures": ["v1", "v1a"]}
    after = rotated(before, AT * 1000, HOUR)
    told = dict(line.split(": ", 1) for line in Signer(after).headers(ID, AT * 1000, BODY))
    verify(after["secret"], BODY, told)
    verify(SECRET, BODY, told)
    with pytest.raises(refusal):
        verify(new_secret(), BODY, told)


def test_while_they_overlap_both_sign_the_current_one_first() -> None:
    before = {"url": "x", "secret": SECRET, "signing_key": KEY, "signatures": ["v1", "v1a"]}
    after = rotated(before, AT * 1000, HOUR)
    assert after.keys() == {*before, "old_keys"}
    assert (after["url"], after["signatures"]) == ("x", ["v1", "v1a"])
    assert len({after["secret"], after["signing_key"], SECRET, KEY}) == 4
    first, second, third, fourth = signatures(after)
    assert [first, second] == [signature(after["secret"], ID, AT, BODY), SIGNED]
    assert [third, fourth] == [signature_v1a(after["signing_key"], ID, AT, BODY), SIGNED_V1A]


def test_the_old_one_signs_until_the_overlap_ends_and_not_a_millisecond_longer() -> None:
    after = rotated({"secret": SECRET}, AT * 1000, HOUR)
    new = [signature(after["secret"], ID, AT + 3599, BODY), signature(after["secret"], ID, AT + 3600, BODY)]
    assert signatures(after, (AT + 3600) * 1000 - 1) == [new[0], signature(SECRET, ID, AT + 3599, BODY)]
    assert signatures(after, (AT + 3600) * 1000) == [new[1]]


def test_without_an_overlap_the_old_one_signs_no_more() -> None:
    after = rotated({"secret": SECRET, "signing_key": KEY}, AT * 1000, 0)
    assert after["old_keys"] == []
    assert signatures(after) == [signature(after["secret"], ID, AT, BODY)]


def test_ten_old_ones_sign_at_most_and_those_that_ended_are_forgotten() -> None:
    keys: dict[str, Any] = {"secret": SECRET}
    for hour in range(MOST_OLD):
        keys = rotated(keys, AT * 1000 + hour, HOUR)
    assert len(signatures(keys, AT * 1000 + MOST_OLD)) == 1 + MOST_OLD
    with pytest.raises(Conflict):
        rotated(keys, AT * 1000 + MOST_OLD, HOUR)
    assert len(rotated(keys, AT * 1000 + MOST_OLD, 0)["old_keys"]) == MOST_OLD
    assert len(rotated(keys, AT * 1000 + HOUR, HOUR)["old_keys"]) == MOST_OLD
    assert len(rotated(keys, AT * 1000 + 2 * HOUR, HOUR)["old_keys"]) == 1
