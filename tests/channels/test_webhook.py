"""The webhook channel: bytes as stored, signed by whoever sends them."""

from __future__ import annotations

import pytest
import time_machine
from marshmallow import ValidationError
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook

from integration import channels
from integration.channels._settings import Operator
from integration.domain.message import Dead, Delivered, Reply, Retry
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


# -- Google Apps Script ----------------------------------------------------------------------------------------------

SCRIPTS = [
    "https://script.google.com/macros/s/AKfycb-x_1/exec",
    "https://script.google.com/macros/s/AKfycb-x_1/exec?key=abc&user=1",
    "https://script.google.com/a/macros/example.com/s/AKfycb-x_1/exec",
    "https://script.google.com/a/example.com/macros/s/AKfycb-x_1/exec",
]
NO_SCRIPTS = [
    HOOK,
    "https://script.google.com/macros/s/AKfycb-x_1/dev",
    "https://script.google.com/macros/d/AKfycb-x_1/exec",
    "https://script.google.com/macros/s/AKfycb-x_1/exec/more",
    "https://script.google.com.evil.example/macros/s/AKfycb-x_1/exec",
    "https://evil.example/https://script.google.com/macros/s/AKfycb-x_1/exec",
    "https://script.googleusercontent.com/macros/s/AKfycb-x_1/exec",
]


@pytest.mark.parametrize("url", SCRIPTS)
def test_a_script_says_that_it_ran_by_a_redirect_to_its_answer(url: str) -> None:
    assert rendered("webhook", [message(event())], loaded("webhook", url=url)).taken_at == "script.googleusercontent.com"
    assert CHANNEL.verdict(Reply(302, taken=True)) == Delivered()


@pytest.mark.parametrize("url", NO_SCRIPTS)
def test_no_redirect_of_any_other_receiver_is_a_delivery(url: str) -> None:
    assert rendered("webhook", [message(event())], loaded("webhook", url=url)).taken_at is None


@pytest.mark.parametrize("status", [300, 301, 303, 304, 307, 308])
def test_a_script_that_redirects_otherwise_did_not_run(status: int) -> None:
    assert isinstance(CHANNEL.verdict(Reply(status, taken=True)), Retry)
    assert isinstance(CHANNEL.verdict(Reply(302, taken=False)), Retry)


def test_v1a_is_signed_for_those_who_ask_and_v1_always() -> None:
    assert CHANNEL.config().load({"url": HOOK})["signatures"] == ["v1"]
    for entered in (["v1", "v1a"], "v1, v1a"):
        assert CHANNEL.config().load({"url": HOOK, "signatures": entered})["signatures"] == ["v1", "v1a"]
    for wrong in ([], ["v1a"], ["v1", "v1"], ["v2"], "v1a", "", None):
        with pytest.raises(ValidationError) as refused:
            CHANNEL.config().load({"url": HOOK, "signatures": wrong})
        assert list(refused.value.messages) == ["signatures"]
