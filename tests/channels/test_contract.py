"""What every channel owes, checked with every trigger's sample and with events that try to break it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import pytest
from marshmallow import ValidationError, fields

from integration import channels
from integration.domain.catalogue import Channel
from integration.domain.digest import compose
from integration.domain.message import Dead, Delivered, HttpRequest, Mail, Message, Reply, Retry
from tests.channels.samples import ENTERED, EVENTS, event, loaded, message

CHANNELS = channels.load()
every_channel = pytest.mark.parametrize("channel", CHANNELS.values(), ids=CHANNELS.keys())
every_event = pytest.mark.parametrize("told", EVENTS.values(), ids=EVENTS.keys())
over_http = pytest.mark.parametrize("key", [key for key in CHANNELS if key != "email"])


def _said(rendered: HttpRequest | Mail) -> str:
    if isinstance(rendered, Mail):
        return f"{rendered.subject}\n{rendered.text}\n{rendered.html}"
    return rendered.body.decode()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, str):
        yield value


# -- rendering


@every_event
@every_channel
def test_every_event_can_be_rendered_and_the_request_names_it(channel: Channel, told: dict[str, Any]) -> None:
    before = copy.deepcopy(told)
    config = loaded(channel.key)
    rendered = channel.render([message(told)], config)
    assert told["id"] in (rendered.message_id if isinstance(rendered, Mail) else rendered.body.decode())
    assert rendered == channel.render([message(told)], config)
    assert told == before


@every_event
@every_channel
def test_requests_are_small_and_well_formed(channel: Channel, told: dict[str, Any]) -> None:
    rendered = channel.render([message(told)], loaded(channel.key))
    if isinstance(rendered, Mail):
        assert "\n" not in rendered.subject
        assert "\r" not in rendered.subject
        assert len(rendered.html.encode()) < 100_000  # mail programs clip above that
    else:
        json.loads(rendered.body)
        assert all("\n" not in line and ": " in line for line in rendered.headers)
        assert rendered.url.isascii()


@every_channel
def test_sandbox_data_says_so(channel: Channel) -> None:
    config = loaded(channel.key)
    unsaid, said = (_said(channel.render([message(event(sandbox=flag))], config)) for flag in (False, True))
    if channel.key == "webhook":
        assert '"sandbox": true' in said
        return
    assert "sandbox data" in said
    assert "sandbox data" not in unsaid


@every_channel
def test_a_request_carries_at_most_the_published_batch(channel: Channel) -> None:
    messages = [message(event(id=f"evt_{number:026d}")) for number in range(channel.limits.batch)]
    rendered = channel.render(messages, loaded(channel.key))
    said = rendered.message_id if isinstance(rendered, Mail) else rendered.body.decode()
    assert all(one.id in said for one in messages)


# -- settings


@every_channel
def test_hints_hold_no_secret(channel: Channel) -> None:
    schema = channel.config()
    config = loaded(channel.key)
    hint = channel.hint(config)
    secrets = [
        text for name, field in schema.fields.items() if field.metadata.get("secret") for text in _strings({name: config[name]})
    ]
    assert 0 < len(hint) <= 250
    assert "hidden" not in hint
    assert "9f8e7d6c5b4a" not in hint
    # The e-mail address of a service account is within the key, and is whom to share with.
    assert not [text for text in secrets if text in hint and "@" not in text]


@every_channel
def test_every_setting_has_a_label_and_a_help_text(channel: Channel) -> None:
    for field in channel.config().fields.values():
        assert field.metadata["label"]
        assert field.metadata["description"]


@every_channel
def test_a_missing_setting_is_named(channel: Channel) -> None:
    required = {name for name, field in channel.config().fields.items() if field.required}
    with pytest.raises(ValidationError) as refused:
        channel.config().load({})
    assert set(refused.value.messages) == required
    assert required


@every_channel
def test_settings_can_be_loaded_again_from_what_was_stored(channel: Channel) -> None:
    config = loaded(channel.key)
    assert channel.config().load(json.loads(json.dumps(config))) == config


@every_channel
def test_settings_of_another_type_are_refused_not_a_crash(channel: Channel) -> None:
    wrongs: list[Any] = [None, 7, [], {}, True, "\ud800", "x" * 100_000]
    for wrong in wrongs:
        for name, field in channel.config().fields.items():
            if wrong == {} and isinstance(field, fields.Mapping):
                continue  # none of them, which is right
            with pytest.raises(ValidationError) as refused:
                channel.config().load({**ENTERED[channel.key], name: wrong})
            assert list(refused.value.messages) == [name]


# -- verdicts


@every_channel
def test_every_reply_has_a_verdict_and_every_refusal_a_reason(channel: Channel) -> None:
    replies = [Reply(status, b"\xff{", retry_after="5") for status in range(100, 1000)]
    marks = ("resolve", "connect", "tls", "certificate", "timeout", "reset", "refused", "protocol", "token", "failed", "unheard")
    replies += [Reply(0, error=mark, ambiguous=mark == "reset") for mark in marks]
    for reply in replies:
        verdict = channel.verdict(reply)
        assert isinstance(verdict, Delivered) == (200 <= reply.status < 300)
        assert isinstance(verdict, Delivered) or verdict.reason


@every_channel
@pytest.mark.parametrize("mark", ["resolve", "connect", "tls", "certificate", "timeout", "reset", "protocol", "failed"])
def test_without_an_answer_it_is_tried_again(channel: Channel, mark: str) -> None:
    assert isinstance(channel.verdict(Reply(0, error=mark)), Retry)


@every_channel
def test_a_private_address_is_never_tried_again(channel: Channel) -> None:
    verdict = channel.verdict(Reply(0, error="refused"))
    assert isinstance(verdict, Dead)
    assert verdict.scope == "destination"


@over_http
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "seconds"), [("30", 30.0), ("0.5", 0.5), (None, None), ("soon", None), ("inf", None), ("nan", None), ("-1", None)]
)
def test_the_receivers_wish_is_heard(key: str, status: int, asked: str | None, seconds: float | None) -> None:
    verdict = CHANNELS[key].verdict(Reply(status, retry_after=asked))
    assert isinstance(verdict, Retry)
    assert verdict.after == seconds


@over_http
def test_a_wish_is_heard_with_429_and_503_only(key: str) -> None:
    assert CHANNELS[key].verdict(Reply(500, retry_after="30")) == Retry(None, "HTTP 500 Internal Server Error.")


WEBHOOK = dict.fromkeys((400, 401, 403, 404, 405, 413, 422, 429, 500, 503, 301, 302, 307), "retry") | {410: "gone"}
SLACK = {400: "message", 401: "destination", 403: "destination", 404: "destination", 410: "destination", 413: "message"}
SHEETS = {400: "message", 401: "retry", 403: "destination", 404: "destination", 413: "message"}
PASSING = dict.fromkeys((429, 500, 502, 503, 504), "retry")
VERDICTS = {"webhook": WEBHOOK, "slack": SLACK | PASSING, "sheets": SHEETS | PASSING}


@pytest.mark.parametrize(
    ("key", "status", "meaning"), [(key, status, what) for key, table in VERDICTS.items() for status, what in table.items()]
)
def test_a_status_means_what_the_vendor_says(key: str, status: int, meaning: str) -> None:
    verdict = CHANNELS[key].verdict(Reply(status))
    assert isinstance(verdict, Retry) if meaning == "retry" else isinstance(verdict, Dead) and verdict.scope == meaning


@over_http
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_is_delivered(key: str, status: int) -> None:
    assert isinstance(CHANNELS[key].verdict(Reply(status)), Delivered)


# -- digests

grouping = pytest.mark.parametrize("channel", [c for c in CHANNELS.values() if "grouped" in c.manners], ids=lambda c: c.key)


@grouping
@pytest.mark.parametrize("count", [1, 6, 500])
def test_a_digest_of_any_events_fits_and_names_itself(channel: Channel, count: int) -> None:
    payloads = [json.dumps({**told, "id": f"evt_{n:026d}"}) for n, told in zip(range(count), cycle(EVENTS.values()))]
    identity, body = compose(payloads, delayed=True)
    rendered = channel.render(
        [Message(identity, "sub_1", 0, body, json.loads(body), "https://example.com/d")], loaded(channel.key)
    )
    if isinstance(rendered, Mail):
        assert rendered.message_id.startswith(f"{identity}.sub_1@")
        assert len(rendered.html.encode()) < 100_000
        assert "\n" not in rendered.subject
    else:
        assert identity in rendered.body.decode()
    assert "Delayed" in _said(rendered)


@grouping
def test_a_digest_that_is_cut_counts_what_it_leaves_out(channel: Channel) -> None:
    payloads = [json.dumps(event(id=f"evt_{n:026d}", summary=f"number {n} " + "x" * 200)) for n in range(500)]
    identity, body = compose(payloads, delayed=False)
    said = _said(channel.render([Message(identity, "sub_1", 0, body, json.loads(body))], loaded(channel.key)))
    shown = sum(f"number {n} " in said for n in range(500))
    assert shown == 500 or f"and {500 - shown} more" in said
