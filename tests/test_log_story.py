"""The main job with secrets planted in every corner: its log shows none of them, and one id leads from poll to attempt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from integration import logs
from integration.config import load
from integration.domain.errors import GradewireError
from integration.service import accounts, deliver, destinations, subscribe, tracing
from integration.store.database import Database
from integration.store.tables import attempt, delivery, event
from integration.web import create_app
from tests.market import KEY, Town, quiet, town
from tests.peers.google import SPREADSHEET, GooglePeer
from tests.peers.slack import SlackPeer
from tests.receiver import Answer, Receiver
from tests.test_main_job import mailbox

SMTP_PASSWORD, METRICS_TOKEN = "hunter2 at the mail server", "tOkEn-of-the-metrics"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    logs.configure(load({}), default="warning")


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Town]:
    mail = {"smtp_host": "127.0.0.1", "smtp_port": 9, "smtp_user": "ada", "smtp_password": SMTP_PASSWORD, "smtp_security": "none"}
    logging = {"log_level": "debug", "log_format": "json", "metrics_token": METRICS_TOKEN}
    with town(database, tmp_path, sandbox=quiet(tokens=60), **mail, **logging) as running:
        yield running


def subscribed(here: Town, channel: str, config: dict[str, Any]) -> str | None:
    """A destination with a subscription to whatever happens; its signing secret, where it has one."""
    place = destinations.create_destination(here.gradewire, here.account, channel, config)
    subscribe.create_subscription(here.gradewire, here.account, "grade_changed", {"points": 5}, {}, place["id"])
    return place.get("secret")


def live(here: Town, days: int = 6) -> None:
    for _ in range(days):
        here.pass_days()
        here.poll_all()
        deliver.drain_all(here.gradewire)
    here.fault("server_error")
    here.pass_days()
    here.poll_all()
    here.wall.ms += 600_000  # type: ignore[attr-defined]
    deliver.drain_all(here.gradewire)


def read(written: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.splitlines()]


def test_no_secret_is_logged_and_one_id_leads_from_poll_to_attempt(
    here: Town, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(here.gradewire.settings)
    receiver.on("/hook/pAtH-sEcReT", Answer(503, b"the body says sEcReT"), Answer(), Answer(fault="reset"), Answer())
    key = accounts.create_key(here.gradewire, "ada@example.com")
    with SlackPeer() as slack, GooglePeer() as google:
        robot = google.service_account()
        whsec = subscribed(here, "webhook", {"url": receiver.url("/hook/pAtH-sEcReT")})
        subscribed(here, "slack", {"url": f"{slack.url}/services/T0001/B0001/secretsecret"})
        subscribed(here, "email", {"to": "ada@example.com"})
        sheet = {"spreadsheet_id": SPREADSHEET, "tab": "Events", "base_url": google.url}
        subscribed(here, "sheets", {**sheet, "service_account": json.dumps(robot)})
        live(here)
        assert google.tabs["Events"]
        with pytest.raises(GradewireError):
            tracing.trace(here.gradewire, key)
    client = create_app(here.gradewire).test_client()
    assert client.get(f"/v1/events/{key}", headers={"X-Api-Key": key}).status_code == 404
    written = capsys.readouterr().err
    planted = [SMTP_PASSWORD, METRICS_TOKEN, KEY, key, str(whsec).removeprefix("whsec_"), "sEcReT", "secretsecret"]
    planted += [robot["private_key"].splitlines()[1], "private_key", *google.tokens, "hunter2"]
    assert [secret for secret in planted if secret in written] == []
    check_story(here, read(written))


def check_story(here: Town, told: list[dict[str, Any]]) -> None:
    """Every attempt in the database has its line, with the ids of its event and of the poll that found it."""
    polls = {line["poll_id"]: line for line in told if line["event"] == "poll"}
    attempts = [line for line in told if line["event"] == "attempt"]
    with here.gradewire.database.read() as connection:
        query = select(attempt.c.outcome, event.c.id, event.c.poll_id, delivery.c.id, delivery.c.lead_id).select_from(attempt)
        made = query.join(delivery, delivery.c.id == attempt.c.delivery_id).join(event, event.c.seq == delivery.c.event_seq)
        rows = list(connection.execute(made))
    assert {row.outcome for row in rows} >= {"delivered", "retry"}
    wanted = [(row[0], row[1] if row.lead_id is None else "a digest", row[2], row[3]) for row in rows]
    lines = [(line["outcome"], line.get("event_id", "a digest"), line["poll_id"], line["delivery_id"]) for line in attempts]
    assert sorted(lines) == sorted(wanted)
    assert all(("event_id" in line) != line.get("digest_id", "").startswith("dig_") for line in attempts)
    assert {line["poll_id"] for line in attempts} <= polls.keys()
    assert {(line["level"], line["outcome"]) for line in attempts} <= {
        ("debug", "delivered"), ("info", "retry"), ("warning", "dead"),
    }  # fmt: skip
    assert {"done", "failed"} <= {line["status"] for line in polls.values()}
    drained = [line for line in told if line["event"] == "drain"]
    assert sum(line["delivered"] for line in drained) == sum(line["outcome"] == "delivered" for line in attempts)


def test_at_the_usual_level_what_is_delivered_is_counted_and_not_listed(
    here: Town, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(here.gradewire.settings.replace(log_level="info"))
    subscribed(here, "webhook", {"url": receiver.url("/hook")})
    live(here)
    told = read(capsys.readouterr().err)
    assert [line for line in told if line["event"] == "attempt"] == []
    assert sum(line["delivered"] for line in told if line["event"] == "drain") == len(receiver.requests) > 0


def test_a_trace_leads_from_the_calls_to_the_attempts(here: Town, receiver: Receiver) -> None:
    receiver.on("/hook", Answer(503), Answer())
    subscribed(here, "webhook", {"url": receiver.url("/hook")})
    live(here)
    first = receiver.requests[0].headers["webhook-id"]
    found = tracing.trace(here.gradewire, first)
    assert found["event"]["id"] == first
    assert found["poll"]["id"] == found["event"]["poll_id"]
    assert (found["poll"]["source"], found["poll"]["status"]) == ("trader_grades", "done")
    assert [call["status"] for call in found["calls"]] == [200] * len(found["calls"]) != []
    (owed,) = found["deliveries"]
    assert (owed["state"], [made["outcome"] for made in owed["made"]]) == ("delivered", ["retry", "delivered"])
    assert [made["error"] for made in owed["made"]] == ["5xx", ""]


def test_an_event_that_was_told_in_a_digest_is_traced_to_its_attempts(here: Town) -> None:
    with mailbox() as (port, _mails):
        here.gradewire.settings = here.gradewire.settings.replace(smtp_port=port, smtp_user="")
        subscribed(here, "email", {"to": "ada@example.com"})
        live(here)
    grouped = [row for row in here.rows(delivery) if row.lead_id not in (None, row.id)]
    assert grouped
    (identity,) = (row.id for row in here.events() if row.seq == grouped[0].event_seq)
    (owed,) = tracing.trace(here.gradewire, identity)["deliveries"]
    assert (owed["id"], owed["state"]) == (grouped[0].id, "delivered")  # the fate of the one that leads
    assert [made["outcome"] for made in owed["made"]] == ["delivered"]
