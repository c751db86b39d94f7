"""Which addresses may be entered, and what is said of the others."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError
from marshmallow.experimental.context import Context

from integration.channels._settings import Operator, private_allowed, shown_url, validate_url

GOOD = [
    "https://example.com",
    "https://example.com/a/b?c=d",
    "https://example.com:443/",
    "https://hooks.zapier.com/hooks/standard/1/abc/",
    "https://8.8.8.8/x",
    "https://[2606:4700::1]/x",
    "https://xn--bcher-kva.example/x",
    "HTTPS://EXAMPLE.COM/",
]
BAD = {
    "http://example.com": "https://",
    "ftp://example.com": "https://",
    "file:///etc/passwd": "https://",
    "example.com/hook": "https://",
    "": "characters",
    "https://": "host name",
    "https:///path": "host name",
    "https://[::1%25eth0]/": "host name",
    "https://exa%6dple.com/": "host name",
    "https://[::1/": "not an address",
    "https://example.com:99999/": "not an address",
    "https://example.com:x/": "not an address",
    "https://user:word@example.com/": "user name",
    "https://@example.com/": "user name",
    "https://example.com/#part": "from # on",
    "https://example.com/#": "from # on",
    "https://example.com:8443/": "port 443",
    "https://example.com:0/": "port 443",
    "https://exa mple.com/": "Percent-encode",
    "https://example.com/\n": "Percent-encode",
    "https://example.com/ü": "Percent-encode",
    "https://①②⑦.0.0.1/": "Percent-encode",
    "https://example.com\\@evil.example/": "Percent-encode",
    "https://example.com/" + "a" * 2000: "2000",
}


@pytest.mark.parametrize("url", GOOD)
def test_good_addresses_are_taken(url: str) -> None:
    validate_url(url, allow_http=False)


@pytest.mark.parametrize(("url", "remedy"), BAD.items())
def test_bad_addresses_are_refused_with_the_remedy(url: str, remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        validate_url(url, allow_http=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/x", "http://localhost/x", "https://example.com:8443/"])
def test_the_operator_may_allow_http_and_other_ports(url: str) -> None:
    validate_url(url, allow_http=True)


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://a:b@example.com/", "http://example.com/#x", "http:///x"])
def test_the_operator_allows_no_more_than_that(url: str) -> None:
    with pytest.raises(ValidationError):
        validate_url(url, allow_http=True)


@pytest.mark.parametrize(
    "url", ["https://example.com:8443/", "http://example.com/", "http://example.com:8443/", "https://example.com/"]
)
def test_the_operator_may_name_ports_and_80_allows_plain_http(url: str) -> None:
    validate_url(url, allow_http=False, ports={80, 443, 8443})


@pytest.mark.parametrize(
    ("url", "remedy"), [("http://example.com/", "https://"), ("https://example.com:8080/", "port 443 and 8443 may be called")]
)
def test_other_ports_stay_refused(url: str, remedy: str) -> None:
    with pytest.raises(ValidationError, match=remedy):
        validate_url(url, allow_http=False, ports={443, 8443})


@settings(deadline=None)
@given(st.text(max_size=60).map(lambda text: "https://" + text) | st.text(max_size=60))
def test_what_is_taken_is_plain_https_to_a_host(url: str) -> None:
    try:
        validate_url(url, allow_http=False)
    except ValidationError:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.username, parts.fragment) == ("https", None, "")
    assert parts.hostname
    assert url.isascii()


def test_the_allowance_ends_with_its_block() -> None:
    with Operator({"allow_private": True}):
        assert private_allowed()
    assert not private_allowed()


def test_only_scheme_and_host_are_shown() -> None:
    assert shown_url("https://hooks.example.com/services/secret?also=secret") == "https://hooks.example.com/…"


def test_another_context_allows_nothing() -> None:
    with Context({"suffix": "bar"}):
        assert not private_allowed()
