"""Destinations on the page: what is shown, what a form changes, and whose they are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from integration.service import accounts, destinations
from integration.service.wiring import Gradewire
from integration.store.tables import destination
from integration.web import create_app
from tests.channels.samples import ENTERED
from tests.web.conftest import HOOK

SCRIPT = "<script>alert(1)</script>"
FORM = {"label": "Mine", "description": "Alerts", "owner_email": "ops@example.com", "rate": "2.5", "concurrency": "3"}


@pytest.fixture
def account(gradewire: Gradewire) -> str:
    return str(accounts.authenticate(gradewire, accounts.create_key(gradewire, "ada@example.com")).account_id)


def make(gradewire: Gradewire, account: str, **config: Any) -> dict[str, Any]:
    return destinations.create_destination(gradewire, account, "webhook", {"url": HOOK, **config})


def signed_in(gradewire: Gradewire, email: str) -> FlaskClient:
    client = create_app(gradewire).test_client()
    client.post("/login", data={"key": accounts.create_key(gradewire, email)})
    return client


@pytest.fixture
def ada(gradewire: Gradewire, account: str) -> FlaskClient:
    return signed_in(gradewire, "ada@example.com")


def config_of(gradewire: Gradewire) -> dict[str, Any]:
    with gradewire.database.read() as connection:
        return gradewire.open_config(connection.execute(destination.select()).one().config)


def test_a_form_changes_what_is_said_and_what_is_set(gradewire: Gradewire, account: str, ada: FlaskClient):
    made = make(gradewire, account)
    path = f"/destinations/{made['id']}"
    new = {"config.url": "https://8.8.8.8/other", "config.headers": "Authorization: Bearer very-hidden\nX-Env: test"}
    saved = ada.post(path, data={**FORM, **new, "config.signatures": "v1, v1a"})
    assert (saved.status_code, saved.location) == (303, path)
    shown = destinations.get_destination(gradewire, account, made["id"])
    told = {"label": "Mine", "description": "Alerts", "owner_email": "ops@example.com", "rate": 2.5, "concurrency": 3}
    assert {name: shown[name] for name in told} == told
    assert (shown["headers"], shown["signatures"]) == ({"Authorization": "…", "X-Env": "…"}, ["v1", "v1a"])
    assert config_of(gradewire)["url"] == "https://8.8.8.8/other"
    page = ada.get(path).get_data(as_text=True)
    for text in ("Mine", "Alerts", "ops@example.com", "2.5", "Authorization: …", shown["public_key"], "https://8.8.8.8/…"):
        assert text in page
    assert not [text for text in ("very-hidden", "/other", "whsec_", "whsk_") if text in page]


def test_what_is_left_empty_is_taken_back_and_settings_stay(gradewire: Gradewire, account: str, ada: FlaskClient):
    made = make(gradewire, account, headers={"X-Env": "test"})
    path = f"/destinations/{made['id']}"
    ada.post(path, data=FORM)
    before = config_of(gradewire)
    ada.post(path, data=dict.fromkeys((*FORM, "config.url", "config.headers", "config.signatures"), " "))
    shown = destinations.get_destination(gradewire, account, made["id"])
    usual = {"label": "Webhook", "description": "", "owner_email": "ada@example.com", "rate": None, "concurrency": None}
    assert {name: shown[name] for name in usual} == usual
    assert config_of(gradewire) == before
    ada.post(path, data={**FORM, "clear.headers": "1"})
    assert config_of(gradewire)["headers"] == {}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rate": "0.01"}, "rate: "),
        ({"rate": "fast"}, "rate: "),
        ({"concurrency": "2.5"}, "concurrency: "),
        ({"concurrency": "9" * 400}, "concurrency: "),
        ({"owner_email": "nobody"}, "owner_email: This is not an e-mail address"),
        ({"config.url": "https://10.0.0.1/"}, "url: This address is private"),
        ({"config.headers": "Host: x"}, "headers: The header Host"),
        ({"config.headers": "nonsense"}, "headers: Write each header"),
        ({"config.secret": "whsec_" + "A" * 32}, "rotated"),
        ({"config.colour": "red"}, "colour: Unknown field"),
        ({"clear.colour": "1"}, "colour: Unknown field"),
    ],
)
def test_what_is_wrong_is_said_above_the_form_and_changes_nothing(
    gradewire: Gradewire, account: str, ada: FlaskClient, change: dict[str, str], says: str
):
    made = make(gradewire, account)
    answer = ada.post(f"/destinations/{made['id']}", data={**FORM, **change})
    assert answer.status_code == 422
    assert says in answer.get_data(as_text=True)
    assert destinations.get_destination(gradewire, account, made["id"])["label"] == "Webhook"


def test_a_new_secret_is_shown_once(gradewire: Gradewire, account: str, ada: FlaskClient):
    made = make(gradewire, account)
    path = f"/destinations/{made['id']}"
    rotated = ada.post(f"{path}/rotate", data={"overlap_hours": "2"})
    (secret,) = set(re.findall(r"whsec_[A-Za-z0-9+/=]+", rotated.get_data(as_text=True)))
    assert (rotated.status_code, rotated.headers["Cache-Control"]) == (200, "no-store")
    assert config_of(gradewire)["secret"] == secret
    page = ada.get(path).get_data(as_text=True)
    assert "whsec_" not in page
    assert "Old secret signs until" in page
    wrong = ada.post(f"{path}/rotate", data={"overlap_hours": "169"})
    assert (wrong.status_code, "overlap_hours" in wrong.get_data(as_text=True)) == (422, True)


@pytest.mark.parametrize("channel", ["slack", "sheets", "email"])
def test_every_channel_has_its_page_without_secrets(gradewire: Gradewire, account: str, ada: FlaskClient, channel: str):
    made = destinations.create_destination(gradewire, account, channel, ENTERED[channel])
    page = ada.get(f"/destinations/{made['id']}").get_data(as_text=True)
    assert made["hint"].split("…")[0].replace("'", "&#39;") in page
    assert "very-hidden" not in page
    assert "Rotate" not in page
    assert ada.post(f"/destinations/{made['id']}/rotate", data={"overlap_hours": "2"}).status_code == 422


def test_the_list_shows_ones_own_and_the_operator_sees_all(gradewire: Gradewire, account: str, ada: FlaskClient):
    made = make(gradewire, account)
    other = accounts.authenticate(gradewire, accounts.create_key(gradewire, "bob@example.com")).account_id
    theirs = make(gradewire, other)
    listed = ada.get("/destinations").get_data(as_text=True)
    assert made["id"] in listed
    assert theirs["id"] not in listed
    for answer in (
        ada.get(f"/destinations/{theirs['id']}"),
        ada.post(f"/destinations/{theirs['id']}", data=FORM),
        ada.post(f"/destinations/{theirs['id']}/rotate", data={"overlap_hours": "2"}),
    ):
        assert answer.status_code == 404
    here = create_app(gradewire, open_page=True).test_client()
    everything = here.get("/destinations").get_data(as_text=True)
    assert made["id"] in everything
    assert theirs["id"] in everything
    assert here.post(f"/destinations/{theirs['id']}", data=FORM).status_code == 303
    assert destinations.get_destination(gradewire, other, theirs["id"])["label"] == "Mine"


def test_strangers_and_other_sites_change_nothing(gradewire: Gradewire, account: str, ada: FlaskClient):
    made = make(gradewire, account)
    path, evil = f"/destinations/{made['id']}", {"Origin": "https://evil.example"}
    before = config_of(gradewire)
    assert ada.post(path, data=FORM, headers=evil).status_code == 422
    assert ada.post(f"{path}/rotate", data={"overlap_hours": "0"}, headers=evil).status_code == 422
    stranger = create_app(gradewire).test_client()
    for answer in (
        stranger.get("/destinations"),
        stranger.get(path),
        stranger.post(path, data=FORM),
        stranger.post(f"{path}/rotate"),
    ):
        assert (answer.status_code, answer.location.startswith("/login")) == (302, True)
    assert config_of(gradewire) == before


def test_what_people_write_is_shown_as_text(gradewire: Gradewire, account: str, ada: FlaskClient):
    made = make(gradewire, account)
    ada.post(f"/destinations/{made['id']}", data={**FORM, "label": SCRIPT, "description": SCRIPT})
    for path in ("/destinations", f"/destinations/{made['id']}"):
        page = ada.get(path).get_data(as_text=True)
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page
