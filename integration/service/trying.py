"""Trying a destination out: one made-up event, marked as one, sent at once and stored nowhere."""

from __future__ import annotations

import json
import secrets
from typing import Any

from integration.domain.ids import event_id
from integration.domain.masking import masked_text
from integration.domain.message import Dead, Delivered, Message
from integration.domain.payload import iso
from integration.service.deliver import send_now
from integration.service.ways import secrets_of
from integration.service.wiring import Gradewire


def send_test(gradewire: Gradewire, destination: Any) -> dict[str, Any]:
    """Send a trigger's sample to a destination now: outcome (delivered, retry, dead), status, and what it means.

    Each has an id of its own, or a receiver that knows the sample already would drop it as a repeat.
    """
    now = gradewire.now()
    trigger = next(iter(gradewire.catalogue.triggers.values()))
    identity = event_id("test", 1, secrets.token_hex(8), destination.id, now)
    event = {**trigger.sample, "id": identity, "sandbox": gradewire.settings.sandbox, "known_at": iso(now)}
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    channel, config = gradewire.channels[destination.channel], gradewire.open_config(destination.config)
    message = Message(identity, "test", now, body, event)
    reply, verdict = send_now(gradewire, [message], channel, config)
    if isinstance(verdict, Delivered):
        return {"outcome": "delivered", "status": reply.status, "detail": "It was taken."}
    outcome = "dead" if isinstance(verdict, Dead) else "retry"
    detail = masked_text(verdict.reason or reply.detail or reply.error or "", secrets_of(channel, config))
    return {"outcome": outcome, "status": reply.status, "detail": detail}
