"""The Procfile's lines as an operator's machine runs them: migrated, polled, delivered, ready, and measured."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from integration.config import load
from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings
from integration.service import accounts, hooks
from integration.service.wiring import build, wall_clock
from tests import servers
from tests.conftest import postgresql_copy
from tests.receiver import Receiver
from tests.tasks.running import ROOT, wait

DAY, TOKEN = 2.0, "tOkEn-of-the-metrics"
LINES = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text(encoding="utf-8").splitlines() if line)


@pytest.fixture
def environment(postgresql_url: str, redis_url: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    with RunningSandbox(SandboxSettings(tokens=60, day=DAY, plan="vip")) as sandbox, postgresql_copy(postgresql_url) as database:
        yield {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PORT": str(servers.free_port()),
            "DATABASE_URL": database,
            "GRADEWIRE_BROKER_URL": redis_url,
            "GRADEWIRE_SECRET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
            "GRADEWIRE_METRICS_TOKEN": TOKEN,
            "GRADEWIRE_HOST": "127.0.0.1",
            "GRADEWIRE_DATA": str(tmp_path / "data"),
            "GRADEWIRE_ALLOW_PRIVATE": "1",
            "GRADEWIRE_PLAN": "vip",
            "TOKENMETRICS_URL": sandbox.url,
            "GRADEWIRE_SANDBOX_KEY": SANDBOX_KEY,
            "GRADEWIRE_SPEED": str(86_400 / DAY),
            "GRADEWIRE_MARKET_START": str(round(sandbox.sandbox.clock.now())),
            "GRADEWIRE_MARKET_ANCHOR": str(wall_clock()),
        }


@contextmanager
def line(name: str, environment: dict[str, str], log: Path) -> Iterator[None]:
    """A line of the Procfile, run by a shell in a process group of its own."""
    with log.open("wb") as output:
        out = {"stdout": output, "stderr": output, "cwd": ROOT, "env": environment}
        process = subprocess.Popen(["sh", "-c", f"exec {LINES[name]}"], start_new_session=True, **out)  # type: ignore[call-overload]
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def asks(url: str, **headers: str) -> requests.Response | None:
    try:
        return requests.get(url, headers=headers, timeout=30)
    except (requests.ConnectionError, requests.Timeout):
        return None


def test_every_line_of_the_procfile_does_its_part(environment: dict[str, str], receiver: Receiver, tmp_path: Path) -> None:
    assert set(LINES) == {"release", "web", "worker", "poller", "beat"}
    release = subprocess.run(
        ["sh", "-c", LINES["release"]], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert release.returncode == 0, release.stderr
    here = build(load(environment))
    owner = accounts.authenticate(here, accounts.create_key(here, "dev@example.com")).account_id
    hooks.create_hook(here, owner, receiver.url("/hook"), "grade_changed", {"points": 5}, {})
    url = f"http://127.0.0.1:{environment['PORT']}"
    with ExitStack() as stack:
        for name in ("web", "worker", "poller", "beat"):
            stack.enter_context(line(name, environment, tmp_path / f"{name}.log"))
        wait(lambda: (answer := asks(f"{url}/healthz")) is not None and answer.status_code == 200, 60, "the web does not answer")
        wait(lambda: (answer := asks(f"{url}/readyz")) is not None and answer.status_code == 200, 60, "it does not get ready")
        receiver.wait_for(3, 60)
        time.sleep(6)  # longer than what was measured is kept for
        refused, measured = asks(f"{url}/metrics"), asks(f"{url}/metrics", Authorization=f"Bearer {TOKEN}")
    here.close()
    assert refused is not None
    assert refused.status_code == 401
    assert measured is not None
    assert 'gradewire_polls_total{source="trader_grades",status="done"}' in measured.text
    assert 'gradewire_attempts_total{error="",outcome="delivered"}' in measured.text
    written = "".join((tmp_path / f"{name}.log").read_text() for name in ("web", "worker", "poller", "beat"))
    assert '"event":"drain"' in written
    assert '"event":"poll"' in written
    secrets = (TOKEN, environment["GRADEWIRE_SECRET_KEY"], SANDBOX_KEY)
    assert not [secret for secret in secrets if secret in written]
