"""What the document says of webhooks is what receivers get."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from integration import triggers
from integration.service.deliver import drain_all
from integration.service.ways import ways_of
from integration.service.wiring import Gradewire, wall_clock
from integration.web import create_app
from tests.receiver import Receiver
from tests.web.conftest import Asker, Wall, asker, small_market

TRIGGERS = triggers.load()
every_trigger = pytest.mark.parametrize("key", TRIGGERS)


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    return {}


@pytest.fixture
def spec(kept: dict[str, Any], ada: Asker) -> Any:
    """The document, made once for all of these tests."""
    if not kept:
        kept.update(ada.client.get("/openapi.json").get_json())
    return kept


def problems(spec: Any, name: str, body: Any) -> list[str]:
    """What is wrong with a body by the schema of a webhook."""
    schema = spec["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]["schema"]
    check = jsonschema_rs.Draft202012Validator({**schema, "components": spec["components"]})
    return [error.message for error in check.iter_errors(body)]


def test_there_is_one_entry_for_each_trigger_and_for_the_test_and_the_digest(spec: Any):
    assert list(spec["webhooks"]) == [*TRIGGERS, "digest", "bundle", "test"]
    assert "data_corrected" in spec["webhooks"]
    for entry in spec["webhooks"].values():
        assert set(entry["post"]["responses"]) == {"2XX", "410", "429", "503", "default"}
        assert entry["post"]["security"] == []


@every_trigger
def test_each_sample_is_as_its_schema_says(spec: Any, key: str):
    sample = dict(TRIGGERS[key].sample)
    assert problems(spec, key, sample) == []
    assert spec["webhooks"][key]["post"]["requestBody"]["content"]["application/json"]["example"] == sample
    assert problems(spec, "test", sample) == []
    assert problems(spec, key, {**sample, "a_key_of_a_later_version": 1}) == []


@every_trigger
def test_each_schema_tells_what_is_missing_or_of_another_type(spec: Any, key: str):
    sample = dict(TRIGGERS[key].sample)
    for name in sample:
        assert problems(spec, key, {part: value for part, value in sample.items() if part != name})
    assert problems(spec, key, {**sample, "id": 7})
    assert problems(spec, key, {**sample, "snapshot": []})
    assert problems(spec, key, [sample])


def digest(*keys: str, **changes: Any) -> dict[str, Any]:
    events = [dict(TRIGGERS[key].sample) for key in keys]
    about = {"schema": 1, "id": "dig_aaaaaaaaaaaaaaaaaaaaaaaaaa", "type": "digest", "delayed": False, "count": len(events)}
    return {**about, "summary": f"{len(events)} events.", "events": events, **changes}


def test_a_digest_holds_events_of_any_trigger(spec: Any):
    assert problems(spec, "digest", digest(*TRIGGERS)) == []
    assert problems(spec, "digest", digest("data_corrected", delayed=True)) == []
    wrong: list[dict[str, Any]] = [
        {"type": "event"},
        {"schema": 2},
        {"id": "evt_x"},
        {"count": 0},
        {"delayed": None},
        {"events": []},
    ]
    for change in [*wrong, {"events": [{"id": "evt_x"}]}]:
        assert problems(spec, "digest", digest("grade_changed", **change)), change
    mapping = spec["components"]["schemas"]["Event"]["discriminator"]["mapping"]
    assert mapping.keys() == TRIGGERS.keys()


def test_what_receivers_get_is_as_the_document_says(gradewire: Gradewire, receiver: Receiver, wall: Wall):
    gradewire.settings = gradewire.settings.replace(allow_private=True)
    gradewire.now = wall
    market = small_market(gradewire, wall)
    ada = asker(create_app(gradewire), gradewire, "ada@example.com")
    spec = ada.client.get("/openapi.json").get_json()
    for trigger in ("grade_changed", "sharpe_threshold"):
        assert ada.post("hooks", {"target_url": receiver.url(f"/{trigger}"), "event": trigger}).status_code == 201
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    drain_all(gradewire)
    ways_of(gradewire).transport.close()
    hook = ada.get("hooks").get_json()[0]
    gradewire.now = wall_clock
    ada.post(f"destinations/{hook['destination_id']}/test")
    told, tried = receiver.requests
    assert problems(spec, told.path.removeprefix("/"), json.loads(told.body)) == []
    assert problems(spec, "test", json.loads(tried.body)) == []
    for request in (told, tried):
        for name in spec["components"]["parameters"]:
            schema = spec["components"]["parameters"][name]["schema"]
            assert jsonschema_rs.is_valid(schema, request.headers[name])


def test_a_signature_list_of_a_rotation_is_as_the_document_says(spec: Any):
    schema = spec["components"]["parameters"]["webhook-signature"]["schema"]
    good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    for header in (good, f"{good} {good}", f"{good} {good} v1a,abc= v1a,abc="):
        assert jsonschema_rs.is_valid(schema, header)
    for header in ("", "v1a,abc=", f"v1a,abc= {good}", f"{good}  {good}", f"{good},x"):
        assert not jsonschema_rs.is_valid(schema, header)


def test_the_docs_page_shows_what_is_sent(ada: Asker, spec: Any):
    page = ada.client.get("/docs").get_data(as_text=True)
    assert "Sent to webhooks" in page
    for name in (*spec["webhooks"], "webhook-signature"):
        assert f"<code>{name}</code>" in page
