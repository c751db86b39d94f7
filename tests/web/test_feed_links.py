"""Feeds under a token: CSV, JSON Feed and Atom, for what sends no key."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from sqlalchemy import select

from integration import triggers
from integration.domain.catalogue import SubjectRow
from integration.domain.redaction import redacted
from integration.domain.retry import DAY
from integration.logs import Renderer
from integration.service import accounts
from integration.service.wiring import Gradewire
from integration.store.tables import feed_link
from integration.web import create_app
from integration.web.feed_formats import FIRST, as_csv, cell, columns
from tests.web.conftest import Asker, Market, Wall, asker, small_market

ATOM = "{http://www.w3.org/2005/Atom}"
WISH = {"trigger": "grade_changed", "scope": {"tokens": "3375"}}


def made(ada: Asker, **more: Any) -> dict[str, Any]:
    answer = ada.post("feeds", {**WISH, **more})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return dict(answer.get_json())


def path(link: dict[str, Any], kind: str) -> str:
    return str(link[kind]).removeprefix("http://localhost")


def test_a_feed_is_read_by_its_address_alone_in_three_forms(both: Gradewire, wall: Wall) -> None:
    small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    link = made(ada, label="My grades")
    told = ada.get("triggers/grade_changed", tokens="3375").get_json()
    table = ada.client.get(path(link, "csv"))
    assert table.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.get_data(as_text=True))))
    assert [row["id"] for row in rows] == [event["id"] for event in told]
    assert [float(row["change"]) for row in rows] == [event["change"] for event in told]
    feed = ada.client.get(path(link, "json"))
    assert feed.mimetype == "application/feed+json"
    document = feed.get_json(force=True)
    assert (document["version"], document["title"]) == ("https://jsonfeed.org/version/1.1", "My grades · Gradewire")
    assert [item["_gradewire"] for item in document["items"]] == told
    assert [item["url"] for item in document["items"]] == [f"http://localhost/events/{event['id']}" for event in told]
    atom = ada.client.get(path(link, "atom"))
    assert atom.mimetype == "application/atom+xml"
    root = Xml.fromstring(atom.get_data())
    assert root.tag == f"{ATOM}feed"
    assert [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")] == [
        f"urn:gradewire:{event['id']}" for event in told
    ]
    assert root.findtext(f"{ATOM}updated") == told[0]["known_at"]


def test_a_link_ends_when_it_is_revoked_and_its_token_is_never_shown_again(ada: Asker, bob: Asker, market: Market) -> None:
    link = made(ada)
    token = link["token"]
    (listed,) = ada.get("feeds").get_json()
    assert listed == ada.get(f"feeds/{link['id']}").get_json()
    assert token not in json.dumps(listed)
    assert (listed["prefix"], listed["label"]) == (f"{token[:12]}…", "New Grade Change")
    bob.delete(f"feeds/{link['id']}")
    assert bob.get("feeds").get_json() == []
    assert bob.get(f"feeds/{link['id']}").status_code == 404
    assert ada.client.get(path(link, "csv")).status_code == 200
    for _ in range(2):
        assert ada.delete(f"feeds/{link['id']}").status_code == 204
    answer = ada.client.get(path(link, "csv"))
    assert answer.status_code == 404
    assert "revoked" in answer.get_json()["error"]["message"]
    assert ada.get("feeds").get_json() == []


def test_the_token_is_nowhere_in_the_database_nor_in_a_log(ada: Asker, market: Market, gradewire: Gradewire) -> None:
    token = made(ada)["token"]
    with gradewire.database.read() as connection:
        (row,) = connection.execute(select(feed_link)).all()
    assert token not in str(row)
    assert token[12:] not in str(row)
    for text in (Renderer(as_json=True).mask(f"GET /feed/{token}.csv"), redacted(f"GET /feed/{token}.csv")):
        assert token[8:] not in text


def test_what_did_not_change_is_not_sent_again_and_what_did_is(ada: Asker, market: Market) -> None:
    link = made(ada)
    for kind in ("csv", "json", "atom"):
        first = ada.client.get(path(link, kind))
        again = ada.client.get(path(link, kind), headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.get_data(), again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        assert ada.client.get(path(link, kind), query_string={"limit": 1}).headers["ETag"] != first.headers["ETag"]
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    assert ada.client.get(path(link, "csv"), headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_columns_are_the_same_with_and_without_events(ada: Asker, market: Market) -> None:
    full, empty = made(ada), made(ada, scope={"tokens": "3306"})
    heads = [ada.client.get(path(link, "csv")).get_data(as_text=True).splitlines() for link in (full, empty)]
    assert heads[0][0] == heads[1][0]
    assert heads[0][0].split(",") == columns(triggers.load()["grade_changed"].payload)
    assert (len(heads[0]), len(heads[1])) == (3, 1)


@pytest.mark.parametrize("key", triggers.load())
def test_every_trigger_has_a_table_whose_first_columns_never_move(key: str) -> None:
    trigger = triggers.load()[key]
    names = columns(trigger.payload)
    assert tuple(names[: len(FIRST)]) == FIRST
    assert len(set(names)) == len(names)
    (row,) = csv.DictReader(io.StringIO(as_csv(trigger, [trigger.sample])))
    assert row["summary"] == cell(trigger.sample["summary"])
    assert not any(isinstance(trigger.sample[name], list | dict) for name in names)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+1", "@sum(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(ada: Asker, market: Market, text: str) -> None:
    market.name(SubjectRow("token:77", "token", text, "=X"))
    link = made(ada, scope={"tokens": "77"}, options={"points": 12})
    (row, *_) = csv.reader(io.StringIO(ada.client.get(path(link, "csv")).get_data(as_text=True)[0:]))
    rows = list(csv.DictReader(io.StringIO(ada.client.get(path(link, "csv")).get_data(as_text=True))))
    assert [(line["subject_name"], line["subject_symbol"]) for line in rows] == [(f"'{text}", "'=X")] * len(rows)
    assert rows
    assert row[0] == "id"
    assert rows[0]["change"].startswith("-")  # a number stays one


def test_what_no_reader_can_parse_is_not_in_the_atom_feed(ada: Asker, market: Market) -> None:
    market.name(SubjectRow("token:77", "token", "A\x01<&>\x0b\ufffe\uffff", "X"))
    link = made(ada, scope={"tokens": "77"}, options={"points": 12})
    root = Xml.fromstring(ada.client.get(path(link, "atom")).get_data())
    assert all("A<&>" in (entry.findtext(f"{ATOM}title") or "") for entry in root.findall(f"{ATOM}entry"))


def test_an_empty_feed_is_one_in_every_form(ada: Asker, market: Market) -> None:
    link = made(ada, scope={"tokens": "3306"})
    assert ada.client.get(path(link, "json")).get_json(force=True)["items"] == []
    assert Xml.fromstring(ada.client.get(path(link, "atom")).get_data()).findtext(f"{ATOM}updated")


def test_a_link_outlives_the_sleep_of_its_feed(ada: Asker, market: Market, wall: Wall) -> None:
    link = made(ada, scope={"category": "layer-1"}, options={"points": 12})
    wall.ms += 45 * DAY
    assert ada.client.get(path(link, "csv")).status_code == 200
    assert ada.get("feeds").get_json()[0]["last_used_at"] is not None


def test_what_is_wrong_with_an_address_is_said(ada: Asker, market: Market, refused: Any) -> None:
    link = made(ada)
    refused(ada.client.get(f"/feed/{link['token']}.rss"), 404, None)
    refused(ada.client.get("/feed/gw_feed_none.csv"), 404, None)
    refused(ada.client.get(path(link, "csv"), query_string={"limit": 5000}), 422, "limit")
    refused(ada.post("feeds", {"trigger": "nothing"}), 422, "trigger")
    refused(ada.post("feeds", {**WISH, "label": "x" * 81}), 422, "label")


def test_a_link_is_not_read_more_often_than_any_reader_needs(
    ada: Asker, market: Market, gradewire: Gradewire, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.web.feed_links.REQUESTS_A_MINUTE", 2)
    client = create_app(gradewire).test_client()
    link = made(ada)
    assert [client.get(path(link, "csv")).status_code for _ in range(3)] == [200, 200, 429]


def test_a_link_ends_with_the_key_that_made_it(both: Gradewire, wall: Wall) -> None:
    small_market(both, wall)
    ada, other = (asker(create_app(both), both, "ada@example.com") for _ in range(2))
    link, kept = made(ada), made(other)
    accounts.revoke_key(both, ada.key[:12] + "…")
    assert other.client.get(path(link, "csv")).status_code == 404
    assert other.client.get(path(kept, "csv")).status_code == 200
    assert [row["id"] for row in other.get("feeds").get_json()] == [kept["id"]]


def test_a_link_is_made_and_revoked_on_the_page(gradewire: Gradewire, ada: Asker, market: Market) -> None:
    browser = create_app(gradewire).test_client()
    browser.post("/login", data={"key": ada.key})
    form = {"trigger": "grade_changed", "scope.tokens": "3375", "label": "Sheet <1>", "action": "link"}
    page = browser.post("/subscribe", data=form)
    text = page.get_data(as_text=True)
    assert page.headers["Cache-Control"] == "no-store"
    address = (
        text.partition("=IMPORTDATA(&#34;http://localhost")[2].partition("&#34;")[0]
        or text.partition('=IMPORTDATA("http://localhost')[2].partition('"')[0]
    )
    assert browser.get(address).status_code == 200
    listed = browser.get("/feeds").get_data(as_text=True)
    assert "Sheet &lt;1&gt;" in listed
    assert address[6:40] not in listed
    identity = ada.get("feeds").get_json()[0]["id"]
    assert browser.post(f"/feeds/{identity}/revoke", headers={"Origin": "http://evil.example"}).status_code == 422
    assert browser.post(f"/feeds/{identity}/revoke").status_code == 303
    assert browser.get(address).status_code == 404


def test_the_operator_says_whose_a_link_is(gradewire: Gradewire, ada: Asker, market: Market) -> None:
    browser = create_app(gradewire, open_page=True).test_client()
    form = {"trigger": "grade_changed", "scope.tokens": "3375", "action": "link"}
    assert browser.post("/subscribe", data=form).status_code == 422
    mine = ada.get("me").get_json()["id"]
    assert browser.post("/subscribe", data={**form, "account_id": mine}).status_code == 200
    assert len(ada.get("feeds").get_json()) == 1
