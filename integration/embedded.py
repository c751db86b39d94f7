"""Everything in one process: page, worker, beat, mail catcher, and the sandbox market unless a Token Metrics key is set."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from integration import logs
from integration.config import PLANS, Settings
from integration.domain.errors import Misconfigured
from integration.domain.retry import DAY
from integration.service import inbox
from integration.service.welcome import DEMO, welcome
from integration.service.wiring import Gradewire, build, wall_clock

FIRST_DAY = date(2024, 1, 1)
SANDBOX_PLAN = "vip"
#: One in so many of the sandbox's tokens is listed only while it runs, so that new listings can be seen.
COMING = 20
#: What the plan's calls a minute are enough for. A faster or larger sandbox lets itself be asked so much more often:
#: polls that wait for the next minute would fall behind its clock for good.
PLAN_DAY_S, PLAN_TOKENS = 5.0, 200
#: One of them polls at a time: however long it waits for upstream, the others deliver.
THREADS = 8
STOP_S = 5.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def run(settings: Settings, console: Console) -> None:
    """Start and serve until Ctrl-C or SIGTERM; then stop cleanly. Raises GradewireError where it cannot start."""
    logs.configure(settings, default="warning")
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _end)  # until the worker, once it runs, puts its own in place
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listen(settings["host"], settings["port"]))
        stack.enter_context(_data_folder(Path(settings["data"])))
        settings = stack.enter_context(_local(settings))
        gradewire = build(settings, wake=_wake)
        stack.callback(gradewire.close)
        _take_over(gradewire, Path(settings["data"]))
        if not settings["smtp_host"]:
            stack.enter_context(_mail_catcher(gradewire))
        key = welcome(gradewire)
        note = Path(settings["data"]) / "running.json"
        stack.callback(note.unlink, missing_ok=True)
        _leave_note(note, gradewire.settings)
        stack.enter_context(_page(gradewire, listener))
        _tell(console, settings, key)
        _work(gradewire)
        console.print("Stopping …")


def _end(*_: object) -> None:
    raise SystemExit(0)


@contextlib.contextmanager
def _data_folder(folder: Path) -> Iterator[None]:
    """The folder, held by one process: two would run two markets into one database. It holds mails, addresses and keys, so
    it is its owner's alone where it is made here."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise Misconfigured(
            f"The data folder {folder} cannot be used ({error.strerror}); choose another: GRADEWIRE_DATA.", field="data"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Misconfigured(
                f"Another Gradewire runs on the data folder {folder}; stop it, or choose another: GRADEWIRE_DATA.", field="data"
            ) from error
        yield


def _take_over(gradewire: Gradewire, folder: Path) -> None:
    """Let go of the polls of a process that was killed here: its source would stand still until their leases ran out.

    Who holds the folder is alone on a database in it; one elsewhere may have other pollers.
    """
    from integration.store.queries import polls

    place = gradewire.database.engine.url
    if place.get_backend_name() == "sqlite" and Path(place.database or "").resolve().parent == folder.resolve():
        with gradewire.database.write() as connection:
            polls.let_go(connection)


def _listen(host: str, port: int) -> socket.socket:
    """The page's socket, taken first, so that a second start says so at once."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "ports go up to 65535"
        raise Misconfigured(
            f"Port {port} on {host} cannot be used ({reason}); choose another: PORT=8378.", field="port"
        ) from error
    return listener


@contextlib.contextmanager
def _local(settings: Settings) -> Iterator[Settings]:
    """The settings with what this process brings itself: the sandbox's address, clock and calls."""
    changes: dict[str, Any] = {}
    if settings["host"] in LOOPBACK and "GRADEWIRE_ALLOW_PRIVATE" not in os.environ:
        changes["allow_private"] = True
    if not settings["public_url"]:
        changes["public_url"] = f"http://{settings['host']}:{settings['port']}"
    elsewhere = settings["sandbox_key"] and "TOKENMETRICS_URL" in os.environ
    if not settings.sandbox or elsewhere:
        yield settings.replace(**changes)
        return
    from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings, parse_day

    replay = Path(settings["sandbox_replay"]) if settings["sandbox_replay"] else None
    plan = settings["plan"] if "GRADEWIRE_PLAN" in os.environ else SANDBOX_PLAN
    try:
        day = parse_day(settings["sandbox_day"])
        calls = settings["calls_per_minute"] or _calls_a_minute(plan, day, settings["sandbox_tokens"])
        market = SandboxSettings(
            tokens=settings["sandbox_tokens"],
            coming=settings["sandbox_tokens"] // COMING,
            replay=replay,
            day=day,
            start=_market_day(settings, FIRST_DAY if replay is None else date(2021, 4, 1)),
            plan=plan,
            calls_per_minute=2 * calls,  # its minute begins at another second than ours
        )
        running = RunningSandbox(market)
    except ValueError as error:
        raise Misconfigured(f"The sandbox: {error}.", field="sandbox") from error
    with running as sandbox:
        clock = sandbox.sandbox.clock
        changes |= {
            "plan": plan,
            "calls_per_minute": calls,
            "tokenmetrics_url": sandbox.url,
            "sandbox_key": SANDBOX_KEY,
            "speed": DAY / 1000 / market.day,
            "market_start": round(clock.now()),
            "market_anchor": wall_clock(),
        }
        yield settings.replace(**changes)


def _calls_a_minute(plan: str, day: float, tokens: int) -> int:
    """How many calls a minute polling a sandbox takes at most, with `day` seconds to a market day."""
    return round(PLANS[plan][1] * max(1.0, PLAN_DAY_S / day) * max(1.0, tokens / PLAN_TOKENS))


def _market_day(settings: Settings, first: date) -> date:
    """The market goes on where it stood: the day after the newest one that is stored."""
    from integration.store import migrate
    from integration.store.database import Database
    from integration.store.queries import readings

    database = Database(settings.database_url)
    try:
        migrate.upgrade(database)
        with database.read() as connection:
            stored = max((as_of for _, as_of in readings.count_by_source(connection).values()), default=None)
    finally:
        database.close()
    return first if stored is None else datetime.fromtimestamp(stored / 1000, UTC).date() + timedelta(days=1)


def _leave_note(note: Path, settings: Settings) -> None:
    """Where a running Gradewire's parts are, for the other commands. Nothing in it is secret."""
    names = ["allow_private", "smtp_host", "smtp_port", "smtp_security", "plan", "calls_per_minute", "public_url"]
    if settings.sandbox:
        names += ["tokenmetrics_url", "sandbox_key", "speed", "market_start", "market_anchor", "sandbox_tokens", "sandbox_replay"]
    note.write_text(json.dumps({name: settings[name] for name in names}), encoding="utf-8")


@contextlib.contextmanager
def _mail_catcher(gradewire: Gradewire) -> Iterator[None]:
    from integration.wire.mailcatcher import MailCatcher

    catcher = MailCatcher(0, lambda mail: inbox.keep_mail(gradewire, mail))
    catcher.start()
    gradewire.settings = gradewire.settings.replace(smtp_host=LOOPBACK[0], smtp_port=catcher.port, smtp_security="none")
    try:
        yield
    finally:
        catcher.stop()


@contextlib.contextmanager
def _page(gradewire: Gradewire, listener: socket.socket) -> Iterator[None]:
    from waitress.server import create_server

    from integration.web import create_app
    from integration.web.streams import stop_streams

    app = create_app(gradewire, open_page=gradewire.settings["host"] in LOOPBACK)
    # A proxy's headers are kept: the page sees by them that a request is not from this machine. Nothing trusts them.
    sockets: dict[int, Any] = {}
    server = create_server(
        app, map=sockets, sockets=[listener], threads=8, ident="gradewire", clear_untrusted_proxy_headers=False,
        channel_request_lookahead=1,  # so that an event stream learns that its reader has gone
        asyncore_use_poll=True,  # select() ends at 1,024 open files, and deliveries alone may have as many
    )  # fmt: skip
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of every request that waits for its turn
    thread = threading.Thread(target=server.run, name="page", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop_streams(app)
        # Whoever answers right now wakes the loop when done, so the loop outlives them. Its sockets are its own: closing
        # them anywhere else races with its select().
        server.task_dispatcher.shutdown(timeout=STOP_S)
        server.trigger.pull_trigger(lambda: [channel.close() for channel in list(sockets.values())])
        thread.join(STOP_S)


def _tell(console: Console, settings: Settings, key: str) -> None:
    page = settings["public_url"]
    market = f"sandbox data, a market day every {settings['sandbox_day']}" if settings.sandbox else "Token Metrics"
    lines = [
        "",
        f"[bold]Gradewire runs[/] · {market}",
        f"  Page     [link]{page}[/]",
        f"  API key  {key}",
        f"  API docs {page}/docs",
        "",
        "Try, in another terminal (the first events come within a minute):"
        if settings.sandbox
        else "Only names are polled until someone asks for more. Ask, in another terminal:",
        f"  curl -H 'X-Api-Key: {key}' '{page}/v1/triggers/sharpe_threshold?limit=3'",
        f"  curl -H 'X-Api-Key: {key}' '{page}/v1/triggers/grade_changed?grade=trader&points=15'",
        f"  {_program()} subscribe index_ranking --account {DEMO} --to email --set to=you@example.com",
        "",
    ]
    if settings["allow_private"]:
        lines.append(
            "Deliveries may reach private addresses, as this listens on loopback only (GRADEWIRE_ALLOW_PRIVATE=0 forbids it)."
        )
    if not settings["smtp_host"]:
        lines.append("E-mail goes to the built-in catcher, shown on the page; set GRADEWIRE_SMTP_HOST to send it.")
    lines.append("Ctrl-C stops it.")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _program() -> str:
    """How this program is called from where the reader is."""
    here = Path(sys.argv[0])
    if here.name != "gradewire" or shutil.which(here.name) == str(here):
        return "gradewire"
    return os.path.relpath(here) if here.is_relative_to(Path.cwd()) else str(here)


# -- work ------------------------------------------------------------------------------------------------------------


def _wake() -> None:
    from tasks.work import wake

    wake()


def _work(gradewire: Gradewire) -> None:
    """Worker in this thread, beat in another, until a signal ends the worker."""
    from celery.beat import EmbeddedService

    from tasks.app import app, configure
    from tasks.work import observe, sweep, use

    configure(app, gradewire.settings.replace(broker_url="", redis_url=""))
    use(gradewire)
    beat = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)
    beat.daemon = True
    observe.delay()
    sweep.delay()
    beat.start()
    warnings.filterwarnings("ignore", message=".*superuser privileges.*")
    worker = app.Worker(
        hostname="gradewire@localhost",
        pool="threads",
        concurrency=THREADS,
        loglevel="WARNING",
        quiet=True,
        redirect_stdouts=False,
        without_mingle=True,
        without_gossip=True,
    )
    try:
        worker.start()
    finally:
        beat.stop()
