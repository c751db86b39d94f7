"""The document says what the API does; whatever it lets be sent, and what it does not, the API never breaks."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import schemathesis
from apiflask import APIFlask
from schemathesis import engine
from schemathesis.engine import events
from waitress.server import create_server

from integration.service.wiring import Gradewire
from integration.web import create_app
from tests.web.conftest import HOOK, Asker, Wall, asker, small_market

#: Asked of every answer. Left out is only that all that fits the document must be accepted: a token's name that fits may
#: still name no token.
LEFT_OUT = {"positive_data_acceptance": {"enabled": False}}


@contextmanager
def served(app: APIFlask) -> Iterator[str]:
    """The address of the application on a server of its own."""
    server = create_server(app, host="127.0.0.1", port=0, threads=2)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.close()
        thread.join(5)


def run(url: str, key: str, examples: int) -> tuple[Counter[int], list[str]]:
    """(answers by status, failures) of every phase of Schemathesis: examples, borders, random cases, sequences."""
    config = schemathesis.Config.from_dict(
        {
            "headers": {"X-Api-Key": key},
            "generation": {"max-examples": examples, "deterministic": True, "database": "none"},
            "checks": LEFT_OUT,
        }
    )
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json", config=config)
    schema.validate()
    answers: Counter[int] = Counter()
    failures = []
    for happening in engine.from_schema(schema).execute():
        if isinstance(happening, events.ScenarioFinished):
            recorder = happening.recorder
            answers.update(call.response.status_code for call in recorder.interactions.values() if call.response)
            failed = [check for checks in recorder.checks.values() for check in checks if check.failure_info]
            failures += [f"{recorder.label}: {check.name}: {check.failure_info.failure.message}" for check in failed]
        elif isinstance(happening, events.NonFatalError | events.FatalError):
            failures.append(repr(happening))
    return answers, failures


def something_of_everything(ada: Asker) -> None:
    ada.post("hooks", {"target_url": HOOK, "event": "grade_changed"})
    destination = ada.post("destinations", {"channel": "webhook", "config": {"url": HOOK}}).get_json()["id"]
    ada.post("subscriptions", {"trigger": "sharpe_threshold", "destination_id": destination})


# Names are not looked up and nothing is sent, for a test reaches loopback only; both are what other tests are about.
def test_schemathesis_finds_nothing(both: Gradewire, wall: Wall, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("integration.service.destinations.refuse_private", lambda _url: None)
    monkeypatch.setattr(
        "integration.service.destinations.send_test", lambda _here, _row: {"outcome": "retry", "status": 0, "detail": "timeout"}
    )
    small_market(both, wall)
    app = create_app(both, requests_a_minute=1_000_000, stream_s=0.1)
    ada = asker(app, both, "ada@example.com")
    something_of_everything(ada)
    with served(app) as url:
        answers, failures = run(url, ada.key, examples=3 if both.database.is_sqlite else 1)
    assert failures == []
    assert not [status for status in answers if status >= 500]
    assert {200, 201, 204, 401, 404, 405, 422} <= answers.keys()
    assert answers.total() > 500


@pytest.fixture
def spec(ada: Asker) -> Any:
    answer = ada.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.get_json()


def test_every_route_is_documented_with_its_errors(spec: Any, app: APIFlask):
    assert spec["openapi"] == "3.1.0"
    documented = {(method.upper(), path) for path, operations in spec["paths"].items() for method in operations}
    hidden = {"/v1/triggers/{key}", "/v1/triggers/{key}/sample"}
    routes = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/v1/")
    }
    assert {route for route in routes if route[1] not in hidden} == documented
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            answers = operation["responses"]
            assert {"401", "422", "429"} <= answers.keys(), path
            assert any(status.startswith("2") for status in answers), path
            assert operation["summary"], path


def test_a_feed_documents_each_option_of_its_trigger(spec: Any):
    operation = spec["paths"]["/v1/triggers/sharpe_threshold"]["get"]
    parameters = {parameter["name"]: parameter["schema"] for parameter in operation["parameters"]}
    assert parameters["limit"] == {"type": "integer", "default": 100, "minimum": 1, "maximum": 1000}
    assert parameters["level"] == {"type": "number", "default": 1.0, "minimum": -20, "maximum": 20}
    assert parameters["direction"]["enum"] == ["up", "down", "either"]
    window = {"since", "after_id", "before_id", "bundle", "envelope"}
    assert window | {"tokens", "category", "exchange", "top"} < parameters.keys()
    answer = operation["responses"]["200"]
    bare, bundled, envelope = answer["content"]["application/json"]["schema"]["anyOf"]
    assert bare["items"]["$ref"].rpartition("/")[2] == "SharpePayload"
    assert bundled == {"type": "array", "items": {"$ref": "#/components/schemas/Bundle"}}
    assert envelope["properties"]["data"] == {"anyOf": [bare, bundled]}
    assert "X-Next-Cursor" in answer["headers"]


def test_keys_are_how_one_authenticates(spec: Any):
    assert spec["security"] == [{"ApiKey": []}, {"Bearer": []}]
    assert spec["components"]["securitySchemes"]["ApiKey"] | {"description": ""} == {
        "type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "",
    }  # fmt: skip


def test_the_docs_page_shows_every_route_and_loads_nothing_from_elsewhere(ada: Asker, spec: Any):
    page = ada.client.get("/docs").get_data(as_text=True)
    for path in spec["paths"]:
        assert f"<code>{path}</code>" in page
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert loaded
    assert all(address.startswith("/") and not address.startswith("//") for address in loaded)


def test_health_needs_no_key(ada: Asker):
    answer = ada.client.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"ok": True})
