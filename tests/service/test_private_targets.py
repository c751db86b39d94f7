"""Addresses of a private network in the settings: no channel reaches them, in a drain or in a test, and nothing is shown.

And the operator's say: which ports, and through which proxy.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from integration import channels
from integration.config import load
from integration.domain.errors import InvalidInput
from integration.domain.message import HttpRequest
from integration.service import accounts, destinations
from integration.service.ways import build_ways
from integration.service.wiring import Gradewire, build
from integration.store.database import Database
from integration.store.queries import deliveries
from integration.store.tables import destination
from integration.wire.http import Transport
from tests.channels.samples import ENTERED, KEY_FILE, event, loaded, message
from tests.peers.google import GooglePeer, key_pair
from tests.peers.proxy import running_proxy
from tests.receiver import Answer, Receiver
from tests.service.given import Given

KEY, _ = key_pair(0)
#: What someone could enter to have each channel call a private receiver. A new channel that speaks HTTP needs a line here.
PRIVATE: dict[str, Callable[[str], dict[str, Any]]] = {
    "webhook": lambda url: {"url": url},
    "slack": lambda url: {"url": url},
    "sheets": lambda url: {"base_url": url, "service_account": json.dumps({**KEY_FILE, "token_uri": url, "private_key": KEY})},
}
every_channel = pytest.mark.parametrize("key", PRIVATE)


def test_every_channel_that_speaks_http_is_tried_here() -> None:
    requests = {key: channel.render([message(event())], loaded(key)) for key, channel in channels.load().items()}
    assert set(PRIVATE) == {key for key, request in requests.items() if isinstance(request, HttpRequest)}


@every_channel
def test_a_drain_reaches_nothing_private_and_keeps_nothing_of_it(database: Database, receiver: Receiver, key: str) -> None:
    receiver.on("/", Answer(200, body=b"the inside"))
    with closing(Given(database, channels.load(), transport=Transport(total_ms=2_000))) as given:
        given.ways.token_for = lambda _config: "token"
        given.receives("a", receiver.url(), channel=key)
        config = loaded(key, allow_private=True, **PRIVATE[key](receiver.url()))
        given.change(update(destination).values(config=json.dumps(config).encode()))
        given.owes("a", body=json.dumps(event()))
        given.drain()
        (tried,) = given.attempts()
        assert (tried.status, tried.error, tried.head) == (0, "refused: the address is not public", None)
        assert given.row().state == deliveries.PENDING
        (place,) = given.rows(destination)
        assert (place.status, "not public" in place.reason) == ("disabled", True)
    assert receiver.requests == []


@pytest.fixture
def strict(sqlite_database: Database, tmp_path: Path) -> Iterator[Gradewire]:
    """A Gradewire as an operator runs it for others."""
    url = sqlite_database.url.render_as_string(hide_password=False)
    with closing(build(load({"DATABASE_URL": url, "GRADEWIRE_DATA": str(tmp_path)}))) as gradewire:
        yield gradewire


def owner(gradewire: Gradewire) -> str:
    accounts.create_key(gradewire, "ada@example.com")
    return accounts.account_id(gradewire, "ada@example.com")


@every_channel
def test_trying_a_destination_out_reaches_nothing_private(strict: Gradewire, receiver: Receiver, key: str) -> None:
    receiver.on("/", Answer(200, body=b"the inside"))
    account = owner(strict)
    identity = destinations.create_destination(strict, account, key, ENTERED[key])["id"]
    config = loaded(key, allow_private=True, **PRIVATE[key](receiver.url()))
    with strict.database.write() as connection:
        connection.execute(update(destination).values(config=strict.vault.seal(config)))
    told = destinations.test_destination(strict, account, identity)
    assert (told["outcome"], told["status"]) == ("dead", 0)
    assert "inside" not in str(told)
    assert receiver.requests == []


@every_channel
@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://2130706433/", "https://[::1]/", "http://example.com/", "https://example.com:8443/", "file:///x"]
)  # fmt: skip
def test_such_an_address_cannot_be_entered(strict: Gradewire, key: str, url: str) -> None:
    account = owner(strict)
    with pytest.raises(InvalidInput) as refused:
        destinations.create_destination(strict, account, key, {**ENTERED[key], **PRIVATE[key](url)})
    assert refused.value.field in PRIVATE[key](url)


def test_ports_that_the_operator_allows_can_be_entered(sqlite_database: Database, tmp_path: Path) -> None:
    environment = {
        "DATABASE_URL": sqlite_database.url.render_as_string(hide_password=False),
        "GRADEWIRE_DATA": str(tmp_path),
        "GRADEWIRE_ALLOW_PORTS": "80, 8443",
    }
    with closing(build(load(environment))) as gradewire:
        account = owner(gradewire)
        for url in ("http://8.8.8.8/", "https://8.8.8.8:8443/", "http://8.8.8.8:8443/", "https://8.8.8.8/"):
            assert destinations.create_destination(gradewire, account, "webhook", {"url": url})["status"] == "active"
        for url in ("https://8.8.8.8:22/", "http://8.8.8.8:22/", "http://127.0.0.1/"):
            with pytest.raises(InvalidInput) as refused:
                destinations.create_destination(gradewire, account, "webhook", {"url": url})
            assert refused.value.field == "url"


def test_deliveries_and_tokens_leave_through_the_operators_proxy(
    sqlite_database: Database, tmp_path: Path, receiver: Receiver
) -> None:
    with GooglePeer() as google, running_proxy({"outside.invalid": "127.0.0.1"}) as proxy:
        google_port = int(google.url.rpartition(":")[2])
        environment = {
            "DATABASE_URL": sqlite_database.url.render_as_string(hide_password=False),
            "GRADEWIRE_DATA": str(tmp_path),
            "GRADEWIRE_ALLOW_PORTS": f"80,{receiver.port},{google_port}",
            "GRADEWIRE_EGRESS_PROXY": proxy.url(),
        }
        with closing(build(load(environment))) as gradewire:
            account = owner(gradewire)
            url = receiver.url("/x", "outside.invalid")
            identity = destinations.create_destination(gradewire, account, "webhook", {"url": url})["id"]
            assert destinations.test_destination(gradewire, account, identity)["outcome"] == "delivered"
            key = {**google.service_account(), "token_uri": f"http://outside.invalid:{google_port}/token"}
            ways = build_ways(gradewire)
            assert ways.token_for
            assert ways.token_for({"service_account": key}) in google.tokens
            ways.transport.close()
    assert proxy.asked == [f"CONNECT outside.invalid:{port}" for port in (receiver.port, google_port)]
