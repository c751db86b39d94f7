"""A secret is found in an answer in whatever form it comes back, and nothing else is lost."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.masking import CUT, MASK, masked, masked_text, needles

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw/+a="
BARE = SECRET.removeprefix("whsec_")
URL = "https://hooks.example.com/services/T0001/very-hidden-token?key=s3cr%20et&next=a%2Fb1234"

ECHOES = {
    "plain": lambda s: s,
    "percent": lambda s: quote(s, safe=""),
    "percent, slashes kept": quote,
    "percent, lower case": lambda s: quote(s, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
    "form": quote_plus,
    "html": html.escape,
    "json": json.dumps,
    "json with slashes": lambda s: json.dumps(s).replace("/", "\\/"),
    "json with entities": lambda s: json.dumps(s).replace("+", "\\u002b").replace("=", "\\u003d"),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 for addresses": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_a_secret_is_found_in_every_form(echo: Callable[[str], str]) -> None:
    head = f"before {echo(SECRET)} after".encode()
    seen = masked(head, [SECRET]).decode()
    assert MASK in seen
    assert seen.startswith("before ")
    assert seen.endswith(" after")
    assert echo(BARE)[4:-6] not in seen


@given(before=st.binary(max_size=40), after=st.binary(max_size=40), secret=st.from_regex("[!-~]{12,60}", fullmatch=True))
def test_a_secret_within_what_was_encoded_is_found_wherever_it_lies(before: bytes, after: bytes, secret: str) -> None:
    whole = base64.b64encode(before + secret.encode() + after)
    left = masked(whole, [secret])
    assert MASK.encode() in left
    assert len(left) - len(MASK.encode()) <= len(whole) - (len(secret) * 4 // 3 - 2)  # all but the letters it shares


def test_the_old_and_the_new_of_many_secrets_are_all_found() -> None:
    secrets = [f"secret-number-{number}" for number in range(30)]
    assert masked(" ".join(secrets).encode(), secrets).decode() == " ".join([MASK] * 30)


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("Cannot POST /services/T0001/very-hidden-token", "Cannot POST …"),
        (f"no handler for {URL}", "no handler for https://hooks.example.com…?key=…&next=…"),
        ("unknown token very-hidden-token.", "unknown token …."),
        ("key 's3cr et' is wrong", "key '…' is wrong"),
        ("next is a/b1234", "next is …"),
        ("services of hooks.example.com", "services of hooks.example.com"),
    ],
)
def test_of_an_address_what_follows_the_host_is_secret(said: str, seen: str) -> None:
    assert masked_text(said, [URL]) == seen


def test_of_a_header_the_token_is_secret_without_its_scheme() -> None:
    assert masked_text("bad token sk-12345678, not a Bearer", ["Bearer sk-12345678"]) == "bad token …, not a Bearer"


def test_of_a_key_each_line_is_secret() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQDX\n-----END PRIVATE KEY-----\n"
    seen = masked_text(json.dumps({"key": key}), [key])
    assert "MIIEvQ" not in seen
    assert "AASCBK" not in seen


@pytest.mark.parametrize("missing", [1, 5, len(BARE) - 5])
def test_a_secret_that_the_end_cuts_off_is_found_by_its_beginning(missing: int) -> None:
    torn = BARE[: len(BARE) - missing].encode()
    head = b"x" * (CUT - len(torn)) + torn
    assert masked(head, [SECRET]) == b"x" * (CUT - len(torn)) + MASK.encode()


def test_an_answer_that_ends_by_itself_keeps_its_end() -> None:
    assert masked(b"he said Mf" + BARE[2:8].encode(), [SECRET]) == b"he said Mf" + BARE[2:8].encode()


@given(st.binary(max_size=300))
def test_an_answer_without_a_secret_stays_as_it_is(head: bytes) -> None:
    assert masked(head, [SECRET, URL]) == head


@pytest.mark.parametrize("short", ["", "a", "abc", "https://example.com/", "https://example.com/?a=b"])
def test_what_is_too_short_to_be_secret_is_let_stand(short: str) -> None:
    assert needles(short) == []
    assert masked(b"abc a https://example.com/?a=b", [short]) == b"abc a https://example.com/?a=b"


def test_odd_texts_break_nothing() -> None:
    odd = "half \ud800 a character"
    assert masked(b"half", [odd, "\0\0\0\0\0", "ü" * 9]) == b"half"
    assert masked_text("said \ud800", ["whatever"]) == "said \ud800"
