"""Tokens of service accounts, from a token endpoint that verifies the signed assertion."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from integration.wire.google import GoogleTokens, TokenRefused
from integration.wire.http import Transport
from tests.peers.google import GooglePeer
from tests.peers.http import Answer, Told


@pytest.fixture
def google() -> Iterator[GooglePeer]:
    with GooglePeer() as peer:
        yield peer


class Clock:
    """Starts at the wall clock, which google-auth reads, and moves when told."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> GoogleTokens:
    return GoogleTokens(lambda: Transport(allow_private=True, total_ms=3_000), clock)


def test_a_key_that_google_knows_gets_a_token(google: GooglePeer, tokens: GoogleTokens) -> None:
    assert tokens.token_for(google.service_account()) in google.tokens


def test_a_token_is_kept_until_five_minutes_before_it_expires(google: GooglePeer, tokens: GoogleTokens, clock: Clock) -> None:
    first = tokens.token_for(google.service_account())
    clock.now += 3600 - 300 - 30
    assert tokens.token_for(google.service_account()) == first
    clock.now += 60
    assert tokens.token_for(google.service_account()) != first
    assert len(google.requests) == 2


def test_a_token_can_be_forgotten(google: GooglePeer, tokens: GoogleTokens) -> None:
    first = tokens.token_for(google.service_account())
    tokens.forget(google.service_account())
    assert tokens.token_for(google.service_account()) != first


def test_many_threads_ask_once(google: GooglePeer, tokens: GoogleTokens) -> None:
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(tokens.token_for(google.service_account()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got)) == 1
    assert len(google.requests) == 1


def test_a_key_that_google_does_not_know_is_refused_in_googles_words(google: GooglePeer, tokens: GoogleTokens) -> None:
    with pytest.raises(TokenRefused, match="invalid_grant: Invalid JWT Signature") as refused:
        tokens.token_for(google.service_account(number=1))
    assert not refused.value.retryable
    assert refused.value.reply.error == "token"
    assert "PRIVATE" not in refused.value.message


def test_a_key_that_cannot_be_read_is_refused_without_a_call(google: GooglePeer, tokens: GoogleTokens) -> None:
    broken = {**google.service_account(), "private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}
    with pytest.raises(TokenRefused, match="cannot be read") as refused:
        tokens.token_for(broken)
    assert refused.value.reply.error == "token"
    assert google.requests == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_google_is_asked_once_and_may_be_asked_again(google: GooglePeer, tokens: GoogleTokens, status: int) -> None:
    google.tell(Told(answer=Answer(status, b"busy")))
    with pytest.raises(TokenRefused) as refused:
        tokens.token_for(google.service_account())
    assert refused.value.retryable
    assert refused.value.reply.error == "failed"
    assert len(google.requests) == 1
    assert tokens.token_for(google.service_account())


def test_a_broken_connection_may_be_tried_again(google: GooglePeer, tokens: GoogleTokens) -> None:
    google.tell(Told(reset=True))
    with pytest.raises(TokenRefused) as refused:
        tokens.token_for(google.service_account())
    assert refused.value.retryable


def test_a_redirect_is_not_followed(google: GooglePeer, tokens: GoogleTokens) -> None:
    google.tell(Told(answer=Answer(307, b"", {"Location": f"{google.url}/token"})))
    with pytest.raises(TokenRefused):
        tokens.token_for(google.service_account())
    assert len(google.requests) == 1


@pytest.mark.parametrize("body", [b"[]", b"{}", b'"text"', b'{"access_token": "t"}', b'{"access_token": "t", "expires_in": "x"}'])
def test_an_answer_that_is_no_token_is_a_refusal(google: GooglePeer, tokens: GoogleTokens, body: bytes) -> None:
    google.tell(Told(answer=Answer(200, body)))
    with pytest.raises(TokenRefused):
        tokens.token_for(google.service_account())


def test_a_token_uri_that_leads_somewhere_private_is_not_called(google: GooglePeer) -> None:
    """It is refused when a key is entered, and once more when its socket opens: for keys from another time."""
    with pytest.raises(TokenRefused, match="the address is not public") as refused:
        GoogleTokens(Transport).token_for(google.service_account())
    assert refused.value.reply.error == "token"
    assert google.requests == []
