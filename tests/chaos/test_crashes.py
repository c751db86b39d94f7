"""The short form of the crash matrix, and the page that the long one (`make chaos`) has written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests import servers
from tests.chaos.cases import matrix, run
from tests.chaos.faults import may_mount
from tests.chaos.page import DATABASES, PAGE, rows
from tests.chaos.points import AMID, CLAIM, POLL, RECORD, SENDING, SENT
from tests.chaos.scene import Scene
from tests.conftest import absent

CASES = {case.name: case for case in matrix()}
#: Each fault, each point and each database, though not each with each: seconds a case.
SHORT = {
    "kill -9 of the worker": {"sqlite": (SENDING, AMID), "postgresql": (CLAIM, SENT, RECORD, POLL)},
    "kill -9 of the one process": {"sqlite": (AMID,)},
    "kill -9 of web": {"postgresql": (POLL,)},
    "kill -9 of beat": {"postgresql": (CLAIM,)},
    "Redis restarted, all keys lost": {"postgresql": (AMID,)},
    "PostgreSQL restarted as after a crash": {"postgresql": (AMID,)},
    "no file may grow": {"sqlite": (RECORD,)},
    "the file system is full": {"sqlite": (AMID,)},
    "the clock jumps an hour forward": {"postgresql": (SENDING,)},
    "the clock jumps an hour back": {"sqlite": (AMID,)},
}
HOOKS = 8
PATIENCE_S = 60.0


@pytest.fixture(scope="session")
def scene_of() -> Iterator[Callable[[str], Scene]]:
    made: dict[str, Scene] = {}
    with ExitStack() as stack:

        def scene(kind: str) -> Scene:
            try:
                return made.setdefault(kind, made.get(kind) or Scene(stack, HOOKS, (kind,)))
            except servers.Missing as missing:
                absent(str(missing))

        yield scene


def chosen() -> list[object]:
    names = [(f"{fault}, {point}, {kind}", kind) for fault, kinds in SHORT.items() for kind in kinds for point in kinds[kind]]
    return [pytest.param(CASES[name], id=name, marks=pytest.mark.xdist_group(f"chaos-{kind}")) for name, kind in names]


@pytest.mark.parametrize("case", chosen())
def test_whatever_breaks_all_arrives_and_nothing_twice_but_what_was_in_flight(case, scene_of) -> None:
    if case.fault.name == "the file system is full" and not may_mount():
        pytest.skip("a small file system may not be mounted here")
    result = run(scene_of(case.kind), case, PATIENCE_S)
    assert result.arrived == result.owed == HOOKS * 77


def test_the_page_tells_of_every_case_and_of_nothing_lost() -> None:
    told = {(row.fault, row.point, row.database): row for row in rows(PAGE.read_text(encoding="utf-8"))}
    assert set(told) == {(case.fault.name, case.point, DATABASES[case.kind]) for case in matrix()}
    for row in told.values():
        assert row.arrived == row.owed >= 50_000
        assert row.twice <= row.in_flight
        assert row.stuck == 0
