"""Headers of the receiver's owner: what is taken, what is refused, and that it is said why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration import channels
from integration.channels._headers import check_headers
from tests.channels.samples import HOOK, event, loaded, message, rendered

CONFIG = channels.load()["webhook"].config


def load(headers: Any) -> dict[str, str]:
    taken: dict[str, str] = CONFIG().load({"url": HOOK, "headers": headers})["headers"]
    return taken


GOOD: list[tuple[Any, dict[str, str]]] = [
    ({"Authorization": "Bearer abc.def=="}, {"Authorization": "Bearer abc.def=="}),
    ({"X-Api-Key": "  k3y "}, {"X-Api-Key": "k3y"}),
    ("Authorization: Bearer a:b\n\n X-Env : test \n", {"Authorization": "Bearer a:b", "X-Env": "test"}),
    ("", {}),
    ({}, {}),
    ({"Accept": "*/*", "Origin": "https://example.com", "Webhook": "yes", "Hostname": "h"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("entered", "taken"), GOOD)
def test_headers_are_taken_as_an_object_or_as_lines(entered: Any, taken: dict[str, str] | None) -> None:
    assert load(entered) == (entered if taken is None else taken)


RESERVED = """
Host HOST Content-Length Transfer-Encoding Connection Content-Type Content-Encoding Cookie Set-Cookie Proxy-Authorization
Proxy-Connection TE Upgrade Expect Trailer Keep-Alive X-Forwarded-For X-Forwarded-Host X-Real-IP Forwarded Via User-Agent
Accept-Encoding HTTP2-Settings webhook-id Webhook-Timestamp webhook-signature webhook-anything svix-signature Webhook_Signature
Content_Length Metadata-Flavor Metadata X-aws-ec2-metadata-token X-Google-Metadata-Request
"""


@pytest.mark.parametrize("name", RESERVED.split())
def test_what_is_not_the_owners_to_set_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValidationError, match=f"The header {name} is not yours to set"):
        load({name: "x"})


@pytest.mark.parametrize("name", ["", "X Y", "X:Y", "X\r\nY", "Bücher", "X(Y)", "X/Y", "X\0", "x" * 5000])
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        load({name: "x"})


@pytest.mark.parametrize("value", ["", "   ", "a\r\nB: c", "a\nb", "a\0b", "a\tb", "ü", "…", "a\x7f", 7, None, ["a"], {"a": "b"}])
def test_a_value_that_is_not_one_line_of_ascii_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        load({"X-Key": value})


@pytest.mark.parametrize(
    ("entered", "remedy"),
    [
        ({f"X-{number}": "v" for number in range(21)}, "at most 20"),
        ({"X-Key": "a", "x-key": "b"}, "once"),
        ("X-Key: a\nx-key: b", "once"),
        ("X-Key a", "like Name: value"),
        ({"X-Key": "v" * 4096}, "4 KiB"),
        ({"X-A": "v" * 2045, "X-B": "v" * 2045}, "4 KiB"),
    ],
)
def test_too_many_or_twice_the_same_is_refused_with_the_remedy(entered: Any, remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        load(entered)


def test_twenty_headers_of_four_kibibytes_are_taken() -> None:
    full = {f"X-{number:02}": "v" * (204 - 4 - 4) for number in range(20)}
    assert sum(len(name) + len(value) + 4 for name, value in full.items()) <= 4096
    assert load(full) == full


def test_a_refusal_never_shows_the_value() -> None:
    for headers in ({"X-Key": "very-hidden\n"[:11] + "ü"}, {"Host": "very-hidden"}, {"X-Key": "very-hidden" * 500}):
        with pytest.raises(ValidationError) as refused:
            load(headers)
        assert "very-hidden" not in str(refused.value)


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=30), max_size=4))
def test_what_is_taken_makes_one_line_each(headers: dict[str, str]) -> None:
    try:
        check_headers(headers)
    except ValidationError:
        return
    request = rendered("webhook", [message(event())], {**loaded("webhook"), "headers": headers})
    own = request.headers[2:]
    assert len(own) == len(headers)
    assert all(line.isascii() and line.isprintable() and line.partition(": ")[2] for line in own)


def test_they_are_sent_after_our_own() -> None:
    request = rendered("webhook", [message(event())], loaded("webhook", headers={"X-Key": "abc"}))
    assert request.headers == ("Content-Type: application/json", "User-Agent: Gradewire/1", "X-Key: abc")
