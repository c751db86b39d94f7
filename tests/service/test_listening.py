"""Events on a machine that nobody can reach: signed, in order, none lost however often it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook
from waitress.server import create_server

from integration.domain.errors import Conflict, GradewireError, InvalidInput
from integration.service import accounts, event_log, firing
from integration.service.listening import Listener, State, Told, held
from integration.service.wiring import Gradewire
from integration.store.queries import deliveries, events
from integration.web import create_app
from integration.web.streams import stop_streams
from tests.receiver import Answer, Receiver
from tests.web.conftest import HOOK, Wall, asker, small_market

ROOT = Path(__file__).parents[2]


class Stop(Exception):
    """Enough was seen."""


class Served:
    """A Gradewire that is asked over HTTP, with an account that is owed what happens to Bitcoin."""

    def __init__(self, here: Gradewire, wall: Wall, **how: Any) -> None:
        self.here, self.market = here, small_market(here, wall)
        self.app = create_app(here, requests_a_minute=100_000, **how)
        ada = asker(self.app, here, "ada@example.com")
        self.key, self.account = ada.key, str(accounts.authenticate(here, ada.key).account_id)
        made = ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "scope": {"tokens": ["3375"]}}).get_json()
        self.wish, self.rule = made["id"], ""
        self.url = ""

    def owe(self, first: int, count: int) -> list[str]:
        """So many more events, owed as a poll owes them: numbered and owed in one transaction. Their ids."""
        with self.here.database.write() as connection:
            events.lock(connection)
            rows = [
                events.NewEvent(
                    f"evt_{number:026d}", self._rule(connection), "grade_changed", "token:3375", number, number, number,
                    json.dumps({"id": f"evt_{number:026d}", "trigger": "grade_changed", "summary": f"Nr. {number} ü"}),
                )
                for number in range(first, first + count)
            ]  # fmt: skip
            seqs = events.add(connection, rows)
            deliveries.insert_deliveries(connection, [(seq, self.wish, self._place) for seq in seqs.values()], first)
        return [row.id for row in rows]

    def _rule(self, connection: Any) -> str:
        if not self.rule:
            from integration.store.queries import subscriptions

            row = subscriptions.subscription_of(connection, self.account, self.wish)
            self.rule, self._place = row.rule_id, row.destination_id  # type: ignore[union-attr]
        return self.rule


@contextmanager
def serving(here: Gradewire, wall: Wall, **how: Any) -> Iterator[Served]:
    served, sockets = Served(here, wall, **how), dict[int, Any]()
    server = create_server(served.app, map=sockets, host="127.0.0.1", port=0, threads=8, channel_request_lookahead=1)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.effective_port}"
    try:
        yield served
    finally:
        stop_streams(served.app)
        server.task_dispatcher.shutdown(timeout=5)
        server.trigger.pull_trigger(lambda: [channel.close() for channel in list(sockets.values())])
        thread.join(5)


def listener(
    served: Served, receiver: Receiver, file: Path, *, enough: int, secret: str = "", **more: Any
) -> tuple[Listener, list[Told]]:
    """A listener that stops after so many tries."""
    told = list[Told]()

    def tell(one: Told) -> None:
        told.append(one)
        if len(told) >= enough:
            raise Stop

    given = {"told": tell, "sleep": lambda _s: None, **more}
    return Listener(served.url, served.key, receiver.url("/hook"), State.load(file), **given), told


def run(one: Listener) -> None:
    with pytest.raises(Stop):
        one.run()


def meanwhile(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_for_cursor(file: Path) -> str:
    until = time.monotonic() + 15
    while time.monotonic() < until:
        if file.exists() and (cursor := json.loads(file.read_text())["cursor"]):
            return str(cursor)
        time.sleep(0.02)
    pytest.fail("it did not begin to listen")


def test_each_is_posted_as_it_is_stored_and_signed_as_a_webhook(
    gradewire: Gradewire, wall: Wall, receiver: Receiver, tmp_path: Path
):
    file = tmp_path / "state.json"
    with serving(gradewire, wall) as served:
        one, told = listener(served, receiver, file, enough=3)
        thread = meanwhile(
            lambda: (wait_for_cursor(file), served.owe(1, 2), firing.fire(gradewire, served.account, "grade_changed"))
        )
        run(one)
        thread.join()
    stored = event_log.read(gradewire, event_log.view_of(gradewire, served.account, tests=True), 0, 10).events
    assert [request.body.decode() for request in receiver.requests] == [event.text for event in stored]
    for request in receiver.requests:
        Webhook(one.state.secret).verify(request.body, request.headers)
        assert request.headers["webhook-id"] == json.loads(request.body)["id"]
    assert [each.reply.status for each in told if each.reply] == [200, 200, 200]
    assert json.loads(receiver.requests[2].body)["is_sample"]


def test_while_it_is_refused_it_is_tried_again_and_what_follows_waits(
    gradewire: Gradewire, wall: Wall, receiver: Receiver, tmp_path: Path
):
    file, waits = tmp_path / "state.json", list[float]()
    receiver.on("/hook", *[Answer(500)] * 7, Answer(404), Answer(302), Answer(200))
    with serving(gradewire, wall) as served:
        one, told = listener(served, receiver, file, enough=11, sleep=waits.append)
        thread = meanwhile(lambda: (wait_for_cursor(file), served.owe(1, 2)))
        run(one)
        thread.join()
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert Counter(ids) == {f"evt_{1:026d}": 10, f"evt_{2:026d}": 1}
    assert ids[:10] == [f"evt_{1:026d}"] * 10
    assert waits == [1, 2, 4, 8, 15, 30, 30, 30, 30]
    assert [each.tries for each in told] == [*range(10), 0]


def test_the_secret_and_the_place_outlive_it(gradewire: Gradewire, wall: Wall, receiver: Receiver, tmp_path: Path):
    file = tmp_path / "state.json"
    with serving(gradewire, wall) as served:
        one, _ = listener(served, receiver, file, enough=1)
        thread = meanwhile(lambda: (wait_for_cursor(file), served.owe(1, 1)))
        run(one)
        thread.join()
        served.owe(2, 2)  # while nobody listens
        two, _ = listener(served, receiver, file, enough=3)
        run(two)
    assert one.state.secret == two.state.secret
    assert file.stat().st_mode & 0o077 == 0
    # The first was interrupted between being taken and being noted: it comes again, under its id.
    assert [request.headers["webhook-id"][-1] for request in receiver.requests] == ["1", "1", "2", "3"]
    given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert State.load(file, given).secret == State.load(file).secret == given


def test_streams_that_end_are_followed_by_the_next_and_nothing_falls_between(
    gradewire: Gradewire, wall: Wall, receiver: Receiver, tmp_path: Path
):
    file = tmp_path / "state.json"
    with serving(gradewire, wall, stream_s=0.2) as served:
        one, _ = listener(served, receiver, file, enough=40)

        def write() -> None:
            wait_for_cursor(file)
            for number in range(1, 41):
                served.owe(number, 1)
                time.sleep(0.03)

        thread = meanwhile(write)
        run(one)
        thread.join()
    assert [request.headers["webhook-id"] for request in receiver.requests] == [f"evt_{n:026d}" for n in range(1, 41)]


def test_what_passes_is_waited_for_and_what_does_not_ends_it(
    gradewire: Gradewire, wall: Wall, receiver: Receiver, tmp_path: Path
):
    busy, waits = Answer(429, b'{"error": {"message": "full"}}', (("Retry-After", "20"),)), list[float]()
    receiver.on("/v1/events/stream", busy, Answer(503), Answer(401, b'{"error": {"message": "unknown key"}}'))
    told = list[Told]()
    one = Listener(
        receiver.url()[:-1], "k", receiver.url("/hook"), State.load(tmp_path / "s.json"), told=told.append, sleep=waits.append
    )
    with pytest.raises(GradewireError, match="401: unknown key"):
        one.run()
    assert waits == [20.0, 2.0]
    assert [("429: full" in each.trouble, each.reply) for each in told] == [(True, None)]


def test_nobody_there_is_waited_for(receiver: Receiver, tmp_path: Path):
    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            raise Stop

    waits = list[float]()
    run(Listener("http://127.0.0.1:9", "k", receiver.url(), State.load(tmp_path / "s.json"), sleep=sleep))
    assert waits == [1, 2, 4, 8, 15, 30, 30, 30]


def test_a_cursor_of_another_database_ends_it_with_the_remedy(
    gradewire: Gradewire, wall: Wall, receiver: Receiver, tmp_path: Path
):
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"cursor": "AAAAAAAB________", "secret": ""}))
    with serving(gradewire, wall) as served:
        one, _ = listener(served, receiver, file, enough=1)
        with pytest.raises(GradewireError, match=r"400.*since=.*state\.json"):
            one.run()


def test_what_is_no_gradewire_is_said(receiver: Receiver, tmp_path: Path):
    receiver.on("/v1/events/stream", Answer(200, b"data: hello\n\n"))
    with pytest.raises(GradewireError, match="no event of Gradewire"):
        Listener(receiver.url()[:-1], "k", receiver.url("/hook"), State.load(tmp_path / "s.json")).run()
    receiver.on("/v1/events/stream", Answer(404, b"<html>"))
    with pytest.raises(GradewireError, match="404: this is no stream of Gradewire"):
        Listener(receiver.url()[:-1], "k", receiver.url("/hook"), State.load(tmp_path / "s.json")).run()


@pytest.mark.parametrize(("name", "text"), [("forward", "localhost:3000"), ("forward", "ftp://x/"), ("server", "")])
def test_an_address_that_is_none_is_named(tmp_path: Path, name: str, text: str):
    given = {"server": "http://127.0.0.1:1", "forward": "http://127.0.0.1:1/", name: text}
    with pytest.raises(InvalidInput, match=r"http://localhost:3000/hook") as refused:
        Listener(key="k", state=State.load(tmp_path / "s.json"), **given)
    assert refused.value.field == name


def test_a_state_that_cannot_be_read_is_not_begun_anew(tmp_path: Path):
    file = tmp_path / "s.json"
    for text in ("", "[]", "{"):
        file.write_text(text)
        with pytest.raises(InvalidInput, match="--since"):
            State.load(file)
    with pytest.raises(InvalidInput, match="24 to 64 bytes"):
        State.load(tmp_path / "new.json", "hunter2")


def test_two_do_not_share_a_state(tmp_path: Path):
    file = tmp_path / "listen" / "s.json"
    with held(file), pytest.raises(Conflict, match="--state"), held(file):
        pass
    with held(file):
        pass


# -- the command -----------------------------------------------------------------------------------------------------


def start(served: Served, receiver: Receiver, file: Path, *more: str) -> subprocess.Popen[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GRADEWIRE_", "TOKENMETRICS_", "DATABASE_", "REDIS_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "integration.cli", "listen", "--forward", receiver.url("/hook"), "--server", served.url,
         "--state", str(file), *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
        env={**kept, "GRADEWIRE_KEY": served.key, "GRADEWIRE_DATA": str(file.parent), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def test_killed_and_started_again_while_500_events_flow_none_is_lost(
    gradewire: Gradewire, wall: Wall, receiver: Receiver, tmp_path: Path
):
    file, kills = tmp_path / "state.json", 4
    with serving(gradewire, wall) as served:
        running = start(served, receiver, file)
        wait_for_cursor(file)
        flow = meanwhile(lambda: [(served.owe(1 + 10 * turn, 10), time.sleep(0.1)) for turn in range(50)])
        for kill in range(kills):
            receiver.wait_for(1 + 90 * kill, 60)
            running.send_signal(signal.SIGKILL)
            running.communicate(timeout=10)
            running = start(served, receiver, file)
        flow.join()
        receiver.wait_for(500, 60)
        until = time.monotonic() + 30
        while len({request.headers["webhook-id"] for request in receiver.requests}) < 500 and time.monotonic() < until:
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        told, _ = running.communicate(timeout=20)
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert set(ids) == {f"evt_{number:026d}" for number in range(1, 501)}
    assert len(ids) <= 500 + kills  # one was under way at each kill, at most
    assert list(dict.fromkeys(ids)) == sorted(set(ids))  # first seen in their order
    assert running.returncode == 0
    assert "Stopped." in told
    assert "Traceback" not in told


def test_it_says_where_it_listens_with_which_secret_and_what_became_of_each(
    gradewire: Gradewire, wall: Wall, receiver: Receiver, tmp_path: Path
):
    file = tmp_path / "state.json"
    receiver.on("/hook", Answer(500), Answer(204))
    with serving(gradewire, wall) as served:
        running = start(served, receiver, file, "--events", "grade_changed")
        wait_for_cursor(file)
        firing.fire(gradewire, served.account, "sharpe_threshold")
        served.owe(1, 1)
        receiver.wait_for(2, 20)
        time.sleep(0.3)
        running.terminate()
        told, _ = running.communicate(timeout=20)
    secret = json.loads(file.read_text())["secret"]
    assert f"Listening to {served.url}, posting to {receiver.url('/hook')}." in told
    assert secret in told
    lines = [line for line in told.splitlines() if "evt_" in line]
    assert ["grade_changed  500  " in lines[0], "grade_changed  204 (try 2)  " in lines[1], len(lines)] == [True, True, 2]
    assert "Nr. 1 ü" in lines[0]
    assert running.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_while_its_address_refuses_it_stops_soon_and_the_event_comes_again(
    gradewire: Gradewire, wall: Wall, receiver: Receiver, tmp_path: Path, number: signal.Signals
):
    file = tmp_path / "state.json"
    receiver.on("/hook", Answer(500), Answer(500), Answer(200))
    with serving(gradewire, wall) as served:
        running = start(served, receiver, file)
        wait_for_cursor(file)
        (identity,) = served.owe(1, 1)
        receiver.wait_for(2, 20)  # it now waits 2 seconds before it tries again
        began = time.monotonic()
        running.send_signal(number)
        told, _ = running.communicate(timeout=20)
        assert time.monotonic() - began < 1.5
        assert (running.returncode, "Stopped." in told, "Traceback" in told) == (0, True, False)
        again = start(served, receiver, file)
        receiver.wait_for(3, 20)
        again.terminate()
        again.communicate(timeout=20)
    assert [request.headers["webhook-id"] for request in receiver.requests] == [identity] * 3


def test_it_needs_neither_the_web_application_nor_a_database() -> None:
    code = (
        "import sys, integration.cli_live, integration.service.listening;"
        "sys.exit(bool({'flask', 'apiflask', 'waitress', 'sqlalchemy', 'celery', 'integration.web'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60).returncode == 0


def test_a_key_that_is_missing_is_asked_for(tmp_path: Path) -> None:
    environment = {**os.environ, "GRADEWIRE_DATA": str(tmp_path)} | {"GRADEWIRE_KEY": ""}
    command = [sys.executable, "-m", "integration.cli", "listen", "--forward", "http://127.0.0.1:1/"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, "--key or GRADEWIRE_KEY" in ended.stderr) == (1, True)
