"""A folder of files becomes a catalogue."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from integration.domain.catalogue import Channel, Lookback, Metric, Source, entries
from integration.sources.quantmetrics import SOURCE

ENTRY = """
from integration.domain.catalogue import Source
SOURCE = Source({key!r}, "", "", "token", 1, "one", (), lambda *_: None)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    package = tmp_path / f"folder_of_{request.node.name[:40].replace('[', '_').replace(']', '_')}"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return package


def package(folder: Path) -> ModuleType:
    importlib.invalidate_caches()
    return importlib.import_module(folder.name)


def test_each_file_is_an_entry_in_order_of_key(folder: Path) -> None:
    for key in ("beta", "alpha"):
        (folder / f"{key}.py").write_text(ENTRY.format(key=key))
    assert list(entries(package(folder), Source)) == ["alpha", "beta"]


def test_a_file_that_begins_with_an_underscore_is_no_entry(folder: Path) -> None:
    (folder / "_helper.py").write_text("raise AssertionError")
    assert entries(package(folder), Source) == {}


def test_a_key_that_is_not_the_files_name_is_refused(folder: Path) -> None:
    (folder / "alpha.py").write_text(ENTRY.format(key="beta"))
    with pytest.raises(TypeError, match=r"alpha must define SOURCE with key 'alpha'"):
        entries(package(folder), Source)


def test_an_entry_of_another_kind_is_refused(folder: Path) -> None:
    (folder / "alpha.py").write_text(ENTRY.format(key="alpha") + "CHANNEL = SOURCE\n")
    with pytest.raises(TypeError, match="must define CHANNEL"):
        entries(package(folder), Channel)


def test_a_lookback_is_observations_of_a_gap_each_plus_time() -> None:
    assert Lookback(2, 30).total(100) == 230
    assert Lookback().total(7) == 7


def test_a_source_knows_where_its_metrics_are() -> None:
    assert isinstance(SOURCE.metrics[SOURCE.column("sharpe")], Metric)
    assert SOURCE.metrics[SOURCE.column("sharpe")].name == "sharpe"
    with pytest.raises(KeyError, match="sharp"):
        SOURCE.column("sharp")
