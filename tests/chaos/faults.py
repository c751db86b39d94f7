"""What is done to a case while its processes stand at a point, and what is put right afterwards."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from sqlalchemy import select

from integration.domain.retry import HOUR
from integration.store.tables import destination, subscription
from tests.chaos.scene import KINDS
from tests.chaos.stage import Stage

#: How long a disk stays full.
FULL_S = 1.5
#: The small file system's size: what a case of 50,000 deliveries takes twice over.
SIZE = "256m"


def nothing(_stage: Stage) -> None:
    """Nothing to be done."""


@contextmanager
def anywhere() -> Iterator[Path]:
    """A folder for a case."""
    with tempfile.TemporaryDirectory(prefix="gw-case-") as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Fault:
    """`strike` is done while processes stand at a point, `heal` once they go on, `begin` when all of them run.

    `repeats`: what is in flight may come twice; else nothing may. `folder` is where the case's files are.
    """

    name: str
    strike: Callable[[Stage], None]
    heal: Callable[[Stage], None] = nothing
    kinds: tuple[str, ...] = KINDS
    processes: tuple[str, ...] = ("worker", "beat")
    repeats: bool = True
    begin: Callable[[Stage], None] = nothing
    folder: Callable[[], contextlib.AbstractContextManager[Path]] = anywhere


def _kill(name: str) -> Callable[[Stage], None]:
    return lambda stage: stage.kill(name)


def _start(name: str) -> Callable[[Stage], None]:
    return lambda stage: stage.start(name)


def _crash_postgresql(stage: Stage) -> None:
    stage.scene.postgresql.restart(signal.SIGQUIT)


def _forget_all(stage: Stage) -> None:
    stage.scene.redis.restart(signal.SIGKILL)


# -- the web: whatever it said yes to is there -----------------------------------------------------------------------


class _Asking:
    """Somebody who makes hooks all the time, until the web dies."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self.made = stage, list[str]()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        stage.until(lambda: bool(self.made), "no hook could be made")

    def _ask(self) -> None:
        here, body = self._stage, {"event": "new_reading", "options": {"source": "trader_grades", "field": "ta_grade"}}
        key = {"X-Api-Key": here.scene.api_key[here.kind]}
        while here.alive("web"):
            target = f"{here.scene.recorder.url}/late/{len(self.made)}"
            with contextlib.suppress(requests.RequestException):
                url = f"http://127.0.0.1:{here.port}/v1/hooks"
                answer = requests.post(url, json={**body, "target_url": target}, headers=key, timeout=20)
                if answer.status_code == 201:
                    self.made.append(answer.json()["id"])
            time.sleep(0.05)

    def check(self) -> None:
        """All that were promised must be there, and no half of one."""
        self._thread.join()
        with self._stage.database.read() as connection:
            hooks = set(connection.scalars(select(subscription.c.id).where(subscription.c.origin == "hook")))
            whole = select(subscription.c.destination_id)
            halves = connection.execute(select(destination.c.id).where(destination.c.id.not_in(whole))).all()
        assert set(self.made) <= hooks, "a hook was promised and is not there"
        assert len(hooks) <= len(self.made) + 1, "hooks are there that nobody asked for"
        assert not halves, "a hook is half there"


def _kill_web(stage: Stage) -> None:
    stage.kill("web")
    stage.visitor.check()


def _visit(stage: Stage) -> None:
    stage.visitor = _Asking(stage)


# -- a full disk -----------------------------------------------------------------------------------------------------


def _limit(stage: Stage, most: int) -> None:
    for pid in stage.members():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def _no_longer_files(stage: Stage) -> None:
    """Files may not grow beyond what SQLite's log has now: writing fails as on a disk that is full."""
    log = Path(f"{stage.database.url.database}-wal")
    _limit(stage, log.stat().st_size if log.exists() else 0)


def _longer_files(stage: Stage) -> None:
    time.sleep(FULL_S)
    stage.note_leased()
    _limit(stage, resource.RLIM_INFINITY)


def may_mount() -> bool:
    """Whether this process may mount a file system."""
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


@contextmanager
def small_file_system() -> Iterator[Path]:
    """A file system of its own for a case."""
    with anywhere() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(stage: Stage) -> None:
    with (stage.folder / "filler").open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(bytes(4096))


def _empty(stage: Stage) -> None:
    time.sleep(FULL_S)
    stage.note_leased()
    os.truncate(stage.folder / "filler", 0)


# -- all of them -----------------------------------------------------------------------------------------------------

FAULTS = (
    Fault("kill -9 of the worker", _kill("worker"), _start("worker")),
    Fault("kill -9 of the one process", _kill("up"), _start("up"), ("sqlite",), ("up",)),
    Fault("kill -9 of web", _kill_web, _start("web"), KINDS, ("worker", "beat", "web"), repeats=False, begin=_visit),
    Fault("kill -9 of beat", _kill("beat"), _start("beat"), repeats=False),
    Fault("Redis restarted, all keys lost", _forget_all, repeats=False),
    Fault("PostgreSQL restarted as after a crash", _crash_postgresql, kinds=("postgresql",)),
    Fault("no file may grow", _no_longer_files, _longer_files, ("sqlite",)),
    Fault("the file system is full", _fill, _empty, ("sqlite",), folder=small_file_system),
    Fault("the clock jumps an hour forward", lambda stage: stage.clock.jump(HOUR)),
    Fault("the clock jumps an hour back", lambda stage: stage.clock.jump(-HOUR)),
)  # fmt: skip
