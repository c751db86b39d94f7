"""E-mail to one recipient, as text and HTML. The Message-ID is the same on each attempt, so that a repeat is recognised."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from marshmallow import Schema

from integration.channels._answers import unanswered
from integration.channels._event import Event, clean, cut, facts, lines, moment, notes, snapshot, title
from integration.channels._mail import HTML, TEXT
from integration.channels._settings import mail_address
from integration.domain.catalogue import Channel
from integration.domain.digest import is_digest
from integration.domain.message import Dead, Delivered, Limits, Mail, Message, Reply, Retry, Verdict
from integration.domain.payload import described
from integration.domain.retry import HOUR

LIMITS = Limits(characters=2000, extra={"subject": 150, "digest": 10_000})
#: The server does not accept this sender or its password: no other mail will do better.
_OPERATOR = (530, 534, 535, 538)


class EmailConfig(Schema):
    """Whom to write to."""

    to = mail_address(required=True, metadata=described("To", "The e-mail address that is written to"))


def _unsubscribing(message: Message) -> list[tuple[str, str]]:
    """RFC 2369 by mail; RFC 8058, one click, where there is an address for it."""
    mailto = f"<mailto:unsubscribe@{message.sender}?subject={quote('unsubscribe ' + message.subscription_id)}>"
    if not message.unsubscribe_url:
        return [("List-Unsubscribe", mailto)]
    return [
        ("List-Unsubscribe", f"<{message.unsubscribe_url}>, {mailto}"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    ]


def _of_event(event: Event) -> dict[str, Any]:
    return {
        "title": title(event),
        "facts": facts(event),
        "snapshot": [(label, f"{value} ({date})") for label, value, date in snapshot(event)],
        "events": [],
        "as_of": moment(event["as_of"]),
    }


def _of_digest(digest: Event) -> dict[str, Any]:
    times = sorted(event["as_of"] for event in digest["events"])
    between = list(dict.fromkeys((moment(times[0]), moment(times[-1]))))
    shown = lines(digest, LIMITS.extra["digest"])
    return {"title": "Digest", "facts": [], "snapshot": [], "events": shown, "as_of": " to ".join(between)}


def render(messages: Sequence[Message], config: Mapping[str, Any]) -> Mail:
    """The mail; the sender adds From and Date."""
    message = messages[0]
    told = message.event
    summary = cut(clean(told["summary"]), LIMITS.characters or 0)
    subject = "".join(f"[{note}] " for note in notes(told)) + summary
    values = {
        "summary": summary,
        "notes": notes(told),
        "id": message.id,
        "url": message.url,
        "unsubscribe": message.unsubscribe_url,
        **(_of_digest(told) if is_digest(told) else _of_event(told)),
    }
    return Mail(
        to=config["to"],
        subject=cut(subject, LIMITS.extra["subject"]),
        text=TEXT.render(values),
        html=HTML.render(values),
        message_id=f"{message.id}.{message.subscription_id}@{message.sender}",
        headers=(("Auto-Submitted", "auto-generated"), *_unsubscribing(message)),
    )


def verdict(reply: Reply) -> Verdict:
    """By SMTP status (RFC 5321, 4.2.1): 2xx is accepted, 4xx for now not, 5xx never."""
    if reply.status == 0:
        return unanswered(reply)
    said = cut(clean(reply.head.decode("utf-8", "replace")), 300)
    reason = re.sub(r"\s+", " ", f"The mail server answered {reply.status}. {said}".strip())
    if 200 <= reply.status < 300:
        return Delivered()
    if reply.status in _OPERATOR:
        return Dead(f"{reason} The operator must correct the mail server's user name or password.", "destination")
    return Dead(reason) if reply.status >= 500 else Retry(reason=reason)


def hint(config: Mapping[str, Any]) -> str:
    """The first letter and the domain."""
    name, _, domain = config["to"].rpartition("@")
    return f"{name[:1]}…@{domain}"


CHANNEL = Channel(
    key="email",
    label="E-mail",
    description="Writes an e-mail for each event.",
    config=EmailConfig,
    render=render,
    verdict=verdict,
    hint=hint,
    limits=LIMITS,
    manners=("grouped", "each"),
    stale_after=6 * HOUR,
)
