"""Slack incoming webhooks, and Discord's addresses that end in /slack, which take the plain part of the same payload.

A post cannot be recognised as a repeat, so each goes over a fresh connection; a duplicate after a broken one is accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from marshmallow import Schema, fields
from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
    TextObject,
)

from integration.channels._answers import JSON, http_verdict
from integration.channels._event import Event, clean, cut, facts, lines, moment, notes, title
from integration.channels._settings import shown_url, stripped, vendor_url
from integration.domain.catalogue import Channel
from integration.domain.digest import is_digest
from integration.domain.message import Dead, HttpRequest, Limits, Message, Reply, Verdict
from integration.domain.payload import described
from integration.domain.retry import HOUR

LIMITS = Limits(
    characters=3000,
    per_second=1.0,
    extra={"blocks": 50, "header": 150, "fields": 10, "field": 2000, "context": 10, "text": 2000},
)
_REMEDY = (
    "Paste a Slack incoming webhook (https://hooks.slack.com/services/…) "
    "or a Discord webhook with /slack at its end (https://discord.com/api/webhooks/…/slack)."
)
_slack = vendor_url(["https://hooks.slack.com/services/"], _REMEDY)
_discord = vendor_url(["https://discord.com/api/webhooks/"], _REMEDY, ends="/slack")


def _receiver(url: str) -> None:
    (_discord if url.startswith("https://discord.com/") else _slack)(url)


class SlackConfig(Schema):
    """The address is the secret: who has it can post."""

    url = fields.String(
        required=True,
        pre_load=stripped,
        validate=_receiver,
        metadata=described("Webhook URL", "The incoming webhook of a Slack or Discord channel", secret=True),
    )


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str) -> str:
    """Slack's three control characters as entities, in every text object (Slack, "Formatting text", Escaping text)."""
    return re.sub("[&<>]", lambda found: _ENTITIES[found[0]], text)


def _discord_escaped(text: str) -> str:
    """Literal text for Discord: no formatting, no mention of everyone."""
    return re.sub(r"([*_~|>\\`<\[])", r"\\\1", text).replace("@", "@\u200b")


def fitted(text: str, limit: int, escape: Callable[[str], str] = escaped) -> str:
    """Escaped text of at most `limit` characters; it is cut before it is escaped, so that no entity is torn."""
    room = limit
    while len(result := escape(cut(text, room))) > limit:
        room -= max(1, (len(result) - limit) // 5)
    return result


def _field(label: str, value: str) -> TextObject:
    # Mrkdwn has no escape for its own marks: a value that holds one goes as plain text.
    limit = LIMITS.extra["field"]
    if re.search(r"[*_~`]", label + value):
        return PlainTextObject(text=fitted(f"{label}\n{value}", limit), emoji=False)
    return MarkdownTextObject(text=f"*{escaped(label)}*\n{fitted(value, limit - 200)}", verbatim=True)


def _blocks(message: Message) -> list[Block]:
    event = message.event
    blocks: list[Block] = [
        HeaderBlock(text=PlainTextObject(text=fitted(title(event), LIMITS.extra["header"]), emoji=False)),
        SectionBlock(text=PlainTextObject(text=fitted(clean(event["summary"]), 3000), emoji=False)),
    ]
    if shown := facts(event)[: LIMITS.extra["fields"]]:
        blocks.append(SectionBlock(fields=[_field(cut(label, 100), value) for label, value in shown]))
    link = [f"<{escaped(message.url)}|See it in Gradewire>"] if message.url else []
    line = "  ·  ".join([*link, moment(event["as_of"]), *notes(event), escaped(message.id)])
    blocks.append(ContextBlock(elements=[MarkdownTextObject(text=line, verbatim=True)]))
    return blocks


def _plain(event: Event, url: str | None, escape: Callable[[str], str]) -> str:
    """All that matters in one text: Slack shows it in notifications, Discord shows only it."""
    tail = "".join(f" ({note})" for note in notes(event)) + (f"\n{url}" if url else "")
    return fitted(clean(event["summary"]), LIMITS.extra["text"] - len(tail), escape) + tail


def _digest_blocks(message: Message) -> list[Block]:
    digest = message.event
    room = LIMITS.characters or 0
    link = [f"<{escaped(message.url)}|See all of it in Gradewire>"] if message.url else []
    line = "  ·  ".join([*link, escaped(message.id)])
    return [
        HeaderBlock(text=PlainTextObject(text=fitted(clean(digest["summary"]), LIMITS.extra["header"]), emoji=False)),
        SectionBlock(text=PlainTextObject(text="\n".join(lines(digest, room, escaped)), emoji=False)),
        ContextBlock(elements=[MarkdownTextObject(text=line, verbatim=True)]),
    ]


def _plain_digest(digest: Event, url: str | None, escape: Callable[[str], str]) -> str:
    head, tail = fitted(clean(digest["summary"]), 300, escape), f"\n{url}" if url else ""
    return "\n".join([head, *lines(digest, LIMITS.extra["text"] - len(head) - len(tail) - 1, escape)]) + tail


def render(messages: Sequence[Message], config: Mapping[str, Any]) -> HttpRequest:
    """A message in Block Kit, or in plain text for Discord."""
    message = messages[0]
    plain, blocks = (_plain_digest, _digest_blocks) if is_digest(message.event) else (_plain, _blocks)
    if "/api/webhooks/" in urlsplit(config["url"]).path:
        payload: dict[str, Any] = {"text": plain(message.event, message.url, _discord_escaped)}
    else:
        payload = {
            "text": plain(message.event, message.url, escaped),
            "blocks": [block.to_dict() for block in blocks(message)],
            "mrkdwn": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }
    return HttpRequest(config["url"], json.dumps(payload).encode(), headers=JSON, fresh=True)


_NEW = "Make a new incoming webhook and enter it here."


def verdict(reply: Reply) -> Verdict:
    """400 is the message's fault; 401, 403, 404 and 410 need another webhook; the rest is tried again."""
    word = reply.head.decode("utf-8", "replace")
    said = f" ({word})" if re.fullmatch("[a-z_]{2,40}", word) else ""
    if reply.status == 400 and word in ("user_not_found", "channel_not_found"):
        return Dead(f"The webhook's channel or owner is gone{said}. {_NEW}", "destination")
    return http_verdict(
        reply,
        {
            400: Dead(f"The message was not accepted{said}."),
            401: Dead(f"The webhook's address is not valid. {_NEW}", "destination"),
            403: Dead(f"The workspace does not allow this webhook to post{said}. Ask its administrator.", "destination"),
            404: Dead(f"The webhook was removed{said}. {_NEW}", "destination"),
            410: Dead(f"The channel is archived{said}. Unarchive it or make a webhook for another.", "destination"),
            413: Dead("The message is too long."),
        },
    )


def hint(config: Mapping[str, Any]) -> str:
    """The host alone."""
    return shown_url(config["url"])


CHANNEL = Channel(
    key="slack",
    label="Slack",
    description="Posts each event to a Slack channel, or to a Discord channel through its Slack-compatible webhook.",
    config=SlackConfig,
    render=render,
    verdict=verdict,
    hint=hint,
    limits=LIMITS,
    manners=("grouped", "each"),
    stale_after=6 * HOUR,
)
