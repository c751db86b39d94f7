"""Slack's incoming webhooks and Discord's Slack-compatible ones, with the limits and error words that they publish."""

from __future__ import annotations

import html
import re
from typing import Any

from tests.peers.http import Answer, Peer, Request, answer_json

HOOK = "/services/T0001/B0001/secretsecret"
DISCORD = "/api/webhooks/1234/secretsecret/slack"


class InvalidBlocks(Exception):
    pass


def _demand(condition: object) -> None:
    if not condition:
        raise InvalidBlocks


def _text(value: Any, limit: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> None:
    _demand(isinstance(value, dict) and value.get("type") in kinds)
    _demand(isinstance(value.get("text"), str) and 0 < len(value["text"]) <= limit)
    _demand(set(value) <= ({"type", "text", "emoji"} if value["type"] == "plain_text" else {"type", "text", "verbatim"}))


def check_blocks(blocks: Any) -> None:
    """Block Kit's published limits. Raises InvalidBlocks."""
    _demand(isinstance(blocks, list) and 0 < len(blocks) <= 50)
    for block in blocks:
        if block.get("type") == "header":
            _text(block.get("text"), 150, ("plain_text",))
        elif block.get("type") == "section":
            _demand("text" in block or "fields" in block)
            if "text" in block:
                _text(block["text"], 3000)
            _demand(len(block.get("fields", [])) <= 10)
            for field in block.get("fields", []):
                _text(field, 2000)
        elif block.get("type") == "context":
            _demand(0 < len(block.get("elements", [])) <= 10)
            for element in block["elements"]:
                _text(element, 3000)
        else:
            _demand(block.get("type") == "divider")


def texts(payload: dict[str, Any]) -> list[str]:
    """Every text object of a message, as sent."""
    found = [payload["text"]]
    for block in payload.get("blocks", []):
        objects = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        found += [value["text"] for value in objects if value]
    return found


def links(text: str) -> list[str]:
    """What Slack would make a link or a mention: everything between angle brackets."""
    return re.findall(r"<([^>]*)>", text)


def displayed(text: str) -> str:
    """What a reader sees of an escaped text."""
    return html.unescape(re.sub(r"<([^>|]*)\|([^>]*)>", r"\2", text))


class SlackPeer(Peer):
    """One webhook of each kind; every other address was removed. Keeps what it shows in `messages`."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[dict[str, Any]] = []

    def handle(self, request: Request) -> Answer:
        if request.path == DISCORD:
            return self._discord(request)
        if request.path != HOOK:
            return Answer(404, b"no_service")
        try:
            payload = request.json()
        except ValueError:
            return Answer(400, b"invalid_payload")
        if request.headers.get("content-type") != "application/json" or not isinstance(payload, dict):
            return Answer(400, b"invalid_payload")
        if not payload.get("text") and not payload.get("blocks"):
            return Answer(400, b"no_text")
        try:
            if "blocks" in payload:
                check_blocks(payload["blocks"])
        except InvalidBlocks:
            return Answer(400, b"invalid_blocks")
        self.messages.append(payload)
        return Answer(200, b"ok", {"Content-Type": "text/plain"})

    def _discord(self, request: Request) -> Answer:
        text = request.json().get("text")
        if not text:
            return answer_json(400, {"message": "Cannot send an empty message", "code": 50006})
        if len(text) > 2000:
            return answer_json(400, {"content": ["Must be 2000 or fewer in length."]})
        self.messages.append(request.json())
        return Answer(200, b"ok")
