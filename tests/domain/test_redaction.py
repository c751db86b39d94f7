"""What a receiver's answer may repeat of our secrets is not shown."""

from __future__ import annotations

import pytest

from integration.domain.redaction import redacted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "signed with whsec_…"),
        ("key gw_live_abcdefghijkl", "key gw_live_…"),
        ("webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,hnO3f9T8Ytu9HwrX", "webhook-signature: … v1a,…"),
        ("Authorization: Bearer ya29.a0AfH6SMBx", "Authorization: Bearer …"),
        ("sent bearer abcdefghijk", "sent bearer …"),
        ('{"token": "xoxb-1234567890-abc", "ok": false}', '{"token": "…", "ok": false}'),
        ("https://hooks.slack.com/services/T000/B000/XXXXXXXX is gone", "https://hooks.slack.com/services/… is gone"),
        ("https://discord.com/api/webhooks/123/abcdefgh", "https://discord.com/api/webhooks/…"),
        ("jwt eyJhbGciOi.eyJzdWIi.sig-nature", "jwt eyJ…"),
        ("password=hunter22&user=ada", "password=…&user=ada"),
        ("HTTP 404 Not Found: no hook at this address", "HTTP 404 Not Found: no hook at this address"),
        ("the token is missing", "the token is missing"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_nothing_else(text: str, shown: str):
    assert redacted(text) == shown


def test_known_secrets_are_masked_the_longest_first():
    known = ["/hook/abc123", "/hook/abc123/very/secret"]
    assert redacted("POST /hook/abc123/very/secret and /hook/abc123", known) == "POST … and …"


def test_short_words_are_no_secrets():
    assert redacted("/a path, ok", ["/a", "ok"]) == "/a path, ok"
