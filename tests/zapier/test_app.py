"""The Zapier app in Zapier's own runtime, against running Gradewires: one with a market that moves, one where nothing has
happened yet, one that lets a key ask once a minute."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from waitress.server import create_server

from integration.config import load
from integration.domain.catalogue import SubjectRow
from integration.service import accounts
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries import subjects
from integration.store.secrets import Vault
from integration.web import create_app
from tests.conftest import absent
from tests.test_embedded import Running, close, start
from tests.zapier.node import node

APP = Path(__file__).parents[2] / "zapier_app"


@pytest.fixture
def servers(sqlite_database: Database, tmp_path: Path) -> Iterator[dict[str, Any]]:
    settings = load({"GRADEWIRE_PUBLIC_URL": "http://localhost", "GRADEWIRE_PLAN": "vip"})
    gradewire = Gradewire(settings, sqlite_database, Vault([Fernet.generate_key().decode()]))
    with sqlite_database.write() as connection:
        subjects.keep(connection, [SubjectRow("token:3306", "token", "Ethereum", "ETH")], gradewire.now())
    key = accounts.create_key(gradewire, "ada@example.com")
    live = start(tmp_path / "live", "--day", "2s", "--tokens", "40")
    try:
        with serving(create_app(gradewire)) as quiet, serving(create_app(gradewire, requests_a_minute=1)) as strict:
            yield {
                "demo": {"url": live.url, "key": live.key},
                **{name: {"url": live.url, "key": key_of(live, f"{name}@example.com")} for name in ("live", "market")},
                "quiet": {"url": quiet, "key": key},
                "strict": {"url": strict, "key": key},
            }
    finally:
        close(live)


def key_of(running: Running, email: str) -> str:
    """A key of an account of its own, as each may ask only so often."""
    with closing(running.database()) as database:
        return accounts.create_key(Gradewire(load({}), database, Vault([Fernet.generate_key().decode()])), email)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    import threading

    sockets: dict[int, Any] = {}
    server = create_server(app, map=sockets, host="127.0.0.1", port=0, threads=4)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        server.task_dispatcher.shutdown(timeout=5)
        server.trigger.pull_trigger(lambda: [channel.close() for channel in list(sockets.values())])
        thread.join(5)


def failures(told: str) -> str:
    """Of what Node tells in TAP, the tests that failed, with their errors."""
    parts = re.split(r"^(?= *(?:not ok|ok|# Subtest) )", told, flags=re.MULTILINE)
    return "".join(part for part in parts if part.lstrip().startswith("not ok"))


def test_the_app_works_with_a_running_gradewire(servers: dict[str, Any]) -> None:
    if not (APP / "node_modules" / "zapier-platform-core").exists():
        absent("the app's packages are not installed: make zapier-packages")
    files = sorted(str(path.relative_to(APP)) for path in (APP / "test").glob("*.test.js"))
    ended = subprocess.run(
        [node(), "--test", "--test-reporter=tap", "--test-concurrency=4", *files],
        cwd=APP,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        env={**os.environ, "NODE_ENV": "test", "GRADEWIRE_SERVERS": json.dumps(servers)},
    )
    assert ended.returncode == 0, failures(ended.stdout)[:20_000] + ended.stderr[-2_000:]
    counts = {name: int(count) for name, count in re.findall(r"^(?:#|ℹ) (tests|fail|skipped) (\d+)$", ended.stdout, re.MULTILINE)}
    assert counts["tests"] > 100
    assert counts["fail"] == counts["skipped"] == 0
