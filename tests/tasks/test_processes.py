"""The Procfile's processes as they are: Celery worker and beat over Redis, PostgreSQL or SQLite, a real receiver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from integration.config import load
from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings
from integration.service import accounts, hooks
from integration.service.wiring import build, wall_clock
from integration.store.database import Database
from tests.receiver import Receiver

ROOT = Path(__file__).parents[2]
DAY = 2.0


@pytest.fixture
def environment(database: Database, redis_url: str, tmp_path: Path) -> Iterator[dict[str, str]]:
    with RunningSandbox(SandboxSettings(tokens=60, day=DAY, plan="vip")) as sandbox:
        yield {
            "DATABASE_URL": database.url.render_as_string(hide_password=False),
            "REDIS_URL": redis_url,
            "TOKENMETRICS_URL": sandbox.url,
            "GRADEWIRE_SANDBOX_KEY": SANDBOX_KEY,
            "GRADEWIRE_PLAN": "vip",
            "GRADEWIRE_SPEED": str(86_400 / DAY),
            "GRADEWIRE_MARKET_START": str(round(sandbox.sandbox.clock.now())),
            "GRADEWIRE_MARKET_ANCHOR": str(wall_clock()),
            "GRADEWIRE_DATA": str(tmp_path / "data"),
            "GRADEWIRE_ALLOW_PRIVATE": "1",
        }


def start(stack: ExitStack, environment: dict[str, str], *command: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "--app", "tasks.app", *command],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def end() -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)

    stack.callback(end)
    return process


def test_worker_and_beat_poll_evaluate_and_deliver_signed_events_once_each(
    environment: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    gradewire = build(load(environment))
    owner = accounts.authenticate(gradewire, accounts.create_key(gradewire, "dev@example.com")).account_id
    hook, _ = hooks.create_hook(gradewire, owner, receiver.url("/hook"), "grade_changed", {"points": 5}, {})
    with ExitStack() as stack:
        start(stack, environment, "worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING")
        start(stack, environment, "beat", "--schedule", str(tmp_path / "beat"))
        receiver.wait_for(10, 60)
        time.sleep(1)
    got = list(receiver.at("/hook"))
    gradewire.close()
    ids = [request.headers["webhook-id"] for request in got]
    assert len(ids) == len(set(ids))
    for request in got:
        event = Webhook(hook["secret"]).verify(request.body, request.headers)
        assert event["id"] == request.headers["webhook-id"]
        assert json.loads(request.body)["trigger"] == "grade_changed"
