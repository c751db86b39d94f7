"""Destinations over HTTP: made, changed, rotated; what is shown of them, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.web.conftest import HOOK, Asker, Market

Refused = Callable[..., str]
ABOUT = {"label": "Mine", "description": "Alerts", "owner_email": "ops@example.com", "rate": 2.5, "concurrency": 3}


def patch(who: Asker, path: str, body: Any) -> TestResponse:
    return who.client.patch(f"/v1/{path}", json=body, headers={"X-Api-Key": who.key})


def make(who: Asker, **more: Any) -> dict[str, Any]:
    config = {"url": HOOK, **more.pop("config", {})}
    answer = who.post("destinations", {"channel": "webhook", "config": config, **more})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return dict(answer.get_json())


def test_what_is_said_of_it_is_set_changed_and_shown(ada: Asker):
    made = make(ada, **ABOUT)
    assert {name: made[name] for name in ABOUT} == ABOUT
    path = f"destinations/{made['id']}"
    changed = patch(ada, path, {"rate": None, "concurrency": 64, "label": "Ours", "owner_email": None})
    assert changed.status_code == 200
    told = {"rate": None, "concurrency": 64, "label": "Ours", "owner_email": ada.email, "description": "Alerts"}
    assert {name: changed.get_json()[name] for name in told} == told
    assert ada.get(path).get_json() == changed.get_json()
    assert ada.get("destinations").get_json() == [changed.get_json()]


def test_the_usual_is_shown_as_null_and_the_owner_is_the_account(ada: Asker):
    made = make(ada)
    assert (made["rate"], made["concurrency"], made["description"]) == (None, None, "")
    assert (made["owner_email"], made["signatures"], made["headers"], made["overlap_until"]) == (ada.email, ["v1"], {}, None)


def test_a_secret_is_shown_when_it_is_made_and_when_it_is_rotated_and_never_again(ada: Asker):
    made = make(ada, config={"headers": {"Authorization": "Bearer very-hidden"}, "signatures": ["v1", "v1a"]})
    path = f"destinations/{made['id']}"
    rotated = ada.post(f"{path}/rotate", {"overlap_hours": 168})
    assert rotated.status_code == 200
    new = rotated.get_json()
    assert new["secret"].startswith("whsec_")
    assert new["secret"] != made["secret"]
    assert new["public_key"].startswith("whpk_")
    assert new["public_key"] != made["public_key"]
    assert new["overlap_until"] is not None
    for answer in (ada.get("destinations"), ada.get(path), patch(ada, path, {"label": "x"}), ada.post(f"{path}/pause")):
        text = answer.get_data(as_text=True)
        assert answer.status_code == 200
        assert '"headers": {"Authorization": "…"}' in text.replace('":"', '": "').replace('":{', '": {')
        assert new["public_key"] in text
        assert not [secret for secret in ("whsec_", "whsk_", "very-hidden", "/hook") if secret in text]


def test_rotating_needs_no_body_and_overlaps_a_day(ada: Asker, wall):
    made = make(ada)
    rotated = ada.post(f"destinations/{made['id']}/rotate")
    assert rotated.status_code == 200
    assert rotated.get_json()["overlap_until"] == "2026-10-15T00:00:00Z"
    assert ada.post(f"destinations/{made['id']}/rotate", {"overlap_hours": 0}).get_json()["overlap_until"] is not None


def test_an_address_is_changed_for_all_rules_of_a_destination(ada: Asker, market: Market):
    made = make(ada)
    for trigger in ("grade_changed", "sharpe_threshold"):
        assert ada.post("subscriptions", {"trigger": trigger, "destination_id": made["id"]}).status_code == 201
    assert patch(ada, f"destinations/{made['id']}", {"config": {"url": "https://8.8.8.8/other"}}).status_code == 200
    assert {row["destination"] for row in ada.get("subscriptions").get_json()} == {"https://8.8.8.8/…"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rate": 0.05}, "rate"),
        ({"rate": 1001}, "rate"),
        ({"rate": "NaN"}, "rate"),
        ({"rate": "fast"}, "rate"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 65}, "concurrency"),
        ({"concurrency": 1.5}, "concurrency"),
        ({"label": "x" * 81}, "label"),
        ({"label": None}, "label"),
        ({"description": "x" * 501}, "description"),
        ({"owner_email": "nobody"}, "owner_email"),
        ({"owner_email": "a@example.com, b@example.com"}, "owner_email"),
        ({"owner_email": "a@example.com\nBcc: b@example.com"}, "owner_email"),
        ({"status": "active"}, "status"),
        ({"config": []}, "config"),
        ({"config": {"url": "https://10.0.0.1/"}}, "url"),
        ({"config": {"url": "http://example.com/"}}, "url"),
        ({"config": {"headers": {"Host": "x"}}}, "headers"),
        ({"config": {"headers": {"X-A": "…"}}}, "headers"),
        ({"config": {"headers": ["X-A"]}}, "headers"),
        ({"config": {"signatures": ["v3"]}}, "signatures.0"),
    ],
)
def test_what_is_wrong_is_named_when_it_is_made_and_when_it_is_changed(
    ada: Asker, refused: Refused, change: dict[str, Any], field: str
):
    made = make(ada)
    refused(patch(ada, f"destinations/{made['id']}", change), 422, field)
    if change.keys() <= {"config"} or "status" in change:
        change = {"config": {"url": HOOK, **change["config"]}} if isinstance(change.get("config"), dict) else change
    refused(ada.post("destinations", {"channel": "webhook", "config": {"url": HOOK}, **change}), 422, field)
    assert ada.get("destinations").get_json() == [{name: value for name, value in made.items() if name != "secret"}]


@pytest.mark.parametrize("hours", [-1, 169, 1.5, "day", None])
def test_an_overlap_that_is_wrong_is_named(ada: Asker, refused: Refused, hours: Any):
    made = make(ada)
    refused(ada.post(f"destinations/{made['id']}/rotate", {"overlap_hours": hours}), 422, "overlap_hours")


def test_nothing_to_change_and_a_secret_to_enter_are_refused_with_the_remedy(ada: Asker, refused: Refused):
    path = f"destinations/{make(ada)['id']}"
    assert "Name what to change" in refused(patch(ada, path, {}), 422, "config")
    assert "rotated" in refused(patch(ada, path, {"config": {"secret": "whsec_" + "A" * 32}}), 422, "secret")
    email = ada.post("destinations", {"channel": "email", "config": {"to": "ada@example.com"}}).get_json()["id"]
    assert "not signed" in refused(ada.post(f"destinations/{email}/rotate"), 422, "destination_id")


def test_an_unknown_destination_names_its_field(ada: Asker, bob: Asker, market: Market, refused: Refused):
    made = make(ada)["id"]
    for identity in (made, "dst_none"):
        path = f"destinations/{identity}"
        for answer in (
            bob.get(path), patch(bob, path, {"label": "x"}), bob.post(f"{path}/rotate"), bob.post(f"{path}/pause"),
            bob.post(f"{path}/resume"), bob.post(f"{path}/test"),
            bob.post("subscriptions", {"trigger": "grade_changed", "destination_id": identity}),
        ):  # fmt: skip
            refused(answer, 404, "destination_id")
    assert ada.get(f"destinations/{made}").get_json()["label"] == "Webhook"
