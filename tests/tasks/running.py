"""Celery's processes as the Procfile starts them, their logs in files; and something for them to deliver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from integration.service import accounts, hooks
from integration.service.wiring import Gradewire, wall_clock
from integration.store.queries import deliveries
from integration.store.tables import event, subscription

ROOT = Path(__file__).parents[2]


def start(stack: ExitStack, environment: dict[str, str], log: Path, *command: str) -> subprocess.Popen[bytes]:
    """`celery --app tasks.app …`, ended with the stack."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "--app", "tasks.app", *command],
            env={**os.environ, **environment},
            cwd=ROOT,
            stdout=output,
            stderr=output,
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


def worker(stack: ExitStack, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """A worker that delivers, one task at a time; its log is JSON."""
    told = {"GRADEWIRE_LOG_FORMAT": "json", **environment}
    plain = ("--pool", "solo", "--queues", "gradewire", "--without-gossip", "--without-mingle")
    return start(stack, told, log, "worker", *plain, "--hostname", f"{log.stem}@%h")


def beat(stack: ExitStack, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Beat as the Procfile starts it."""
    return start(stack, {"GRADEWIRE_LOG_FORMAT": "json", **environment}, log, "beat", "--scheduler", "tasks.beat:Beat")


def lines(log: Path) -> list[dict[str, Any]]:
    """What a process has logged so far."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


def wait(done: Callable[[], bool], seconds: float, what: str) -> None:
    """Until something is so; fails after a while."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def ready(log: Path, seconds: float = 60) -> None:
    """Until a worker waits for work."""
    wait(lambda: any(str(line["event"]).endswith(" ready.") for line in lines(log)), seconds, f"{log.stem} did not start")


def hooked(gradewire: Gradewire, *urls: str) -> list[tuple[str, str]]:
    """A subscription to each address: (subscription id, destination id)."""
    owner = accounts.authenticate(gradewire, accounts.create_key(gradewire, "dev@example.com")).account_id
    for url in urls:
        hooks.create_hook(gradewire, owner, url, "grade_changed", {"points": 5}, {})
    with gradewire.database.read() as connection:
        c = subscription.c
        made = connection.execute(select(c.id, c.destination_id).where(~c.origin.startswith("corrections:")).order_by(c.id))
        return [(row[0], row[1]) for row in made]


def owe(gradewire: Gradewire, to: list[tuple[str, str]], count: int) -> list[str]:
    """So many new events, each owed to every one of these; nobody is woken. The ids of the events."""
    now = wall_clock()
    with gradewire.database.write() as connection:
        rule = connection.scalar(select(subscription.c.rule_id).limit(1))
        first = int(connection.scalar(select(func.max(event.c.seq))) or 0) + 1
        rows = [
            {
                "seq": seq, "id": f"evt_{seq:026d}", "rule_id": rule, "trigger": "grade_changed", "subject": "token:1",
                "as_of": now + seq, "known_at": now, "created_at": now, "payload": json.dumps({"id": f"evt_{seq:026d}"}),
            }
            for seq in range(first, first + count)
        ]  # fmt: skip
        connection.execute(insert(event), rows)
        deliveries.insert_deliveries(connection, [(row["seq"], *one) for row in rows for one in to], now)
    return [str(row["id"]) for row in rows]
