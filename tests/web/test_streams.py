"""Events as they are found: nothing missed between two streams, few streams at once, none that outlives its server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from waitress.server import create_server

from integration.config import load
from integration.service import accounts, event_log, firing
from integration.service.wiring import Gradewire, build
from integration.web import create_app, streams
from integration.web.streams import NAME, Streams, stop_streams
from tests.servers import free_port
from tests.web.conftest import HOOK, Market, Wall, asker, small_market


@dataclass
class Frame:
    """One block of a stream."""

    id: str = ""
    event: str = ""
    data: str = ""
    comment: str = ""


def frames(lines: Iterator[bytes]) -> Iterator[Frame]:
    frame = Frame()
    for line in lines:
        name, _, value = line.decode().partition(": ")
        if not line:
            yield frame
            frame = Frame()
        elif not name:
            frame.comment = value
        elif name in ("id", "event", "data"):
            setattr(frame, name, value)


@dataclass
class Served:
    """An application on a server of its own, and an account that may read."""

    here: Gradewire
    app: Any
    url: str
    key: str
    market: Market

    @contextmanager
    def stream(self, *, after: str = "", key: str = "", **query: Any) -> Iterator[Iterator[Frame]]:
        headers = {"X-Api-Key": key or self.key, **({"Last-Event-ID": after} if after else {})}
        with requests.get(f"{self.url}/v1/events/stream", query, headers=headers, stream=True, timeout=20) as answer:
            assert answer.status_code == 200, answer.text
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            yield frames(answer.iter_lines(chunk_size=1))

    def get(self, **query: Any) -> requests.Response:
        return requests.get(f"{self.url}/v1/events/stream", query, headers={"X-Api-Key": self.key}, timeout=20)

    @property
    def account(self) -> str:
        return str(accounts.authenticate(self.here, self.key).account_id)

    def grade(self, day: int, bitcoin: float) -> None:
        self.market.read("trader_grades", "tm_trader_grade", day, {3375: bitcoin, 77: 100 - bitcoin})


@contextmanager
def served(here: Gradewire, wall: Wall, **how: Any) -> Iterator[Served]:
    market = small_market(here, wall)
    app = create_app(here, **how)
    ada = asker(app, here, "ada@example.com")
    ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "scope": {"tokens": ["3375", "77"]}})
    sockets: dict[int, Any] = {}
    server = create_server(app, map=sockets, host="127.0.0.1", port=0, threads=8, channel_request_lookahead=1)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield Served(here, app, f"http://127.0.0.1:{server.effective_port}", ada.key, market)
    finally:
        stop_streams(app)
        server.task_dispatcher.shutdown(timeout=5)
        server.trigger.pull_trigger(lambda: [channel.close() for channel in list(sockets.values())])
        thread.join(5)


def eventually(look: Callable[[], Any], seconds: float = 8) -> Any:
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(0.05)
    return found


def test_events_come_as_they_are_found_each_with_the_cursor_behind_it(both: Gradewire, wall: Wall):
    with served(both, wall) as here:
        with here.stream() as stream:
            first = next(stream)
            assert (first.id != "", first.event, first.data) == (True, "", "")
            here.grade(0, 80.0)
            told = [next(stream), next(stream)]
        stored = event_log.read(both, event_log.view_of(both, here.account), 0, 100).events
        assert [(frame.id, frame.event, frame.data) for frame in told] == [(e.cursor, e.trigger, e.text) for e in stored]
        with here.stream(after=first.id) as stream:
            assert [next(stream).id for _ in range(3)] == [first.id, *(frame.id for frame in told)]
        with here.stream(cursor=told[0].id) as stream:
            assert [next(stream).id for _ in range(2)] == [told[0].id, told[1].id]
        with here.stream(since="2020-01-01") as stream:
            assert [next(stream).data for _ in range(3)][1:] == [frame.data for frame in told]


def test_from_stream_to_stream_nothing_is_missed_and_nothing_comes_twice(both: Gradewire, wall: Wall):
    with served(both, wall, stream_s=0.3) as here:
        stop = threading.Event()

        def write() -> None:
            for _ in range(60):
                firing.fire(both, here.account, "grade_changed")
                time.sleep(0.02)
            stop.set()

        writer = threading.Thread(target=write)
        seen, last, rounds = list[str](), "", 0
        with here.stream() as stream:
            last = next(stream).id
        writer.start()
        while not (stop.is_set() and len(seen) >= 60) and rounds < 60:
            rounds += 1
            with here.stream(after=last) as stream:
                for frame in stream:
                    seen += [frame.data] if frame.data else []
                    last = frame.id or last
        writer.join()
        assert rounds > 2
        stored = event_log.read(both, event_log.view_of(both, here.account, tests=True), 0, 100).events
        assert seen == [event.text for event in stored]
        assert len(seen) == 60


def test_it_shows_what_its_reader_asks_for(both: Gradewire, wall: Wall):
    with served(both, wall) as here:
        bob = accounts.create_key(both, "bob@example.com")
        with (
            here.stream(subject="token:77") as one,
            here.stream(trigger="sharpe_threshold") as other,
            here.stream(key=bob) as bobs,
            here.stream(key=bob, all="true") as everything,
        ):
            for stream in (one, other, bobs, everything):
                next(stream)
            here.grade(0, 80.0)
            assert '"subject":"token:77"' in next(one).data
            assert len([next(everything), next(everything)]) == 2
            firing.fire(both, here.account, "sharpe_threshold")
            assert next(other).event == "sharpe_threshold"
            firing.fire(both, str(accounts.authenticate(both, bob).account_id), "price_moved")
            assert next(bobs).event == next(everything).event == "price_moved"


def test_few_may_be_open_at_once_and_a_place_is_free_again_once_its_reader_has_gone(gradewire: Gradewire, wall: Wall):
    with served(gradewire, wall) as here:
        bob, eve = accounts.create_key(gradewire, "bob@example.com"), accounts.create_key(gradewire, "eve@example.com")
        with here.stream(), here.stream():
            refused = here.get()
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) > 0
            assert "GET /v1/events" in refused.json()["error"]["message"]
            with here.stream(key=bob), here.stream(key=bob):
                full = requests.get(f"{here.url}/v1/events/stream", headers={"X-Api-Key": eve}, timeout=9)
                assert (full.status_code, "All places" in full.text) == (429, True)
        eventually(lambda: here.app.extensions[NAME]._open.total() == 0)
        assert requests.head(f"{here.url}/v1/events/stream", headers={"X-Api-Key": here.key}, timeout=9).status_code == 200
        assert here.app.extensions[NAME]._open.total() == 0


def test_a_server_that_stops_ends_them_at_once(gradewire: Gradewire, wall: Wall):
    with served(gradewire, wall) as here, here.stream() as stream:
        next(stream)
        began = time.monotonic()
        stop_streams(here.app)
        assert list(stream) == []
        assert time.monotonic() - began < 2
        assert here.get().status_code == 429


def test_a_quiet_one_shows_that_it_is_alive_and_where_it_stands(
    gradewire: Gradewire, wall: Wall, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(streams, "ALIVE_S", 0.1)
    with served(gradewire, wall) as here, here.stream(trigger="sharpe_threshold") as stream:
        first = next(stream)
        alive = next(stream)
        assert (alive.comment, alive.id, alive.data) == ("still here", first.id, "")
        here.grade(0, 80.0)  # not for this reader, who is led past it all the same
        eventually(lambda: next(stream).id != first.id)


def test_one_whose_key_is_revoked_ends(gradewire: Gradewire, wall: Wall, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "ALIVE_S", 0.1)
    with served(gradewire, wall) as here, here.stream() as stream:
        next(stream)
        accounts.revoke_key(gradewire, here.key[:12])
        assert len(list(stream)) < 10


def test_it_holds_no_connection_to_the_database_while_it_waits(both: Gradewire, wall: Wall):
    market = small_market(both, wall)
    account = accounts.authenticate(both, accounts.create_key(both, "ada@example.com")).account_id
    follower, held = Streams(both, life_s=0.5), list[int]()
    pool: Any = both.database.engine.pool
    wait = follower._stopping.wait
    follower._stopping.wait = lambda seconds: held.append(pool.checkedout()) or wait(seconds)  # type: ignore[method-assign, func-returns-value]
    view = event_log.view_of(both, account, everything=True)
    for _ in follower.follow(view, 0, lambda: False, lambda: True):
        held.append(pool.checkedout())
    assert market
    assert len(held) >= 2
    assert set(held) == {0}


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [({"cursor": "x"}, 400, "cursor"), ({"subject": "BTC"}, 422, "subject"), ({"limit": "5"}, 422, "limit")],
)
def test_what_cannot_be_followed_is_refused_before_it_begins(
    gradewire: Gradewire, wall: Wall, query: dict[str, str], status: int, field: str
):
    with served(gradewire, wall) as here:
        answer = here.get(**query)
        assert (answer.status_code, answer.json()["error"]["field"]) == (status, field)
        headers = {"X-Api-Key": here.key, "Last-Event-ID": "evt_x"}
        assert requests.get(f"{here.url}/v1/events/stream", headers=headers, timeout=9).status_code == 400
        assert here.app.extensions[NAME]._open.total() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_in_production_a_worker_that_is_told_to_stop_does_not_wait_for_them(tmp_path: Path, number: signal.Signals):
    port, data = free_port(), tmp_path / "data"
    here = build(load({"GRADEWIRE_DATA": str(data)}))
    key = accounts.create_key(here, "ada@example.com")
    here.close()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GRADEWIRE_", "TOKENMETRICS_", "DATABASE_", "REDIS_"))}
    command = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--workers", "1", "--threads", "8"]
    server = subprocess.Popen(
        [*command, "--bind", f"127.0.0.1:{port}", "integration.web.production:app()"],
        env={**kept, "GRADEWIRE_DATA": str(data)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(url), 30)
        with requests.get(f"{url}/v1/events/stream", headers={"X-Api-Key": key}, stream=True, timeout=20) as answer:
            lines = answer.iter_lines(chunk_size=1)
            assert next(lines).startswith(b"retry")
            began = time.monotonic()
            server.send_signal(number)
            assert server.wait(20) == 0
            assert time.monotonic() - began < 5
    finally:
        if server.poll() is None:
            server.kill()
            server.wait(10)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2).ok
    except requests.RequestException:
        return False
