"""Slack: Block Kit within its limits, nothing a name could turn into a mention or a link."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration import channels
from integration.channels._settings import Operator
from integration.channels.slack import escaped, fitted
from integration.domain.message import Dead, Reply, Retry
from tests.channels.samples import EVENTS, HOSTILE, SLACK, event, loaded, message, rendered
from tests.peers.slack import DISCORD, check_blocks, displayed, links, texts

CHANNEL = channels.load()["slack"]
DISCORD_URL = f"https://discord.com{DISCORD}"


def payload(told: dict[str, Any], url: str = SLACK, **changes: Any) -> dict[str, Any]:
    request = rendered("slack", [message(told, **changes)], loaded("slack", url=url))
    assert request.fresh
    sent: dict[str, Any] = json.loads(request.body)
    return sent


@pytest.mark.parametrize("told", EVENTS.values(), ids=EVENTS.keys())
def test_every_message_keeps_block_kits_limits(told: dict[str, Any]) -> None:
    sent = payload(told)
    check_blocks(sent["blocks"])
    assert 0 < len(sent["text"]) <= 2000
    assert sent["unfurl_links"] is False


@pytest.mark.parametrize("told", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_only_link_is_our_own(told: dict[str, Any]) -> None:
    found = [link for text in texts(payload(told)) for link in links(text)]
    assert found == ["https://gradewire.example/events/1|See it in Gradewire"]


@pytest.mark.parametrize("told", HOSTILE.values(), ids=HOSTILE.keys())
def test_every_ampersand_and_bracket_is_an_entity(told: dict[str, Any]) -> None:
    for text in texts(payload(told, url=SLACK)):
        rest = re.sub("&amp;|&lt;|&gt;", "", text.replace("<https://gradewire.example/events/1|See it in Gradewire>", ""))
        assert not set(rest) & set("&<>")


def test_names_are_shown_as_they_are() -> None:
    name = "*bold* <script> & _co_"
    shown = [displayed(text) for text in texts(payload(event(subject_name=name, summary=f"{name} rose.", direction=name)))]
    assert f"Sharpe Ratio Crossing: {name} (BTC)" in shown
    assert f"{name} rose." in shown
    assert f"Direction\n{name}" in shown


def test_a_value_with_marks_goes_as_plain_text_and_others_with_a_bold_label() -> None:
    fields = payload(event(direction="*up*"))["blocks"][2]["fields"]
    assert fields[0] == {"type": "plain_text", "text": "Direction\n*up*", "emoji": False}
    assert fields[1] == {"type": "mrkdwn", "text": "*Level*\n1", "verbatim": True}


def test_what_is_cut_has_an_ellipsis_and_a_link() -> None:
    sent = payload(HOSTILE["long"])
    assert sent["blocks"][1]["text"]["text"].endswith("…")
    assert "https://gradewire.example/events/1" in sent["text"]


def test_without_a_public_address_there_is_no_link() -> None:
    request = rendered("slack", [message(event(), url=None)], loaded("slack"))
    assert b"http" not in request.body


@settings(deadline=None)
@given(st.text(alphabet=st.characters() | st.sampled_from("&<>"), max_size=400), st.integers(10, 200))
def test_fitted_text_fits_and_tears_no_entity(text: str, limit: int) -> None:
    result = fitted(text, limit)
    assert len(result) <= limit
    if len(escaped(text)) <= limit:
        assert displayed(result) == text
    else:
        assert text.startswith(displayed(result).removesuffix("…"))


@pytest.mark.parametrize("told", EVENTS.values(), ids=EVENTS.keys())
def test_discord_gets_plain_text_within_its_limit(told: dict[str, Any]) -> None:
    sent = payload(told, DISCORD_URL)
    assert list(sent) == ["text"]
    assert 0 < len(sent["text"]) <= 2000


def test_discord_gets_nothing_that_formats_or_mentions() -> None:
    text = payload(HOSTILE["mention"], DISCORD_URL)["text"]
    assert "@everyone" not in text
    assert "@here" not in text
    assert "\\<!channel" in text
    assert r"\*bold\*" in payload(HOSTILE["bold"], DISCORD_URL)["text"]


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/workflows/T/A/1/x",
        "https://hooks.slack.com.evil.example/services/T/B/x",
        "https://evil.example/services/T/B/x",
        "https://discord.com/api/webhooks/1/x",
        "https://discord.com/other/slack",
        "https://discordapp.com/api/webhooks/1/x/slack",
        "http://hooks.slack.com/services/T/B/x",
        "https://hooks.slack.com:8443/services/T/B/x",
    ],
)
def test_only_the_vendors_webhooks_are_taken(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CHANNEL.config().load({"url": url})
    assert list(refused.value.messages) == ["url"]


@pytest.mark.parametrize("url", [SLACK, DISCORD_URL])
def test_the_vendors_webhooks_are_taken(url: str) -> None:
    assert CHANNEL.config().load({"url": f" {url}\n"}) == {"url": url}


def test_a_local_peer_is_for_operators_who_allow_it() -> None:
    with Operator({"allow_private": True}):
        assert CHANNEL.config().load({"url": "http://127.0.0.1:9/services/T/B/x"})


@pytest.mark.parametrize(
    ("status", "word", "scope"),
    [
        (400, b"invalid_payload", "message"),
        (400, b"invalid_blocks", "message"),
        (400, b"no_text", "message"),
        (400, b"user_not_found", "destination"),
        (403, b"action_prohibited", "destination"),
        (404, b"channel_not_found", "destination"),
        (404, b"no_service", "destination"),
        (404, b"no_team", "destination"),
        (410, b"channel_is_archived", "destination"),
    ],
)
def test_slacks_own_word_is_told(status: int, word: bytes, scope: str) -> None:
    verdict = CHANNEL.verdict(Reply(status, word))
    assert isinstance(verdict, Dead)
    assert verdict.scope == scope
    assert word.decode() in verdict.reason


@pytest.mark.parametrize(("status", "word"), [(429, b"rate_limited"), (500, b"rollup_error"), (503, b"")])
def test_what_slack_says_of_itself_is_tried_again(status: int, word: bytes) -> None:
    assert isinstance(CHANNEL.verdict(Reply(status, word)), Retry)
    assert CHANNEL.verdict(Reply(429, b"rate_limited", retry_after="30")) == Retry(30.0, "HTTP 429 Too Many Requests.")


def test_a_page_of_html_is_not_told() -> None:
    verdict = CHANNEL.verdict(Reply(404, b"<html><script>"))
    assert isinstance(verdict, Dead)
    assert "<" not in verdict.reason
