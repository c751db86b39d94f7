"""The page on what was tried and on trying again: deliveries, attempts, replays; for whose they are, from forms of its own."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from integration.service import accounts, replaying
from integration.service.wiring import Gradewire
from integration.store.tables import attempt, delivery, destination, replay
from integration.web import create_app, repeat_pages
from tests.web.conftest import HOOK, NOW, Wall, asker, small_market

SCRIPT = "<script>alert(1)</script>"
HX = {"HX-Request": "true"}


def signed_in(here: Gradewire, email: str) -> FlaskClient:
    client = create_app(here).test_client()
    client.post("/login", data={"key": accounts.create_key(here, email)})
    return client


@pytest.fixture
def place(both: Gradewire, wall: Wall) -> str:
    """Ada's destination, with two deliveries there that failed."""
    market = small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "scope": {"tokens": ["3375", "77"]}})
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0, 77: 10.0})
    with both.database.write() as connection:
        connection.execute(update(delivery).values(state=2, done_at=wall(), attempts=10, reason="exhausted: HTTP 500"))
        connection.execute(
            insert(attempt).values(delivery_id=1, at=NOW, duration_ms=1234, status=500, outcome="retry", head=SCRIPT.encode())
        )
    return str(ada.get("destinations").get_json()[0]["id"])


@pytest.fixture
def ada(both: Gradewire, place: str) -> FlaskClient:
    return signed_in(both, "ada@example.com")


@pytest.fixture
def operator(both: Gradewire, place: str) -> FlaskClient:
    return create_app(both, open_page=True).test_client()


def text(client: FlaskClient, path: str, **query: Any) -> str:
    answer = client.get(path, query_string=query)
    assert answer.status_code == 200, path
    return answer.get_data(as_text=True)


def states(here: Gradewire) -> list[int]:
    with here.database.read() as connection:
        return list(connection.scalars(select(delivery.c.state).order_by(delivery.c.id)))


def test_deliveries_are_listed_filtered_and_turned_page_by_page(
    ada: FlaskClient, operator: FlaskClient, both: Gradewire, place: str, monkeypatch: pytest.MonkeyPatch
):
    for client in (ada, operator):
        page = text(client, "/deliveries")
        assert page.count('href="/deliveries/') == 2
        assert "exhausted: HTTP 500" in page
    assert 'href="/deliveries/' not in text(ada, "/deliveries", state="delivered")
    assert text(ada, "/deliveries", state="dead", destination_id=place, since="2020-01-01T00:00").count('href="/deliveries/') == 2
    assert 'href="/deliveries/' not in text(ada, "/deliveries", until="2020-01-01T00:00")
    monkeypatch.setattr(repeat_pages, "PAGE", 1)
    first = text(ada, "/deliveries", state="dead")
    older = re.search(r'<a href="([^"]*before=[^"]*)">Older', first)
    assert older
    second = ada.get(older[1].replace("&amp;", "&")).get_data(as_text=True)
    assert 'href="/deliveries/2"' in first
    assert 'href="/deliveries/1"' in second
    assert "Older" not in second
    assert text(ada, "/deliveries", before="x").count('href="/deliveries/') == 1


def test_a_delivery_shows_each_attempt_and_sends_it_again(ada: FlaskClient, both: Gradewire):
    page = text(ada, "/deliveries/1")
    for words in ("1,234 ms", "500", "retry", "status", "&lt;script&gt;", "Send again"):
        assert words in page
    assert SCRIPT not in page
    again = ada.post("/deliveries/1/retry")
    assert (again.status_code, again.location) == (303, "/deliveries/1")
    assert states(both) == [0, 2]


def test_a_replay_is_counted_started_watched_and_cancelled(ada: FlaskClient, both: Gradewire, place: str):
    path = f"/destinations/{place}/again"
    assert f'hx-get="{path}"' in text(ada, f"/destinations/{place}")
    assert "2 failed and 0 are held" in text(ada, path)
    assert "2 would be sent" in text(ada, f"{path}/count", kind="failed", hours=24)
    assert "0 would be sent" in text(ada, f"{path}/count", kind="missing", hours=336)
    assert states(both) == [2, 2]
    started = ada.post(path, data={"kind": "failed", "hours": "336"}, headers=HX).get_data(as_text=True)
    assert "<strong>0</strong> of 2" in started
    assert "every 2s" in started
    replaying.work_off(both)
    running = text(ada, path)
    assert "<strong>2</strong> of 2" in running
    (cancel,) = re.findall(r'hx-post="([^"]*/cancel)"', running)
    assert "cancelled" in ada.post(cancel, headers=HX).get_data(as_text=True)
    assert states(both) == [0, 0]
    plain = ada.post(path, data={"kind": "failed", "hours": "1"})  # without scripts
    assert (plain.status_code, plain.location) == (303, f"/destinations/{place}")


def test_what_cannot_be_replayed_is_said_in_its_place(ada: FlaskClient, both: Gradewire, place: str):
    path = f"/destinations/{place}/again"
    for data in ({"kind": "failed", "hours": "9999"}, {"kind": "lost", "hours": "1"}, {}):
        refused = ada.post(path, data=data, headers=HX)
        assert 'role="alert"' in refused.get_data(as_text=True)
        assert ada.post(path, data=data).status_code == 422
        assert "would be sent" not in text(ada, f"{path}/count", **data)
    with both.database.read() as connection:
        assert connection.execute(select(replay)).all() == []


def test_a_disabled_destination_is_resumed_and_what_is_held_sent(ada: FlaskClient, both: Gradewire, place: str):
    with both.database.write() as connection:
        connection.execute(update(destination).values(status="disabled", reason="gone"))
        connection.execute(update(delivery).values(state=6, done_at=None))
    page = text(ada, f"/destinations/{place}/again")
    assert "0 failed and 2 are held" in page
    assert "It is disabled" in page
    assert "Count" not in page
    assert ada.post(f"/destinations/{place}/resume").status_code == 303
    assert "Count" in text(ada, f"/destinations/{place}/again")
    ada.post(f"/destinations/{place}/again", data={"kind": "held", "hours": "24"})
    replaying.work_off(both)
    assert states(both) == [0, 0]


def test_nobody_elses_is_seen_or_changed_but_by_the_operator(both: Gradewire, place: str, operator: FlaskClient):
    bob = signed_in(both, "bob@example.com")
    assert 'href="/deliveries/' not in text(bob, "/deliveries")
    gets = ("/deliveries/1", f"/destinations/{place}/again")
    posts = ("/deliveries/1/retry", f"/destinations/{place}/again", f"/destinations/{place}/resume")
    for path in gets:
        assert bob.get(path).status_code == 404
        assert operator.get(path).status_code == 200
    for path in posts:
        assert bob.post(path, data={"kind": "failed", "hours": "24"}).status_code == 404
    assert "would be sent" not in text(bob, f"/destinations/{place}/again/count", kind="failed", hours=24)
    assert states(both) == [2, 2]
    for path in posts:
        assert operator.post(path, data={"kind": "failed", "hours": "24"}).status_code == 303
    with both.database.read() as connection:
        identity = connection.scalar(select(replay.c.id))
    assert bob.post(f"/destinations/{place}/again/{identity}/cancel").status_code == 404


def test_forms_of_other_sites_do_nothing(operator: FlaskClient, both: Gradewire, place: str):
    evil = {"Origin": "https://evil.example"}
    for path in ("/deliveries/1/retry", f"/destinations/{place}/again", f"/destinations/{place}/resume"):
        assert operator.post(path, data={"kind": "failed", "hours": "24"}, headers=evil).status_code == 422
    assert states(both) == [2, 2]


def test_without_a_session_there_is_nothing(both: Gradewire, place: str):
    client = create_app(both).test_client()
    for path in ("/deliveries", "/deliveries/1", f"/destinations/{place}/again", "/subscribe"):
        assert client.get(path).status_code == 302
    assert client.post("/deliveries/1/retry").status_code == 302
    assert states(both) == [2, 2]
