"""`make run` as a newcomer meets it: a real process, real HTTP, three ways that agree, a clean end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from click.testing import CliRunner
from sqlalchemy import func, insert, select

from integration.cli import main
from integration.config import load
from integration.domain.retry import MINUTE
from integration.embedded import _calls_a_minute, _local
from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings
from integration.store.database import Database
from integration.store.tables import heartbeat, inbox_hook, inbox_mail, poll
from tests.peers.smtp import smtp_peer
from tests.servers import free_port

Thing = TypeVar("Thing")


@dataclass
class Running:
    process: subprocess.Popen[str]
    url: str
    key: str
    data: Path
    told: str

    def get(self, path: str, **query: Any) -> requests.Response:
        return requests.get(self.url + path, params=query, headers={"X-Api-Key": self.key}, timeout=10)

    def database(self) -> Database:
        return Database(f"sqlite:///{self.data / 'sandbox.db'}")


def start(data: Path, *arguments: str, open_files: Sequence[int] = (), **environment: str) -> Running:
    port = free_port()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GRADEWIRE_", "TOKENMETRICS_", "DATABASE_", "REDIS_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "integration.cli", "up", "--port", str(port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**kept, "GRADEWIRE_DATA": str(data), "PYTHONUNBUFFERED": "1", **environment},
        cwd=Path(__file__).parents[1],
        pass_fds=open_files,
    )
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    told = "".join(lines)
    found = re.search(r"API key\s+(gw_live_\w+)", told)
    assert found, f"it did not start:\n{told}"
    os.set_blocking(process.stdout.fileno(), False)
    return Running(process, f"http://127.0.0.1:{port}", found[1], data, told)


def stop(running: Running, with_signal: signal.Signals) -> int:
    running.process.send_signal(with_signal)
    return running.process.wait(20)


def close(running: Running) -> None:
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait(10)
    assert running.process.stdout is not None
    running.process.stdout.close()


def eventually(look: Callable[[], Thing | None], within: float = 60) -> Thing:
    until = time.monotonic() + within
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    pytest.fail("it did not come in time")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    here = start(tmp_path / "data", "--day", "1s", "--tokens", "80")
    yield here
    close(here)


def test_feed_webhook_and_mail_tell_the_same_events_by_the_same_ids(running: Running) -> None:
    def agreed() -> set[str] | None:
        feed = {event["id"] for event in running.get("/v1/triggers/sharpe_threshold", limit=1000).json()}
        database = running.database()
        with database.read() as connection:
            got = [row for row in connection.execute(select(inbox_hook)) if row.verified]
            hooks = {row.webhook_id for row in got if json.loads(row.body)["id"] == row.webhook_id}
            mails = {r.message_id.partition(".")[0] for r in connection.execute(select(inbox_mail))}
        database.close()
        common = feed & hooks & mails
        return common if len(common) >= 3 else None

    assert all(re.fullmatch(r"evt_[a-z2-7]{26}", identity) for identity in eventually(agreed))


def test_with_more_than_a_thousand_files_open_page_and_market_answer(tmp_path: Path) -> None:
    with open(os.devnull) as nothing:
        many = [os.dup(nothing.fileno()) for _ in range(1_100)]
        try:
            here = start(tmp_path / "data", "--day", "1s", "--tokens", "80", open_files=many)
        finally:
            for each in many:
                os.close(each)
    try:
        assert here.get("/healthz").status_code == 200
        assert eventually(lambda: here.get("/v1/events").json().get("events"))
    finally:
        close(here)


def test_other_commands_use_its_market_and_database(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "TOKENMETRICS_API_KEY", "GRADEWIRE_SANDBOX_TOKENS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADEWIRE_DATA", str(running.data))
    listed = CliRunner().invoke(main, ["keys", "list"])
    assert (listed.exit_code, running.key[:12] in listed.output) == (0, True), listed.output


def test_it_says_what_it_is_and_what_to_try(running: Running) -> None:
    assert "sandbox data" in running.told
    assert "curl" in running.told
    assert running.url in running.told
    page = requests.get(running.url, timeout=10)
    assert page.status_code == 200
    assert "andbox" in page.text
    assert running.get("/v1/me").json()["email"] == "demo@localhost"


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly(running: Running, with_signal: signal.Signals) -> None:
    eventually(lambda: running.get("/v1/me").ok)
    assert stop(running, with_signal) == 0
    rest = running.process.stdout.read() if running.process.stdout else ""
    assert "Traceback" not in (rest or ""), rest
    assert not (running.data / "running.json").exists()


def test_it_stops_cleanly_and_at_once_while_events_are_streamed(running: Running) -> None:
    headers = {"X-Api-Key": running.key}
    with requests.get(f"{running.url}/v1/events/stream", {"all": "true"}, headers=headers, stream=True, timeout=60) as answer:
        lines = answer.iter_lines(chunk_size=1)
        while not next(lines).startswith(b"data: "):
            pass
        began = time.monotonic()
        assert stop(running, signal.SIGTERM) == 0
        assert time.monotonic() - began < 8
        rest = running.process.stdout.read() if running.process.stdout else ""
        assert "Traceback" not in (rest or ""), rest
        for _ in lines:
            pass  # it ended as an answer ends


def test_it_stops_cleanly_while_it_answers(running: Running) -> None:
    eventually(lambda: running.get("/v1/me").ok)
    answered, refused = threading.Semaphore(0), threading.Event()

    def hammer() -> None:
        with requests.Session() as session:
            while not refused.is_set():
                try:
                    session.get(f"{running.url}/v1/me", headers={"X-Api-Key": running.key}, timeout=10)
                    answered.release()
                except requests.RequestException:
                    refused.set()

    readers = [threading.Thread(target=hammer) for _ in range(12)]
    for reader in readers:
        reader.start()
    for _ in range(100):
        assert answered.acquire(timeout=10)
    assert stop(running, signal.SIGTERM) == 0
    for reader in readers:
        reader.join(20)
    rest = running.process.stdout.read() if running.process.stdout else ""
    assert "Traceback" not in (rest or ""), rest


def test_started_again_it_keeps_key_and_events_and_the_market_goes_on(running: Running) -> None:
    def newest() -> str | None:
        found = running.get("/v1/triggers/grade_changed", limit=1).json()
        return str(found[0]["as_of"]) if found else None

    before = eventually(newest)
    assert stop(running, signal.SIGINT) == 0
    again = start(running.data, "--day", "1s", "--tokens", "80")
    try:
        assert again.key == running.key
        feed = "/v1/triggers/grade_changed"
        after = eventually(lambda: next((e["as_of"] for e in again.get(feed, limit=1).json() if e["as_of"] > before), None))
        assert after > before
        assert stop(again, signal.SIGTERM) == 0
    finally:
        close(again)


def test_after_it_was_killed_during_a_poll_the_next_one_goes_on_with_that_source_at_once(running: Running) -> None:
    def done() -> int:
        with running.database().read() as connection:
            query = select(func.count()).where(poll.c.source == "trader_grades", poll.c.status == "done")
            return connection.scalar(query) or 0

    eventually(done)
    running.process.kill()
    running.process.wait(10)
    before, until = done(), int(time.time() * 1000) + 30 * MINUTE
    orphan = {"source": "trader_grades", "selection": "all", "slot": 0, "status": "running", "lease": "gone"}
    with running.database().write() as connection:
        connection.execute(insert(poll).values(**orphan, lease_until=until, started_at=until))
    again = start(running.data, "--day", "1s", "--tokens", "80")
    try:
        assert eventually(lambda: done() > before, 20)
    finally:
        close(again)


def test_a_taken_port_is_named_with_the_remedy(running: Running) -> None:
    port = running.url.rpartition(":")[2]
    ended = subprocess.run(
        [sys.executable, "-m", "integration.cli", "up", "--port", port],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "GRADEWIRE_DATA": str(running.data.parent / "other")},
    )
    assert ended.returncode == 1
    assert f"Port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("proxy", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_what_comes_through_a_proxy_on_this_machine_does_not_see_the_operators_page(running: Running, proxy: str) -> None:
    answer = requests.get(running.url, headers={proxy: "203.0.113.7"}, allow_redirects=False, timeout=10)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/login")


def test_where_private_addresses_are_forbidden_it_starts_without_its_own_receiver(tmp_path: Path) -> None:
    here = start(tmp_path / "data", "--tokens", "40", GRADEWIRE_ALLOW_PRIVATE="0")
    try:
        assert [one["channel"] for one in here.get("/v1/destinations").json()] == ["email"]
        assert stop(here, signal.SIGINT) == 0
    finally:
        close(here)


def test_its_own_receiver_follows_the_port(running: Running) -> None:
    def receivers(one: Running) -> list[str]:
        return [row["hint"] for row in one.get("/v1/destinations").json() if row["channel"] == "webhook"]

    assert receivers(running) == [f"{running.url}/…"]
    assert stop(running, signal.SIGINT) == 0
    again = start(running.data, "--day", "1s", "--tokens", "80")
    try:
        assert again.url != running.url
        assert receivers(again) == [f"{again.url}/…"]
    finally:
        close(again)


def test_a_mail_server_on_this_machine_is_used_and_no_catcher_takes_its_place(tmp_path: Path) -> None:
    with smtp_peer() as server:
        here = start(tmp_path / "data", "--day", "1s", "--tokens", "80", GRADEWIRE_SMTP_HOST="127.0.0.1",
                     GRADEWIRE_SMTP_PORT=str(server.port), GRADEWIRE_SMTP_SECURITY="none")  # fmt: skip
        try:
            assert "catcher" not in here.told
            eventually(lambda: server.mails)
        finally:
            close(here)


@pytest.mark.parametrize("arguments", [["--port", "99999"], ["--port", "-1"]])
def test_a_port_that_is_none_is_named(tmp_path: Path, arguments: list[str]) -> None:
    ended = CliRunner().invoke(main, ["up", *arguments], env={"GRADEWIRE_DATA": str(tmp_path)})
    assert ended.exit_code == 1
    assert "ports go up to 65535" in ended.output


def test_a_second_one_on_the_same_data_folder_is_refused(running: Running) -> None:
    ended = CliRunner().invoke(main, ["up", "--port", str(free_port())], env={"GRADEWIRE_DATA": str(running.data)})
    assert ended.exit_code == 1
    assert "Another Gradewire runs" in ended.output
    assert running.get("/v1/me").ok


def test_a_data_folder_that_cannot_be_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = CliRunner().invoke(main, ["up", "--port", str(free_port())], env={"GRADEWIRE_DATA": str(tmp_path / "file")})
    assert ended.exit_code == 1
    assert "GRADEWIRE_DATA" in ended.output


@pytest.mark.parametrize(("day", "tokens", "calls"), [(5.0, 200, 600), (60.0, 40, 600), (0.5, 200, 6_000), (5.0, 6_000, 18_000)])
def test_a_fast_or_large_sandbox_lets_itself_be_asked_more(day: float, tokens: int, calls: int) -> None:
    assert _calls_a_minute("vip", day, tokens) == calls


def test_a_plan_that_is_set_is_that_of_the_sandbox_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"GRADEWIRE_DATA": str(tmp_path), "GRADEWIRE_PLAN": "advanced", "GRADEWIRE_SANDBOX_TOKENS": "40"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with _local(load()) as settings:
        assert (settings["plan"], settings["calls_per_minute"]) == ("advanced", 60)
        answer = {
            endpoint: requests.get(
                f"{settings['tokenmetrics_url']}/v2/{endpoint}", headers={"x-api-key": SANDBOX_KEY}, timeout=10
            )
            for endpoint in ("quantmetrics", "ai-reports")
        }
        assert answer["quantmetrics"].ok
        assert not answer["ai-reports"].ok
    monkeypatch.delenv("GRADEWIRE_PLAN")
    with _local(load()) as settings:
        assert settings["plan"] == "vip"


def test_a_sandbox_that_runs_elsewhere_is_used_where_its_address_and_key_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunningSandbox(SandboxSettings(tokens=40)) as elsewhere:
        monkeypatch.setenv("GRADEWIRE_DATA", str(tmp_path))
        monkeypatch.setenv("TOKENMETRICS_URL", elsewhere.url)
        monkeypatch.setenv("GRADEWIRE_SANDBOX_KEY", SANDBOX_KEY)
        with _local(load()) as settings:
            assert (settings["tokenmetrics_url"], settings["sandbox_key"], settings["speed"]) == (elsewhere.url, SANDBOX_KEY, 1.0)


def test_a_poll_that_waits_for_upstream_holds_up_no_delivery(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it lets connect, and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        here = start(tmp_path / "data", TOKENMETRICS_API_KEY=SANDBOX_KEY, TOKENMETRICS_URL=url)
        database = Database(f"sqlite:///{here.data / 'gradewire.db'}")
        swept: set[int] = set()

        def swept_meanwhile() -> bool:
            with database.read() as connection:
                polls = list(connection.scalars(select(poll.c.status)))
                if polls == ["running"]:  # one at a time, and it waits
                    swept.update(connection.scalars(select(heartbeat.c.at).where(heartbeat.c.name == "worker")))
            return bool(swept) and max(swept) - min(swept) >= 6_000  # longer than it takes until polls are looked for again

        try:
            eventually(swept_meanwhile, 25)
        finally:
            database.close()
            close(here)


def test_no_key_or_secret_is_printed_but_the_one_for_the_newcomer(running: Running) -> None:
    assert "whsec_" not in running.told
    assert running.told.count("gw_live_") == running.told.count(running.key)
    assert (running.data / "secret.key").stat().st_mode & 0o077 == 0
    assert (running.data / "sandbox.key").stat().st_mode & 0o077 == 0


def test_with_a_key_the_same_command_polls_token_metrics(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    with RunningSandbox(SandboxSettings(tokens=40, start=today, plan="advanced")) as upstream:
        environment = {"TOKENMETRICS_API_KEY": SANDBOX_KEY, "TOKENMETRICS_URL": upstream.url, "GRADEWIRE_PLAN": "advanced"}
        here = start(tmp_path / "data", **environment)
        try:
            assert here.get("/v1/triggers/sharpe_threshold").json() == []  # whoever reads a feed wants its source polled

            def polled() -> set[str] | None:
                database = Database(f"sqlite:///{here.data / 'gradewire.db'}")
                with database.read() as connection:
                    done = set(connection.scalars(select(poll.c.source).where(poll.c.status == "done")))
                database.close()
                return done if {"tokens", "daily_ohlcv", "indices"} <= done else None

            assert "trader_grades" not in eventually(polled, 90)
            assert "Token Metrics" in here.told
            assert "sandbox" not in here.told
            assert SANDBOX_KEY not in here.told
            assert here.get("/v1/me").json()["sandbox"] is False
            assert not (here.data / "sandbox.db").exists()
            assert stop(here, signal.SIGINT) == 0
        finally:
            close(here)
