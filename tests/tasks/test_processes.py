"""The Procfile's processes as they are: Celery worker and beat over Redis, PostgreSQL or SQLite, a real receiver."""

from __future__ import annotations

import json
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
from tests.tasks.running import start

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


def test_worker_and_beat_poll_evaluate_and_deliver_signed_events_once_each(
    environment: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    gradewire = build(load(environment))
    owner = accounts.authenticate(gradewire, accounts.create_key(gradewire, "dev@example.com")).account_id
    hook, _ = hooks.create_hook(gradewire, owner, receiver.url("/hook"), "grade_changed", {"points": 5}, {})
    with ExitStack() as stack:
        worker = ("worker", "--pool", "prefork", "--concurrency", "2")
        start(stack, environment, tmp_path / "worker.log", *worker)
        beat = ("beat", "--scheduler", "tasks.beat:Beat", "--schedule", str(tmp_path / "beat"))
        start(stack, environment, tmp_path / "beat.log", *beat)
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
