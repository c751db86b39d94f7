"""The built-in webhook receiver, for trying out: it checks signatures as a customer's would."""

from __future__ import annotations

import hmac
from typing import Any

from apiflask import APIBlueprint
from flask import request

from integration.domain.errors import NotFound
from integration.service.inbox import PATH, keep_hook, receiver
from integration.service.wiring import Gradewire
from integration.web.errors import error_response


def inbox_routes(gradewire: Gradewire) -> APIBlueprint:
    """The receiver's address; whoever knows it may post there."""
    inbox = APIBlueprint("inbox", __name__, enable_openapi=False)

    @inbox.post(f"{PATH}<token>")
    def receive(token: str) -> Any:
        path, _ = receiver(gradewire)
        if not hmac.compare_digest(path.encode(), (PATH + token).encode()):
            raise NotFound
        if not keep_hook(gradewire, request.get_data(), dict(request.headers.to_wsgi_list())):
            return error_response(400, "bad_signature", "The signature does not hold for this body.", "webhook-signature")
        return "", 204

    return inbox
