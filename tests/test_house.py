"""The house stands: floors, generated files, texts, processes that stay small."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from integration import channels, sources, triggers
from integration.config import SETTINGS
from integration.derive.documents import files

ROOT = Path(__file__).parents[1]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_imports_go_down_only() -> None:
    ended = run(str(Path(sys.executable).parent / "lint-imports"))
    assert ended.returncode == 0, ended.stdout


def test_generated_files_are_current() -> None:
    made = files(triggers.load(), sources.load(), channels.load())
    stale = [str(path) for path, text in made.items() if (ROOT / path).read_text(encoding="utf-8") != text]
    assert not stale, f"run `make derive`: {stale}"


@pytest.mark.parametrize("forbidden", ["flask", "apiflask", "waitress", "openai", "integration.web"])
def test_a_worker_never_imports(forbidden: str) -> None:
    code = f"import tasks.work, integration.service.deliver, sys; sys.exit({forbidden!r} in sys.modules)"
    assert run(sys.executable, "-c", code).returncode == 0


def test_the_readme_names_every_trigger_and_channel() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [key for key in triggers.load() if f"`{key}`" not in text] == []
    assert [c.label for c in channels.load().values() if c.label.lower() not in text.lower()] == []
    assert "make run" in text
    assert "make test" in text


def test_every_setting_has_a_help_sentence_and_a_name_of_its_own() -> None:
    assert len({setting.variable for setting in SETTINGS}) == len(SETTINGS)
    assert all(len(setting.help) > 5 for setting in SETTINGS)


def test_the_lock_file_pins_versions_and_names_no_address() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]*(\[[a-z,-]+\])?==[0-9][0-9a-z.+!]*", line) for line in lines), lines


def test_the_lock_file_holds_every_dependency() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = {re.split(r"[\[<>=!~ ]", name, maxsplit=1)[0].lower().replace("_", "-") for name in asked}
    locked = {line.partition("==")[0].partition("[")[0] for line in (ROOT / "requirements.lock").read_text().split()}
    assert names <= locked


def test_no_file_of_ours_is_huge() -> None:
    """But for migrations, and the tables, which are data."""
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("integration", "tasks")
        for path in (ROOT / folder).rglob("*.py")
        if not {"migrations", "tables.py"} & set(path.parts) and (lines := path.read_text(encoding="utf-8").count("\n")) > 400
    }
    assert not long
