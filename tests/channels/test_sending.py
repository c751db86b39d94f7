"""Each channel over the real transport to a peer that speaks and enforces its vendor's contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from integration import channels
from integration.domain.message import Dead, Delivered, HttpRequest, Reply, Retry
from integration.domain.signing import signed_headers
from integration.wire.google import GoogleTokens
from integration.wire.http import Transport
from tests.channels.samples import EVENTS, HOSTILE, event, loaded, message, rendered
from tests.peers.google import EMAIL, GooglePeer
from tests.peers.http import Answer, Told, answer_json
from tests.peers.slack import DISCORD, HOOK, SlackPeer
from tests.peers.webhook import WebhookPeer

NOW = 1_614_265_330
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

every_event = pytest.mark.parametrize("told", EVENTS.values(), ids=EVENTS.keys())


@pytest.fixture
def transport() -> Iterator[Transport[None]]:
    made = Transport[None](allow_private=True, total_ms=3000)
    yield made
    made.close()


# -- webhook


@pytest.fixture
def now() -> Iterator[int]:
    """Seconds at which the receiver's clock stands, for it refuses old signatures."""
    with time_machine.travel(NOW, tick=False):
        yield NOW


@pytest.fixture
def hook() -> Iterator[WebhookPeer]:
    with WebhookPeer(SECRET) as peer:
        yield peer


def post(transport: Transport[None], hook: WebhookPeer, told: dict[str, Any], now: int) -> Reply:
    config = loaded("webhook", allow_private=True, url=f"{hook.url}/hook", secret=SECRET)
    request = rendered("webhook", [message(told)], config)
    assert request.signed
    return transport.send(request, signed_headers(config["secret"], told["id"], now, request.body))


@every_event
def test_a_receiver_verifies_and_keeps_every_event(
    transport: Transport[None], hook: WebhookPeer, told: dict[str, Any], now: int
) -> None:
    reply = post(transport, hook, told, now)
    assert channels.load()["webhook"].verdict(reply) == Delivered()
    assert hook.events[told["id"]] == told


def test_a_repeat_is_recognised_by_its_id(transport: Transport[None], hook: WebhookPeer, now: int) -> None:
    hook.tell(Told(reset=True, acts=True))
    lost = post(transport, hook, event(), now)
    assert lost.ambiguous
    assert isinstance(channels.load()["webhook"].verdict(lost), Retry)
    assert post(transport, hook, event(), now + 5).status == 204
    assert len(hook.requests) == 2
    assert len(hook.events) == 1


# -- Slack and Discord


@pytest.fixture
def slack() -> Iterator[SlackPeer]:
    with SlackPeer() as peer:
        yield peer


def tell_slack(transport: Transport[None], url: str, told: dict[str, Any]) -> Any:
    reply = transport.send(rendered("slack", [message(told)], loaded("slack", allow_private=True, url=url)))
    return channels.load()["slack"].verdict(reply)


@pytest.mark.parametrize("path", [HOOK, DISCORD])
@every_event
def test_slack_and_discord_accept_every_event(
    transport: Transport[None], slack: SlackPeer, told: dict[str, Any], path: str
) -> None:
    assert tell_slack(transport, slack.url + path, told) == Delivered()
    assert len(slack.messages) == 1


def test_a_removed_webhook_waits_for_its_owner(transport: Transport[None], slack: SlackPeer) -> None:
    verdict = tell_slack(transport, f"{slack.url}/services/T0001/B0001/removed", event())
    assert isinstance(verdict, Dead)
    assert verdict.scope == "destination"
    assert "no_service" in verdict.reason


def test_slacks_rate_limit_is_heard(transport: Transport[None], slack: SlackPeer) -> None:
    slack.tell(Told(answer=Answer(429, b"rate_limited", {"Retry-After": "30"})))
    assert tell_slack(transport, slack.url + HOOK, event()) == Retry(30.0, "HTTP 429 Too Many Requests.")
    assert slack.messages == []


@pytest.mark.parametrize("bad", [b"{", b"{}", b"[]", b'{"text": ""}', b'{"blocks": [{"type": "header"}]}'])
def test_the_peer_refuses_what_slack_refuses(transport: Transport[None], slack: SlackPeer, bad: bytes) -> None:
    reply = transport.send(HttpRequest(slack.url + HOOK, bad))
    assert reply.status == 400
    assert isinstance(channels.load()["slack"].verdict(reply), Dead)


# -- Google Sheets


class Sheet:
    """The peer, and the channel's way to it."""

    def __init__(self, peer: GooglePeer, transport: Transport[None], **changes: Any) -> None:
        self.peer, self.transport = peer, transport
        self.channel = channels.load()["sheets"]
        self.config = loaded("sheets", allow_private=True, **{**peer.config(), **changes})
        self.tokens = GoogleTokens(lambda: Transport(allow_private=True, total_ms=3000))

    def send(self, request: HttpRequest) -> Reply:
        assert request.auth == "google"
        return self.transport.send(request, (f"Authorization: Bearer {self.tokens.token_for(self.config['service_account'])}",))

    def append(self, *told: dict[str, Any]) -> Reply:
        return self.send(rendered("sheets", [message(one) for one in told], self.config))

    def prepare(self) -> Reply:
        assert self.channel.prepare
        return self.send(self.channel.prepare(self.config))


@pytest.fixture
def google() -> Iterator[GooglePeer]:
    with GooglePeer() as peer:
        yield peer


@pytest.fixture
def sheet(google: GooglePeer, transport: Transport[None]) -> Sheet:
    return Sheet(google, transport)


def test_every_event_becomes_a_row_below_the_header(sheet: Sheet) -> None:
    assert sheet.prepare().status == 200
    verdict = sheet.channel.verdict(sheet.append(*EVENTS.values()))
    assert verdict == Delivered(f"Events!A2:K{len(EVENTS) + 1}")
    rows = sheet.peer.tabs["Events"]
    assert rows[0][:2] == ["Event ID", "Time (UTC)"]
    assert [row[0] for row in rows[1:]] == [told["id"] for told in EVENTS.values()]


def test_a_formula_stays_text(sheet: Sheet) -> None:
    sheet.append(HOSTILE["formula"])
    assert sheet.peer.tabs["Events"][0][2].startswith("=IMPORTXML(")


def test_after_a_lost_answer_only_missing_rows_are_sent_again(sheet: Sheet) -> None:
    first, second = event(id="evt_first"), event(id="evt_second")
    sheet.prepare()
    sheet.peer.tell(Told(reset=True, acts=True))
    lost = sheet.append(first)
    assert lost.ambiguous
    assert isinstance(sheet.channel.verdict(lost), Retry)

    messages = [message(first), message(second)]
    assert sheet.channel.probe
    assert sheet.channel.absent
    missing = sheet.channel.absent(sheet.send(sheet.channel.probe(messages, sheet.config)), messages)
    assert sheet.send(rendered("sheets", missing, sheet.config)).status == 200
    assert [row[0] for row in sheet.peer.tabs["Events"]] == ["Event ID", "evt_first", "evt_second"]


def test_a_long_column_is_read_whole(sheet: Sheet) -> None:
    """Far more ids than the 4 KiB of an answer that are kept otherwise."""
    messages = [message(event(id=f"evt_{number:026d}")) for number in range(5000)]
    sheet.peer.tabs["Events"] = [[one.id] for one in messages[:-1]]
    assert sheet.channel.probe
    assert sheet.channel.absent
    assert sheet.channel.absent(sheet.send(sheet.channel.probe(messages, sheet.config)), messages) == messages[-1:]


def test_a_spreadsheet_that_is_not_shared_says_so(sheet: Sheet) -> None:
    sheet.peer.shared_with.remove(EMAIL)
    verdict = sheet.channel.verdict(sheet.append(event()))
    assert isinstance(verdict, Dead)
    assert "Share the spreadsheet" in verdict.reason


def test_a_renamed_tab_says_so(google: GooglePeer, transport: Transport[None]) -> None:
    sheet = Sheet(google, transport, tab="Q1 / it's gone?")
    verdict = sheet.channel.verdict(sheet.append(event()))
    assert isinstance(verdict, Dead)
    assert "no such tab" in verdict.reason


def test_a_tab_with_odd_characters_is_found(google: GooglePeer, transport: Transport[None]) -> None:
    google.tabs["Q1 / it's #1?"] = []
    sheet = Sheet(google, transport, tab="Q1 / it's #1?")
    assert sheet.append(event()).status == 200
    assert len(google.tabs["Q1 / it's #1?"]) == 1


def test_a_token_that_was_taken_back_is_renewed(sheet: Sheet) -> None:
    assert sheet.append(event()).status == 200
    sheet.peer.tokens.clear()
    assert isinstance(sheet.channel.verdict(sheet.append(event())), Retry)
    sheet.tokens.forget(sheet.config["service_account"])
    assert sheet.append(event()).status == 200


def test_googles_quota_is_tried_again(sheet: Sheet) -> None:
    sheet.append(event())
    sheet.peer.tell(Told(answer=answer_json(429, {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "Quota"}})))
    assert isinstance(sheet.channel.verdict(sheet.append(event())), Retry)


def test_without_an_allowance_the_peer_is_never_reached(google: GooglePeer) -> None:
    strict = Transport[None](allow_private=False)
    reply = strict.send(rendered("sheets", [message(event())], loaded("sheets", allow_private=True, **google.config())))
    strict.close()
    assert reply.error == "refused"
    assert google.requests == []
