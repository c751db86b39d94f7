"""An event's JSON: complete, valid against its trigger's payload, stored once, with what is known beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.domain.catalogue import SubjectRow
from integration.domain.errors import InvalidInput
from integration.service import filling
from integration.service.observe import observe
from integration.store.database import Database
from tests.market import Town, town
from tests.service.script import Script, script


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        yield made


def scope_of(market: Town, key: str) -> dict[str, Any]:
    """Everybody; or some tokens, of triggers that are read token by token."""
    try:
        market.feed(key)
    except InvalidInput:
        return {"tokens": "BTC,ETH,SOL,XRP,ADA"}
    return {}


def test_events_of_every_trigger_are_what_its_payload_describes(sqlite_database: Database, tmp_path: Path) -> None:
    with town(sqlite_database, tmp_path) as market:
        for source in ("tokens", "indices"):
            market.poll(source)
        scopes = {key: scope_of(market, key) for key in market.catalogue.triggers}
        for key, scope in scopes.items():
            market.feed(key, scope)
        for _ in range(12):
            market.poll_all()
            filling.fill_due(market.gradewire)
            market.pass_days()
        found = {key: market.feed(key, scope) for key, scope in scopes.items()}
        assert {"grade_changed", "sharpe_threshold", "index_ranking"} < {key for key, told in found.items() if told}
        assert sum(map(bool, found.values())) >= 20
        for key, trigger in market.catalogue.triggers.items():
            for told in found[key]:
                assert trigger.payload().validate(told) == {}
                assert told["sandbox"] is True
                assert told["is_sample"] is False
                assert told["summary"] == trigger.summary(told)
                assert set(trigger.sample) == set(told)


def test_the_stored_text_is_what_a_feed_gives_and_names_its_subject(here: Script) -> None:
    here.upstream.names["tokens"] = [SubjectRow("token:3375", "token", "Bitcoin “digital gold”", "BTC")]
    observe(here.gradewire, here.catalogue.sources["tokens"])
    here.feed("sharpe_threshold")
    here.day(0, {3375: 0.9})
    here.day(1, {3375: 1.25})
    (row,) = here.events()
    (told,) = here.feed("sharpe_threshold")
    assert json.loads(row.payload) == told
    assert "“digital gold”" in row.payload
    assert told == told | {
        "schema": 1,
        "id": here.identity("sharpe_threshold", "token:3375", 1),
        "trigger": "sharpe_threshold",
        "subject": "token:3375",
        "subject_id": 3375,
        "subject_symbol": "BTC",
        "as_of": "2024-01-02T00:00:00Z",
        "sharpe": 1.25,
        "previous_sharpe": 0.9,
        "direction": "up",
        "restated": False,
    }
    assert told["known_at"].startswith("2024-01-02T00:00:00")


def test_the_snapshot_shows_the_newest_of_each_metric_with_its_own_date_and_leaves_out_what_is_missing(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.day(0, {1: 60.0}, "trader_grades")
    here.day(1, {1: 61.0}, "trader_grades")
    here.day(2, {1: 0.9})
    here.day(3, {1: 1.2})
    (told,) = here.feed("sharpe_threshold")
    assert told["snapshot"] == {
        "tm_trader_grade": {"value": 61.0, "as_of": "2024-01-02T00:00:00Z"},
        "sharpe": {"value": 1.2, "as_of": "2024-01-04T00:00:00Z"},
    }


def test_an_event_that_is_stored_never_changes(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    before = here.events()
    here.upstream.names["tokens"] = [SubjectRow("token:1", "token", "A new name")]
    observe(here.gradewire, here.catalogue.sources["tokens"])
    here.say("quantmetrics", 1, {1: 3.0})
    here.go_to(1.5)
    observe(here.gradewire, here.catalogue.sources["quantmetrics"], again=True)
    here.feed("sharpe_threshold", {"tokens": [1]})
    assert here.events() == before
