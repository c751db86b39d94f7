"""A receiver that does what the vendors' guides ask: it verifies the signature and drops what it has already seen."""

from __future__ import annotations

from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from tests.peers.http import Answer, Peer, Request


class WebhookPeer(Peer):
    """Keeps each event once, by its `webhook-id`."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self.events: dict[str, Any] = {}
        self._webhook = Webhook(secret)

    def handle(self, request: Request) -> Answer:
        try:
            event = self._webhook.verify(request.body, request.headers)
        except WebhookVerificationError:
            return Answer(401, b"bad signature")
        self.events.setdefault(request.headers["webhook-id"], event)
        return Answer(204)
