"""Lines are for programs or people, from our code and from libraries alike, and no secret is in them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from integration import logs
from integration.config import Settings, load

#: A text that holds a secret, and the part of it that nobody may see.
SECRETS = {
    "a signing secret": ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8G"),
    "a private signing key": ("whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc7", "6Xb/dCcH"),
    "an API key": ("gw_live_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefgh"),
    "a key of Token Metrics": ("tm-00000000-1111-2222-3333-444444444444", "1111-2222"),
    "something sealed": ("gAAAAABnQ2Zk1234567890abcdefghijklmnop", "1234567890"),
    "Slack's address": ("https://hooks.slack.com/services/T0001/B0001/sEcReT", "T0001"),
    "Zapier's address": ("https://hooks.zapier.com/hooks/standard/1/sEcReT/", "sEcReT"),
    "Discord's address": ("https://discord.com/api/webhooks/1234/sEcReT/slack", "sEcReT"),
    "our receiver's address": ("http://127.0.0.1:8377/inbox/webhook/sEcReT-sEcReT", "sEcReT"),
    "a password in an address": ("postgresql://gradewire:sEcReT@10.0.0.1/x", "sEcReT"),
    "a token in a header": ("Authorization: Bearer sEcReT-123", "sEcReT"),
    "a token of Google": ("ya29.sEcReT-123", "sEcReT"),
    "a key file": ("-----BEGIN PRIVATE KEY-----\nsEcReT\n-----END PRIVATE KEY-----", "sEcReT"),
    "a password of the settings": ('db-pa"ss\\wörd', "ss"),
}
SETTINGS = load({"GRADEWIRE_SMTP_PASSWORD": 'db-pa"ss\\wörd', "GRADEWIRE_LOG_FORMAT": "json", "GRADEWIRE_LOG_LEVEL": "debug"})


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    logs.configure(load({}), default="warning")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(("text", "secret"), SECRETS.values(), ids=SECRETS.keys())
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_secret_is_masked_wherever_it_stands(capsys: pytest.CaptureFixture[str], text: str, secret: str, form: str) -> None:
    logs.configure(Settings({**SETTINGS.values, "log_format": form}))
    log, library = structlog.get_logger(), logging.getLogger("library")
    log.info("said", what=text, within={"deep": [f"so {text} it is"]})
    library.warning("told: %s", text)
    try:
        raise LookupError(text)
    except LookupError:
        log.exception("raised")
        library.exception("raised there")
    written = capsys.readouterr().err
    assert written.count(logs.MASK) >= 5
    assert written.count("LookupError") >= 2
    assert secret not in written.replace("pass", "")


def test_keys_that_name_a_secret_hide_whatever_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(SETTINGS)
    structlog.get_logger().info("said", config={"client_secret": 'a"b', "smtp_password": "x", "token": "y", "url": "kept"})
    (line,) = lines(capsys)
    assert line["config"] == {"client_secret": "***", "smtp_password": "***", "token": "***", "url": "kept"}


def test_plain_lines_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(SETTINGS)
    structlog.get_logger().info("attempt", event_id="evt_abc", took_ms=3, error="", url="http://localhost:8377/events/evt_abc")
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    told = {"event": "attempt", "level": "info", "event_id": "evt_abc", "took_ms": 3, "error": ""}
    assert line == {**told, "url": "http://localhost:8377/events/evt_abc"}


def test_the_level_holds_for_our_lines_and_for_libraries_but_ticks_are_never_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(load({"GRADEWIRE_LOG_FORMAT": "json"}), default="info")
    assert not logs.is_debug()
    structlog.get_logger().debug("fine")
    logging.getLogger("library").info("told")
    logging.getLogger("library").debug("fine")
    logging.getLogger("celery.beat").info("Scheduler: Sending due task sweep")
    logging.getLogger("celery.app.trace").error("broken")
    assert [(line["event"], line["level"]) for line in lines(capsys)] == [("told", "info"), ("broken", "error")]
    logs.configure(SETTINGS)
    assert logs.is_debug()


def test_a_line_that_json_cannot_say_is_still_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(SETTINGS)
    structlog.get_logger().info("said", what=ValueError("odd"), number=2**70)
    structlog.get_logger().info("said", what="half \ud83d", by={1: 2})
    assert [line["what"] for line in lines(capsys)] == ["odd", "half \ud83d"]
