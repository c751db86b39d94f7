"""The main job, whole: real prices through the sandbox's API are polled, events found, told by webhook and e-mail, and read."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import standardwebhooks
import svix.webhooks

from integration.service import accounts, deliver, destinations, hooks, subscribe
from integration.store.database import Database
from integration.store.tables import subject
from integration.web import create_app
from integration.wire.mailcatcher import CaughtMail, MailCatcher
from tests.market import Town, prices, quiet, town
from tests.receiver import Received, Receiver

#: Token Metrics' own ratio, which is what the test computes itself.
PUBLISHED = {"window": "published"}
FIRST, LAST = date(2021, 4, 1), date(2021, 6, 30)
LEVEL, BAND = 1.0, 0.05


class Crossed(NamedTuple):
    symbol: str
    day: str
    direction: str


def sharpe_ratios(file: Path) -> dict[date, float]:
    """mean / standard deviation (ddof 1) × √365 of the simple daily returns over all history up to each day."""
    with file.open(newline="", encoding="utf-8") as rows:
        closes = [(date.fromisoformat(row["date"]), float(row["close"])) for row in csv.DictReader(rows)]
    prices_ = np.array([close for _, close in closes])
    returns = prices_[1:] / prices_[:-1] - 1
    return {
        day: float(np.mean(returns[:n]) / np.std(returns[:n], ddof=1) * np.sqrt(365))
        for n, (day, _) in enumerate(closes)
        if n >= 2 and FIRST <= day <= LAST
    }


def expected(folder: Path) -> dict[Crossed, float]:
    """Every crossing of the level, straight from the rule: above from 1.00 on, below from 0.95 down, between as before."""
    found = {}
    for file in sorted(folder.glob("*.csv")):
        symbol = re.sub(r"\d+$", "", file.stem)
        above = None
        for day, value in sorted(sharpe_ratios(file).items()):
            if value >= LEVEL:
                if above is False:
                    found[Crossed(symbol, day.isoformat(), "up")] = value
                above = True
            elif value <= LEVEL - BAND:
                if above is True:
                    found[Crossed(symbol, day.isoformat(), "down")] = value
                above = False
    return found


@contextmanager
def mailbox() -> Iterator[tuple[int, list[CaughtMail]]]:
    mails: list[CaughtMail] = []
    catcher = MailCatcher(0, mails.append)
    catcher.start()
    try:
        yield catcher.port, mails
    finally:
        catcher.stop()


def checked(hook: Received, secret: str) -> str:
    """A webhook that two independent libraries found genuine; its id."""
    for library in (standardwebhooks.Webhook(secret), svix.webhooks.Webhook(secret)):
        library.verify(hook.body, hook.headers)
        with pytest.raises((standardwebhooks.WebhookVerificationError, svix.webhooks.WebhookVerificationError)):
            library.verify(hook.body + b" ", hook.headers)
    return hook.headers["webhook-id"]


class Told(NamedTuple):
    hooks: list[dict[str, Any]]
    hook_ids: list[str]
    mail_ids: list[str]
    feed: list[dict[str, Any]]


def live_through(here: Town, receiver: Receiver, mails: list[CaughtMail]) -> Told:
    """Subscribe, then let the days pass: each is polled, evaluated and told before the next."""
    hook, _ = hooks.create_hook(here.gradewire, here.account, receiver.url("/hook"), "sharpe_threshold", PUBLISHED, {})
    place = destinations.create_destination(here.gradewire, here.account, "email", {"to": "ada@example.com"})
    by_mail = subscribe.create_subscription(here.gradewire, here.account, "sharpe_threshold", PUBLISHED, {}, place["id"])["id"]
    assert here.feed("sharpe_threshold") == []
    hook_ids: list[str] = []
    for passed in range((LAST - FIRST).days + 1):
        if passed:
            here.pass_days()
        assert here.running.sandbox.clock.today() == FIRST + timedelta(passed)
        assert {ended.status for ended in here.poll_all()} == {"done"}
        assert deliver.drain_all(here.gradewire).delivered == 2 * (len(here.events()) - len(hook_ids))
        hook_ids += [checked(request, hook["secret"]) for request in receiver.at("/hook")[len(hook_ids) :]]
    assert all(mail.message_id.split("@")[0].endswith(f".{by_mail}") for mail in mails)
    return Told(
        [json.loads(request.body) for request in receiver.at("/hook")],
        hook_ids,
        [mail.message_id.partition(".")[0] for mail in mails],
        here.feed("sharpe_threshold"),
    )


def over_the_api(here: Town) -> list[dict[str, Any]]:
    """The same feed as a client reads it."""
    key = accounts.create_key(here.gradewire, "ada@example.com")
    client = create_app(here.gradewire).test_client()
    answer = client.get("/v1/triggers/sharpe_threshold?limit=1000&window=published", headers={"X-Api-Key": key})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = json.loads(answer.data)
    return found


def as_crossed(events: list[dict[str, Any]]) -> dict[Crossed, float]:
    return {Crossed(e["subject_symbol"], e["as_of"].removesuffix("T00:00:00Z"), e["direction"]): e["sharpe"] for e in events}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_sharpe_crossing_of_three_real_months_is_told_once_everywhere(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver
) -> None:
    folder = prices()
    wanted = expected(folder)
    assert len(list(folder.glob("*.csv"))) == 40
    assert len(wanted) >= 10
    database: Database = request.getfixturevalue(f"{kind}_database")
    replay = quiet(replay=folder, start=FIRST)
    with mailbox() as (port, mails):
        smtp = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
        with town(database, tmp_path, sandbox=replay, sandbox_replay=str(folder), real_time=True, **smtp) as here:
            told = live_through(here, receiver, mails)
            every = {"tokens": [row.subject.removeprefix("token:") for row in here.rows(subject, subject.c.kind == "token")]}
            from_the_past = here.feed("sharpe_threshold", every, account=here.account_of("late@example.com"))
            over_http = over_the_api(here)
    found = as_crossed(told.feed)
    assert set(found) == set(wanted)
    assert found == pytest.approx(wanted, abs=1e-9)
    assert len(told.feed) == len(wanted)
    assert sorted(told.hook_ids) == sorted(told.mail_ids) == sorted(event["id"] for event in told.feed)
    assert [event["id"] for event in told.hooks] == told.hook_ids
    assert sorted(told.hooks, key=lambda e: e["id"]) == sorted(told.feed, key=lambda e: e["id"])
    assert over_http == told.feed
    recent = [event["id"] for event in told.feed if event["as_of"] >= (LAST - timedelta(30)).isoformat()]
    assert [event["id"] for event in from_the_past] == recent
    assert recent
