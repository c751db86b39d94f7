"""The page on running it for others names only what there is: metrics, settings, commands, processes; its rules are rules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from integration.cli import main
from integration.config import SETTINGS, load
from integration.service.retention import KEPT
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries import notices, tallies
from integration.store.secrets import Vault
from integration.store.tables import account, destination
from integration.web import create_app
from tests.market import KEY

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "production.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
RULES: list[dict[str, Any]] = next(
    found["groups"][0]["rules"] for kind, text in BLOCKS if kind == "yaml" and "groups" in (found := yaml.safe_load(text))
)


@pytest.fixture
def measured(sqlite_database: Database) -> dict[str, set[str]]:
    """The labels of every metric of a Gradewire in which everything has happened once."""
    here = Gradewire(load({}), sqlite_database, Vault([KEY]))
    with sqlite_database.write() as connection:
        for name, labels in {
            "attempts": ("dead", "5xx"),
            "polls": ("prices", "done"),
            "late": ("prices",),
            "calls": ("x", "2xx"),
        }.items():
            tallies.add(connection, name, {labels: 1})
        notices.put(connection, "k", "data.stale", here.now(), "It stands still.")
        connection.execute(insert(account).values(id="acc_1", email="a@example.com", created_at=0))
        place = {
            "channel": "webhook",
            "label": "",
            "hint": "",
            "config": b"",
            "status": "active",
            "created_at": 0,
            "changed_at": 0,
        }
        connection.execute(insert(destination).values(id="dst_1", account_id="acc_1", **place))
    for part in ("worker", "poller", "tidy"):
        here.beat(part)
    answer = create_app(here).test_client().get("/metrics").text
    return {each.name: set(each.labels) for family in text_string_to_metric_families(answer) for each in family.samples}


def test_every_metric_that_is_named_exists_with_the_labels_that_are_named(measured: dict[str, set[str]]) -> None:
    named = re.findall(r"\b((?:gradewire|process)_[a-z_]+[a-z])(?:\{([^}]*)\})?", PAGE)
    assert len(named) > 30
    for name, labels in named:
        if name == "process_resident_memory_bytes" and name not in measured:
            continue  # where there is no /proc
        assert name in measured | {"gradewire_source_newest_timestamp_seconds": set()}, name
        asked = {re.split("[=!]", part)[0].strip() for part in labels.split(",") if part}
        assert asked <= measured.get(name, asked), (name, labels)


def test_every_metric_that_exists_is_named(measured: dict[str, set[str]]) -> None:
    assert [name for name in measured if name.startswith("gradewire_") and f"`{name}" not in PAGE] == []


def test_every_alert_has_a_rule_and_a_sentence_and_names_a_metric() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 10
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "annotations"}
        assert re.search(r"gradewire_[a-z_]+", rule["expr"])
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["annotations"]["summary"]


def test_every_setting_and_command_that_is_named_exists() -> None:
    variables = {setting.variable for setting in SETTINGS}
    named = {
        name.removesuffix("_FILE") for name in re.findall(r"\b(?:GRADEWIRE|TOKENMETRICS|DATABASE|REDIS)_[A-Z_]+[A-Z]\b", PAGE)
    }
    assert named - {"GRADEWIRE_KEEP"} <= variables
    assert {f"GRADEWIRE_{name.upper()}" for name in KEPT.values()} | {"GRADEWIRE_KEEP_PAYLOADS"} <= named
    assert {words.split()[0] for words in re.findall(r"gradewire ([a-z]+(?: [a-z]+)?)", PAGE)} <= set(main.commands) | {"itself"}


def test_the_defaults_of_what_is_kept_are_those_in_force() -> None:
    for variable, days in re.findall(r"`(GRADEWIRE_KEEP_[A-Z]+)` \| (\d+) days", PAGE):
        (setting,) = (each for each in SETTINGS if each.variable == variable)
        assert setting.default == int(days)


def test_every_process_of_the_procfile_is_explained() -> None:
    names = [line.partition(":")[0] for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()]
    assert [name for name in names if f"| `{name}` |" not in PAGE] == []
