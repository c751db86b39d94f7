"""The page: who may see it, what it shows, and that nothing in it runs or comes from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, update

from integration.domain.catalogue import SubjectRow
from integration.service import accounts, inbox
from integration.service.wiring import Gradewire
from integration.store.queries import notices
from integration.store.tables import delivery, poll
from integration.web import create_app, production
from integration.wire.mailcatcher import CaughtMail
from tests.web.conftest import HOOK, NOW, Market, Wall, asker, small_market

HERE = {"REMOTE_ADDR": "127.0.0.1"}
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def here(gradewire: Gradewire, market: Market) -> FlaskClient:
    return create_app(gradewire, open_page=True).test_client()


def signed_in(gradewire: Gradewire, email: str) -> FlaskClient:
    client = create_app(gradewire).test_client()
    client.post("/login", data={"key": accounts.create_key(gradewire, email)})
    return client


def test_the_operator_at_this_machine_sees_it_without_a_key(here: FlaskClient):
    assert here.get("/").status_code == 200
    assert here.get("/", base_url="http://127.0.0.1:8377").status_code == 200


@pytest.mark.parametrize(
    "request_",
    [
        {"environ_base": {"REMOTE_ADDR": "192.168.1.7"}},
        {"environ_base": {"REMOTE_ADDR": ""}},
        {"base_url": "http://evil.example"},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"Forwarded": "for=127.0.0.1"}},
        {"headers": {"X-Real-IP": "127.0.0.1"}},
        {"headers": {"X-Forwarded-Proto": "https"}},
        {"headers": {"Via": "1.1 tunnel"}},
    ],
)
def test_anyone_else_is_asked_for_a_key(here: FlaskClient, request_: dict[str, Any]):
    for path in ("/", "/fragments/events", "/events/evt_x", "/inbox/mail/1", "/inbox/mail/1/html", "/inbox/hooks/1"):
        answer = here.get(path, **request_)
        assert answer.status_code == 302
        assert answer.location.startswith("/login")


def test_a_page_that_is_not_open_asks_for_a_key_here_too(gradewire: Gradewire):
    client = create_app(gradewire).test_client()
    assert client.get("/").location == "/login?next=/"


def test_signing_in_with_a_key(gradewire: Gradewire, market: Market):
    key = accounts.create_key(gradewire, "ada@example.com")
    client = create_app(gradewire).test_client()
    wrong = client.post("/login", data={"key": "gw_live_wrong"})
    assert (wrong.status_code, "unknown or revoked" in wrong.get_data(as_text=True)) == (422, True)
    right = client.post("/login", data={"key": f" {key} ", "next": "/docs"})
    assert (right.status_code, right.location) == (303, "/docs")
    cookie = right.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert key not in cookie
    assert "ada@example.com" in client.get("/").get_data(as_text=True)
    accounts.revoke_key(gradewire, key[:12])
    assert client.get("/").status_code == 302


def test_signing_out(gradewire: Gradewire):
    client = signed_in(gradewire, "ada@example.com")
    assert client.get("/").status_code == 200
    client.post("/logout")
    assert client.get("/").status_code == 302


def test_another_site_cannot_sign_anyone_out(gradewire: Gradewire):
    client = signed_in(gradewire, "ada@example.com")
    client.post("/logout", headers={"Origin": "https://evil.example"})
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("after", ["//evil.example", "https://evil.example", "/\\evil", "javascript:alert(1)"])
def test_the_form_leads_nowhere_else(gradewire: Gradewire, after: str):
    key = accounts.create_key(gradewire, "ada@example.com")
    assert create_app(gradewire).test_client().post("/login", data={"key": key, "next": after}).location == "/"


def test_another_sites_form_does_not_sign_in(gradewire: Gradewire):
    key = accounts.create_key(gradewire, "ada@example.com")
    answer = create_app(gradewire).test_client().post("/login", data={"key": key}, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 422


def test_it_shows_events_deliveries_polls_budget_and_inboxes(both: Gradewire, wall: Wall):
    market = small_market(both, wall)
    app = create_app(both, open_page=True)
    ada = asker(app, both, "ada@example.com")
    ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "scope": {"tokens": ["3375", "77", "3306"]}})
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0, 3306: 90.0, 77: 10.0})
    later = {"attempts": 2, "next_attempt_at": NOW + 45_296_000, "reason": "HTTP 503"}
    one, two, _ = (row["id"] for row in ada.get("deliveries").get_json())
    with both.database.write() as connection:
        connection.execute(update(delivery).where(delivery.c.id == one).values(later))
        connection.execute(update(delivery).where(delivery.c.id == two).values(state=2, reason="HTTP 410 Gone"))
        done = {"source": "trader_grades", "selection": "all", "slot": NOW, "started_at": NOW, "finished_at": NOW}
        connection.execute(insert(poll).values(**done, status="partial", rows=7, error="Only 7 rows came"))
    both.budget.take(wall())
    with both.database.write() as connection:
        notices.put(connection, "plan:1", "plan", wall(), "At this rate <the plan> would end")
    inbox.keep_mail(both, CaughtMail("m1", "gw@x", "ada@example.com", "A caught mail", "text", "<p>html</p>"))
    inbox.keep_hook(both, b'{"summary": "A caught webhook"}', {"webhook-id": "evt_caught"})
    page = app.test_client().get("/").get_data(as_text=True)
    for text in (
        "Sandbox data, not the market.", "Bitcoin&#39;s trader grade", "Grade Change", "HTTP 410 Gone", "2 tried, next 12:34:56",
        "HTTP 503", "partial", "Only 7 rows came", "<strong>1</strong> of 5,000 calls", "A caught mail", "A caught webhook",
        "bad signature", "/v1/hooks", "At this rate &lt;the plan&gt; would end",
    ):  # fmt: skip
        assert text in page, text
    for state in ("pending", "retrying", "dead"):
        assert f'<span class="chip {state}">{state}</span>' in page


def test_the_production_application_is_never_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("DATABASE_URL", "TOKENMETRICS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADEWIRE_DATA", str(tmp_path))
    client = production.app().test_client()
    assert client.get("/healthz").status_code == 200
    assert client.get("/").status_code == 302


def test_without_a_sandbox_there_is_no_banner(gradewire: Gradewire):
    gradewire.settings = gradewire.settings.replace(tokenmetrics_api_key="tm-key")
    page = create_app(gradewire, open_page=True).test_client().get("/").get_data(as_text=True)
    assert "not the market" not in page
    assert "tm-key" not in page


def test_an_account_sees_its_own_deliveries_and_mail_only(gradewire: Gradewire, market: Market):
    app = create_app(gradewire)
    asker(app, gradewire, "ada@example.com").post("hooks", {"target_url": HOOK, "event": "grade_changed"})
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    inbox.keep_mail(gradewire, CaughtMail("m1", "gw@x", "ada@example.com", "For Ada", "text", "<p>html</p>"))
    inbox.keep_hook(gradewire, b"{}", {"webhook-id": "evt_caught"})
    ada, bob = signed_in(gradewire, "ada@example.com"), signed_in(gradewire, "bob@example.com")
    event = re.search(r"/events/(evt_\w+)", ada.get("/").get_data(as_text=True))
    assert event
    for path, text in (("/", "93.184"), ("/", "For Ada"), (event[0], "93.184")):
        assert text in ada.get(path).get_data(as_text=True)
        answer = bob.get(path)
        assert answer.status_code == 200
        assert text not in answer.get_data(as_text=True)
    mail = re.search(r"/inbox/mail/\d+", ada.get("/").get_data(as_text=True))
    assert mail
    for path in (mail[0], f"{mail[0]}/html"):
        assert (ada.get(path).status_code, bob.get(path).status_code) == (200, 404)
    for client in (ada, bob):
        assert client.get("/inbox/hooks/1").status_code == 404
        assert "evt_caught" not in client.get("/").get_data(as_text=True)
        assert "/inbox/webhook/" not in client.get("/").get_data(as_text=True)


def test_a_part_that_did_not_change_is_not_sent_again(here: FlaskClient, market: Market):
    part = here.get("/fragments/events").get_data(as_text=True)
    address = re.search(r'hx-get="([^"]+)"', part)
    assert address
    assert here.get(address[1]).status_code == 204
    assert here.get("/fragments/secrets").status_code == 404


def test_a_session_that_ended_sends_the_whole_page_to_the_form(gradewire: Gradewire):
    answer = create_app(gradewire).test_client().get("/fragments/events", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login")


def test_an_event_has_a_page(here: FlaskClient, gradewire: Gradewire, market: Market):
    ada = asker(create_app(gradewire), gradewire, "ada@example.com")
    event = ada.get("triggers/grade_changed", tokens="3375").get_json()[0]
    page = here.get(f"/events/{event['id']}").get_data(as_text=True)
    for text in (event["id"], "Old Grade", "65.0", "New Grade", "52.0", "Snapshot", "As JSON"):
        assert text in page, text
    missing = here.get("/events/evt_none")
    assert (missing.status_code, missing.mimetype) == (404, "text/html")


def test_strangers_text_is_only_ever_text(here: FlaskClient, gradewire: Gradewire, market: Market):
    market.name(SubjectRow("token:9", "token", SCRIPT, SCRIPT))
    ada = asker(create_app(gradewire), gradewire, "ada@example.com")
    ada.post("hooks", {"target_url": HOOK, "event": "grade_changed"})
    for day, grade in ((-1, 50.0), (0, 70.0)):
        market.read("trader_grades", "tm_trader_grade", day, {9: grade})
    event = ada.get("triggers/grade_changed", tokens="9").get_json()[0]
    inbox.keep_mail(gradewire, CaughtMail(SCRIPT, SCRIPT, SCRIPT, SCRIPT, SCRIPT, SCRIPT))
    inbox.keep_hook(gradewire, SCRIPT.encode(), {"webhook-id": SCRIPT})
    for path in ("/", f"/events/{event['id']}", "/inbox/mail/1", "/inbox/hooks/1"):
        page = here.get(path)
        assert page.status_code == 200
        assert SCRIPT not in page.get_data(as_text=True), path
        assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_a_mails_html_is_shut_in(here: FlaskClient, gradewire: Gradewire):
    inbox.keep_mail(gradewire, CaughtMail("m", "a@b", "c@d", "s", "t", SCRIPT))
    page = here.get("/inbox/mail/1").get_data(as_text=True)
    assert '<iframe sandbox title="The mail as HTML" src="/inbox/mail/1/html">' in page
    policy = here.get("/inbox/mail/1/html").headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none'; ")
    assert "script" not in policy


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline(here: FlaskClient):
    page = here.get("/").get_data(as_text=True)
    loaded = re.findall(r'<(?:link|script|img|iframe)\b[^>]*(?:src|href)="([^"]*)"', page)
    assert len(loaded) >= 5
    for address in loaded:
        assert address.startswith("/static/")
        with here.get(address) as answer:
            assert answer.status_code == 200
    assert not re.search(r"<script(?![^>]*src)|<style| style=| on\w+=", page)


def test_what_goes_wrong_is_told_to_people_as_a_page(here: FlaskClient, monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("integration.web.dashboard.overview.event_page", broken)
    answer = here.get("/events/evt_x")
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "secret detail" not in answer.get_data(as_text=True)
    assert here.get("/nothing").mimetype == "text/html"


def test_an_event_that_several_rules_found_says_of_each_what_sets_it_apart(gradewire: Gradewire, market: Market):
    ada = asker(create_app(gradewire), gradewire, "ada@example.com")
    for options in ({}, {"points": 15, "class_change_only": False}):
        ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "options": options, "scope": {"tokens": ["3375"]}})
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    here = create_app(gradewire, open_page=True).test_client()
    part = here.get("/fragments/events").get_data(as_text=True)
    assert part.count("Bitcoin&#39;s trader grade") == 2
    assert part.count("Points 15") == 1
    pages = [here.get(path).get_data(as_text=True) for path in re.findall(r'href="(/events/[^"]+)"', part)]
    assert sorted("Points 15" in page for page in pages) == [False, True]
