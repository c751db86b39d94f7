"""The webhook channel: bytes as stored, signed by whoever sends them."""

from __future__ import annotations

import pytest
import time_machine
from marshmallow import ValidationError
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from integration import channels
from integration.channels._settings import Operator
from integration.domain.message import Dead, Reply, Retry
from integration.domain.signing import check_secret, signed_headers
from tests.channels.samples import HOOK, event, loaded, message, rendered

CHANNEL = channels.load()["webhook"]


def test_the_body_is_the_stored_one_byte_for_byte() -> None:
    body = b'{ "id":"evt_1",  "odd":"\xc3\xbc" , "n":1.0 }'
    request = rendered("webhook", [message(event(), body=body)], loaded("webhook"))
    assert request.body == body
    assert (request.url, request.method, request.signed, request.fresh) == (HOOK, "POST", True, False)
    assert request.headers == ("Content-Type: application/json", "User-Agent: Gradewire/1")


@pytest.mark.parametrize("verifier", [Webhook, SvixWebhook])
def test_the_vendors_verifiers_accept_it_under_the_settings_secret(verifier: type) -> None:
    now = 1_614_265_330
    config = loaded("webhook")
    request = rendered("webhook", [message(event())], config)
    lines = signed_headers(config["secret"], "evt_1", now, request.body)
    headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    with time_machine.travel(now, tick=False):
        verifier(config["secret"]).verify(request.body, headers)
        with pytest.raises(Exception, match="signature"):
            verifier(config["secret"]).verify(request.body + b" ", headers)


@pytest.mark.parametrize("entered", [{}, {"secret": ""}, {"secret": "  "}])
def test_a_secret_is_made_where_none_is_entered(entered: dict[str, str]) -> None:
    made = [CHANNEL.config().load({"url": HOOK, **entered})["secret"] for _ in range(2)]
    assert made[0] != made[1]
    assert check_secret(made[0]).startswith("whsec_")


@pytest.mark.parametrize("secret", ["whsec_", "whsec_%%%", "whsec_" + "A" * 8, "hunter2"])
def test_a_secret_that_cannot_sign_is_refused_with_the_remedy(secret: str) -> None:
    with pytest.raises(ValidationError, match="Leave it empty"):
        CHANNEL.config().load({"url": HOOK, "secret": secret})


def test_plain_http_is_for_operators_who_allow_it() -> None:
    url = "http://127.0.0.1:8080/hook"
    with pytest.raises(ValidationError, match="https"):
        CHANNEL.config().load({"url": url})
    with Operator({"allow_private": True}):
        assert CHANNEL.config().load({"url": f"  {url} "})["url"] == url


def test_410_means_gone_and_a_redirect_is_not_followed() -> None:
    assert CHANNEL.verdict(Reply(410)) == Dead("HTTP 410 Gone: the receiver wants no more.", "gone")
    assert CHANNEL.verdict(Reply(302)) == Retry(None, "HTTP 302 Found: redirects are not followed.")


def test_a_broken_certificate_is_told_with_its_reason() -> None:
    verdict = CHANNEL.verdict(Reply(0, error="certificate", detail="certificate has expired"))
    assert verdict == Retry(None, "The receiver's certificate is not valid. certificate has expired")
