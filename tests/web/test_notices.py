"""What an owner is told beside the events, over HTTP and on the page; nobody sees another's."""

from __future__ import annotations

import time_machine

from integration.domain.payload import iso
from integration.service.wiring import Gradewire
from integration.store.queries import owner_notices
from tests.web.conftest import NOW, Asker


def warned(gradewire: Gradewire, asker: Asker) -> None:
    account = asker.get("me").get_json()["id"]
    with gradewire.database.write() as connection:
        assert owner_notices.put(connection, f"flapping:{account}", account, "flapping", NOW, "It flaps <b>", "Calm it.")


def test_an_owner_reads_their_notices_and_nobody_else_s(gradewire: Gradewire, ada: Asker, bob: Asker) -> None:
    warned(gradewire, ada)
    (told,) = ada.get("notices").get_json()
    at = iso(NOW)
    assert told == {"kind": "flapping", "at": at, "title": "It flaps <b>", "text": "Calm it.", "destination_id": None}
    assert bob.get("notices").get_json() == []


def test_the_page_shows_them_escaped(gradewire: Gradewire, ada: Asker) -> None:
    client = ada.client
    with time_machine.travel(NOW / 1000, tick=False):
        client.post("/login", data={"key": ada.key})
        assert b"What needs you" not in client.get("/").data
        warned(gradewire, ada)
        page = client.get("/").data
    assert b"What needs you" in page
    assert b"It flaps &lt;b&gt;" in page
