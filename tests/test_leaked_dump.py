"""A leaked dump of the database shows no secret that anyone could use, and neither do logs, pages and answers."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from sqlalchemy import select

from integration.service import accounts, inbox
from integration.service.deliver import drain_all
from integration.service.kept import kept
from integration.service.ways import ways_of
from integration.store.database import Database
from integration.store.tables import attempt, destination, farewell, metadata
from integration.web import create_app
from tests.market import asked
from tests.peers.google import GooglePeer
from tests.peers.http import Answer, Peer, Request
from tests.peers.smtp import smtp_peer
from tests.service.script import KEY, Script, script
from tests.web.conftest import Asker

WANTED = {"trigger": "sharpe_threshold", "options": asked("sharpe_threshold", {})}


class Echo(Peer):
    """A receiver that sends back all that it was sent, each time in another form, and takes every other message."""

    FORMS = (
        lambda text: text.encode(),
        lambda text: json.dumps({"request": text}).replace("/", "\\/").encode(),
        lambda text: quote(text, safe="").encode(),
        lambda text: base64.b64encode(text.encode()),
        lambda text: b"x" + base64.urlsafe_b64encode(b"ab" + text.encode()),
        lambda text: text.encode().hex().encode(),
        lambda text: b"<pre>" + text.replace("&", "&amp;").encode() + b"</pre>",
        lambda text: b"." * 3_600 + text.encode(),
    )

    def handle(self, request: Request) -> Answer:
        count = len(self.requests)
        lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers.items())]
        body = self.FORMS[count % len(self.FORMS)]("\r\n".join(lines))
        return Answer(200 if count % 3 else 500, body)


def new() -> str:
    return secrets.token_urlsafe(24)


def unfolded(raw: bytes) -> Iterator[bytes]:
    """A text, and what it may hold in another form: percent-encoded, in hexadecimal, in base64 that begins anywhere."""
    yield from (raw, unquote_to_bytes(raw), raw.replace(b"\\/", b"/"))
    for run in re.findall(rb"[0-9a-fA-F]{24,}", raw):
        yield from (binascii.unhexlify(run[start : start + (len(run) - start) // 2 * 2]) for start in (0, 1))
    for run in re.findall(rb"[A-Za-z0-9+/_-]{24,}", raw):
        plain = run.translate(bytes.maketrans(b"-_", b"+/"))
        yield from (base64.b64decode(plain[start : start + (len(plain) - start) // 4 * 4]) for start in range(4))


def shown(raw: bytes, hidden: set[str]) -> set[str]:
    """Which of these secrets a text shows, in whatever form."""
    return {secret for text in unfolded(raw) for secret in hidden if secret.encode() in text}


def dump(database: Database) -> bytes:
    """All that a copy of the database holds: every value as it is, and the text of a dump."""
    parts: list[bytes] = []
    with database.read() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                parts += [value if isinstance(value, bytes) else str(value).encode() for value in row]
        driver: Any = connection.connection.driver_connection
        if database.is_sqlite:
            parts += [line.encode() for line in driver.iterdump()]
        else:
            for table in metadata.sorted_tables:
                with driver.cursor().copy(f'COPY "{table.name}" TO STDOUT') as copy:
                    parts += [bytes(block) for block in copy]
    return b"\n".join(parts)


def strings(value: Any) -> Iterator[str]:
    """Every text in some settings, and of addresses the part that nobody may see."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)
    elif isinstance(value, str):
        text = re.sub(r"^https?://[^/]+|^Bearer |^wh(sec|sk)_", "", value)
        yield from (part for part in {text, *re.split("[/?=&\n]", text)} if len(part) > 16)


class World:
    """One of everything, made through the doors; `hidden` gathers what must stay hidden."""

    def __init__(self, here: Script, echo: Echo, google: GooglePeer) -> None:
        self.here, self.echo, self.google = here, echo, google
        self.hidden: set[str] = {KEY}
        self.app = create_app(here.gradewire, open_page=True)
        self.ada = self.asker("ada@example.com")

    def asker(self, email: str) -> Asker:
        key = accounts.create_key(self.here.gradewire, email)
        self.hidden.add(key)
        return Asker(self.app, key, email)

    def hide(self) -> None:
        """Gather what is sealed now."""
        gradewire = self.here.gradewire
        for row in self.here.rows(destination):
            config = gradewire.open_config(row.config)
            found = [config.get(name) for name in ("url", "secret", "signing_key", "old_keys", "headers")]
            found += [(config.get("service_account") or {}).get("private_key")]
            self.hidden |= set(strings(found))
        self.hidden |= {text for row in self.here.rows(farewell) for text in strings(gradewire.open_config(row.target))}
        path, secret = inbox.receiver(gradewire)
        self.hidden |= {path, secret.removeprefix("whsec_"), kept(gradewire, "session_key", lambda: "")}

    def destinations(self) -> list[str]:
        """One of each channel."""
        headers = {"Authorization": f"Bearer {new()}", "X-Token": new()}
        webhook = {"url": f"{self.echo.url}/hooks/{new()}?token={new()}", "headers": headers, "signatures": ["v1", "v1a"]}
        configs = {
            "webhook": webhook,
            "slack": {"url": f"{self.echo.url}/services/T0001/B0001/{new()}"},
            "sheets": self.google.config(),
            "email": {"to": "ada@example.com"},
        }
        made = [self.ada.post("destinations", {"channel": channel, "config": config}) for channel, config in configs.items()]
        assert [answer.status_code for answer in made] == [201] * 4
        assert configs.keys() == self.here.gradewire.channels.keys()
        return [answer.get_json()["id"] for answer in made]

    def patch(self, path: str, body: Any) -> None:
        answer = self.ada.client.patch(f"/v1/{path}", json=body, headers={"X-Api-Key": self.ada.key})
        assert answer.status_code == 200

    def deliver(self, day: int) -> None:
        """An event, and some hours of attempts."""
        self.here.day(day, {1: 0.9 if day % 2 == 0 else 1.2})
        for part in range(1, 5):
            drain_all(self.here.gradewire)
            self.here.go_to(day + part / 8)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    with smtp_peer() as smtp, Echo() as echo, GooglePeer() as google:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": smtp.port, "smtp_security": "none"}
        with script(database, tmp_path, **mail) as here:
            yield World(here, echo, google)
            ways_of(here.gradewire).transport.close()


def test_a_leaked_dump_shows_no_usable_secret(
    world: World, database: Database, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    webhook, *others = world.destinations()
    for place in (webhook, *others):
        assert world.ada.post("subscriptions", {**WANTED, "destination_id": place}).status_code == 201
    zapier = world.asker("zapier@example.com")
    for number in range(2):
        body = {"target_url": f"{world.echo.url}/zap/{number}/{new()}", "event": WANTED["trigger"], "options": WANTED["options"]}
        assert zapier.post("hooks", body).status_code == 201
    world.hide()
    for day in range(9):
        world.deliver(day)
        if day == 3:
            assert world.ada.post(f"destinations/{webhook}/rotate", {"overlap_hours": 168}).status_code == 200
        if day == 5:
            changed = {"url": f"{world.echo.url}/other/{new()}", "headers": {"X-Other": new()}}
            world.patch(f"destinations/{webhook}", {"config": changed})
        if day == 7:
            accounts.revoke_key(world.here.gradewire, zapier.key[:12])
        world.hide()
    tests = [world.ada.post(f"destinations/{place}/test") for place in (webhook, *others)]

    assert len(world.here.rows(farewell)) == 2
    assert len(world.here.rows(attempt)) > 40
    assert len(world.hidden) > 50
    heads = [row.head for row in world.here.rows(attempt) if row.head]
    assert sum("…".encode() in head for head in heads) > 20
    assert shown(dump(database), world.hidden) == set()
    seen = [answer.get_data() for answer in tests]
    rows = world.ada.get("deliveries", limit=1000).get_json()
    paths = ["destinations", "subscriptions", "deliveries", *(f"deliveries/{row['id']}" for row in rows)]
    seen += [world.ada.get(path).get_data() for path in paths]
    page = world.app.test_client()
    seen += [page.get(path, environ_base={"REMOTE_ADDR": "127.0.0.1"}).get_data() for path in ("/", "/docs")]
    out, err = capfd.readouterr()
    seen += [caplog.text.encode(), out.encode(), err.encode()]
    assert shown(b"\n".join(seen), world.hidden - {inbox.receiver(world.here.gradewire)[0]}) == set()


def test_the_search_of_this_test_finds_what_is_there(world: World) -> None:
    secret = new()
    for form in Echo.FORMS:
        assert shown(b"before " + form(f"authorization: Bearer {secret}\r\nx: y") + b" after", {secret}) == {secret}  # type: ignore[no-untyped-call]
    assert shown(b"nothing", {secret}) == set()
