"""Where things arrive that are only being tried out: a webhook receiver of our own, and what the mail catcher caught."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from standardwebhooks import Webhook, WebhookVerificationError

from integration.domain.signing import new_secret
from integration.service.kept import kept
from integration.service.wiring import Gradewire
from integration.store.queries import inbox
from integration.wire.mailcatcher import CaughtMail

PATH = "/inbox/webhook/"
_LONGEST_ID = 200


def receiver(gradewire: Gradewire) -> tuple[str, str]:
    """The built-in webhook receiver: (path, signing secret). Both are made once; the path cannot be guessed."""
    token = kept(gradewire, "inbox_token", lambda: secrets.token_urlsafe(24))
    return PATH + token, kept(gradewire, "inbox_secret", new_secret)


def keep_hook(gradewire: Gradewire, body: bytes, headers: Mapping[str, str]) -> bool:
    """Keep what came to the receiver, and say whether its Standard Webhooks signature holds (checked by the published
    library, as a customer would). The newest 500 are kept."""
    _, secret = receiver(gradewire)
    signed = {name.lower(): value for name, value in headers.items() if name.lower().startswith("webhook-")}
    try:
        Webhook(secret).verify(body, signed, json_parse=False)
        verified = True
    except (WebhookVerificationError, ValueError):  # ValueError: a header or body that is not even text
        verified = False
    with gradewire.database.write() as connection:
        inbox.add_hook(
            connection,
            at=gradewire.now(),
            webhook_id=_storable(signed.get("webhook-id", ""))[:_LONGEST_ID],
            verified=int(verified),
            body=_storable(body.decode(errors="replace")),
        )
    return verified


def keep_mail(gradewire: Gradewire, mail: CaughtMail) -> None:
    """Keep a mail that the catcher caught. The newest 500 are kept."""
    parts = ("message_id", "sender", "recipient", "subject", "text", "html")
    with gradewire.database.write() as connection:
        inbox.add_mail(connection, at=gradewire.now(), **{part: _storable(getattr(mail, part)) for part in parts})


def _storable(text: str) -> str:
    """Text as both databases can hold it: without NUL, and as UTF-8 can say it."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
