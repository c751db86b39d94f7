"""A worker's drain as the settings say: real channels, sealed settings, links, and ways out that outlive a drain."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import update

from integration.config import load
from integration.domain.message import Message
from integration.service.claiming import claim
from integration.service.deliver import drain_all, send_now
from integration.service.ways import ways_of
from integration.service.wiring import Gradewire, build
from integration.store.database import Database
from integration.store.tables import destination
from integration.wire.google import TokenRefused
from tests.receiver import Receiver
from tests.service.given import NOW, SECRET, Given


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Gradewire]:
    environment = {
        "DATABASE_URL": database.url.render_as_string(hide_password=False),
        "GRADEWIRE_DATA": str(tmp_path),
        "GRADEWIRE_ALLOW_PRIVATE": "1",
        "GRADEWIRE_PUBLIC_URL": "https://gw.example.com/",
    }
    with closing(build(load(environment), now=lambda: NOW)) as ready:
        yield ready
        ways_of(ready).transport.close()


def test_a_worker_delivers_with_sealed_settings(here: Gradewire, receiver: Receiver) -> None:
    with closing(Given(here.database)) as given:
        given.receives("a", receiver.url("/a"))
        given.change(update(destination).values(config=here.vault.seal({"url": receiver.url("/a"), "secret": SECRET})))
        given.owes("a", events=3)
        assert drain_all(here).delivered == 3
        given.owes("a")
        assert drain_all(here).delivered == 1
    assert len(receiver.requests) == 4
    assert {r.headers["user-agent"] for r in receiver.requests} == {"Gradewire/1"}


def test_ways_outlive_a_drain_but_do_not_cross_threads(here: Gradewire) -> None:
    found = []
    thread = threading.Thread(target=lambda: found.append(ways_of(here)))
    thread.start()
    thread.join()
    assert ways_of(here) is ways_of(here)
    assert ways_of(here).transport is not found[0].transport
    found[0].transport.close()


def test_messages_say_where_to_look_and_who_sends(here: Gradewire) -> None:
    with closing(Given(here.database)) as given:
        given.receives("a", "http://127.0.0.1/")
        given.change(update(destination).values(config=here.vault.seal({"url": "http://127.0.0.1/", "secret": SECRET})))
        (identity,) = given.owes("a")
        ((_, (owed,), _),) = claim(here.database, ways_of(here), NOW).ready
    assert owed.message.url == f"https://gw.example.com/events/{identity}"
    assert owed.message.sender == "gw.example.com"
    assert owed.message.event["id"] == identity
    assert set(owed.message.event) == {"id", "summary"}
    assert len(owed.message.event) == 2


def test_trying_a_destination_out(here: Gradewire, receiver: Receiver) -> None:
    message = Message("evt_test", "sub_test", NOW, b"{}", {})
    config = {"url": receiver.url("/a"), "secret": SECRET}
    reply, _ = send_now(here, [message], here.channels["webhook"], config)
    assert reply.status == 200
    assert receiver.requests[0].headers["webhook-id"] == "evt_test"


def test_a_key_that_is_no_key_gets_no_token(here: Gradewire) -> None:
    token_for = ways_of(here).token_for
    assert token_for is not None
    with pytest.raises(TokenRefused):
        token_for({"service_account": {}})
