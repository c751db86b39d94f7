"""A Gradewire over a real database and a market that stands still until it is told to move on."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, select

from integration.config import Settings, load
from integration.domain.retry import DAY, MINUTE
from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings
from integration.service import accounts, destinations, feeds, subscribe
from integration.service.evaluate import Catalogue
from integration.service.observe import Observed, observe
from integration.service.scheduling import observe_due, poll_due
from integration.service.wiring import Gradewire, build, wall_clock
from integration.store.database import Database
from integration.store.tables import event, reading
from integration.tokenmetrics import TokenMetrics

DATA = Path(__file__).parents[1].parent / "shared" / "data"
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def prices() -> Path:
    """The folder of real daily prices; absent: skip by name, but fail in CI."""
    folder = DATA / "prices" / "daily"
    if not folder.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("../shared/data/prices/daily is absent, and CI must have it")
        pytest.skip("../shared/data/prices/daily is absent")
    return folder


@dataclass
class Wall:
    """A wall clock that moves only when it is told to, from the start of a minute on: plans are counted by minutes."""

    ms: int = field(default_factory=lambda: wall_clock() // MINUTE * MINUTE)

    def __call__(self) -> int:
        return self.ms


def asked(trigger: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options for a trigger; of Sharpe ratios the published ones, which need no past to begin with."""
    return {**({"window": "published"} if trigger == "sharpe_threshold" else {}), **options}


@dataclass
class Here:
    """A Gradewire, its clock, and an account `ada`."""

    gradewire: Gradewire
    wall: Callable[[], int]
    account: str = ""

    def __post_init__(self) -> None:
        self.account = self.account_of("ada@example.com")

    @property
    def catalogue(self) -> Catalogue:
        return self.gradewire.catalogue

    def account_of(self, email: str) -> str:
        return str(accounts.authenticate(self.gradewire, accounts.create_key(self.gradewire, email)).account_id)

    def poll(self, source: str, *, again: bool = False) -> list[Observed]:
        """Whatever of a source is due."""
        if again:
            return [observe(self.gradewire, self.catalogue.sources[source], again=True)]
        return observe_due(self.gradewire, self.catalogue.sources[source])

    def poll_one(self, source: str) -> Observed:
        (only,) = self.poll(source)
        return only

    def poll_all(self) -> list[Observed]:
        """Whatever is due."""
        return poll_due(self.gradewire)

    def feed(self, trigger: str, scope: Mapping[str, Any] | None = None, account: str = "", **options: Any) -> list[Any]:
        """A feed's events, newest first, decoded."""
        window = feeds.Window(limit=10_000)
        found = feeds.read(self.gradewire, account or self.account, trigger, asked(trigger, options), scope or {}, window)
        return [json.loads(text) for text in found]

    def subscribed(self, trigger: str, scope: Mapping[str, Any] | None = None, account: str = "", **options: Any) -> str:
        """A subscription of the account without corrections, at a new webhook destination; its id."""
        owner = account or self.account
        place = destinations.create_destination(self.gradewire, owner, "webhook", {"url": "http://127.0.0.1:9/"})
        what = (trigger, asked(trigger, options), scope or {}, place["id"])
        return str(subscribe.create_subscription(self.gradewire, owner, *what, corrections=False)["id"])

    def rows(self, table: Table, *where: Any) -> list[Any]:
        with self.gradewire.database.read() as connection:
            return list(connection.execute(select(table).where(*where)))

    def events(self) -> list[Any]:
        with self.gradewire.database.read() as connection:
            return list(connection.execute(select(event).order_by(event.c.seq)))

    def contents(self) -> tuple[list[Any], list[Any]]:
        """Everything that a poll may change: readings and events."""
        order = (reading.c.source, reading.c.subject, reading.c.as_of, reading.c.version)
        with self.gradewire.database.read() as connection:
            return list(connection.execute(select(reading).order_by(*order))), self.events()


@dataclass
class Town(Here):
    """With the sandbox that it polls.

    A wall clock of the tests moves with the market, a day for a day; beside the real one, the market jumps.
    """

    running: RunningSandbox = field(kw_only=True)

    @property
    def calls(self) -> dict[str, int]:
        """Upstream calls so far, by endpoint."""
        found: dict[str, int] = self.running.sandbox.calls.report(SANDBOX_KEY)["endpoints"]
        return found

    def pass_days(self, days: float = 1) -> None:
        """Let market and wall go on."""
        clock = self.running.sandbox.clock
        clock.step(days)
        if isinstance(self.wall, Wall):
            self.wall.ms += round(days * DAY)
        else:
            here = self.gradewire
            here.settings = here.settings.replace(market_start=clock.now(), market_anchor=here.now())
            del here.__dict__["clock"]

    def worker(self) -> Gradewire:
        """A second worker on the same database, with a clock and client of its own."""
        return made(self.gradewire.settings, self.wall)

    def fault(self, kind: str, endpoint: str = "*", times: int | None = None, value: float | None = None) -> None:
        self.running.sandbox.faults.add(kind, endpoint, times, value=value)

    def mend(self) -> None:
        self.running.sandbox.faults.clear()


def made(settings: Settings, wall: Callable[[], int]) -> Gradewire:
    """A Gradewire whose waits for upstream let the tests' clock go on instead."""
    gradewire = build(settings, now=wall)

    def sleep(seconds: float) -> None:
        if isinstance(wall, Wall):
            wall.ms += round(seconds * 1000)
        else:
            time.sleep(seconds)

    gradewire.__dict__["client"] = TokenMetrics(
        session=gradewire._session,
        base_url=settings["tokenmetrics_url"],
        version=settings["tokenmetrics_version"],
        key=settings["sandbox_key"],
        budget=gradewire.budget,
        record_call=gradewire._record_call,
        now=wall,
        sleep=sleep,
        keep_spoilt=gradewire._keep_spoilt,
    )
    return gradewire


@contextmanager
def town(
    database: Database, tmp_path: Path, *, sandbox: SandboxSettings | None = None, real_time: bool = False, **settings: Any
) -> Iterator[Town]:
    """A market that stands still, and a Gradewire that looks at it, by the tests' clock or the real one."""
    with RunningSandbox(sandbox or quiet()) as running:
        wall: Callable[[], int] = wall_clock if real_time else Wall()
        chosen = {
            "data": tmp_path,
            "database_url": database.url.render_as_string(hide_password=False),
            "secret_key": KEY,
            "plan": "vip",
            "calls_per_minute": 1_000_000,
            "tokenmetrics_url": running.url,
            "sandbox_key": SANDBOX_KEY,
            "market_start": running.sandbox.clock.now(),
            "market_anchor": wall(),
            "allow_private": True,
            **settings,
        }
        gradewire = made(load({}).replace(destination_rate=1_000.0, **chosen), wall)
        try:
            yield Town(gradewire, wall, running=running)
        finally:
            gradewire.close()


def quiet(**settings: Any) -> SandboxSettings:
    """A paused market without nulls, and a plan that tests do not reach the end of."""
    chosen = {"tokens": 40, "plan": "vip", "paused": True, "nulls": False, "calls_per_minute": 1_000_000}
    return SandboxSettings(**{**chosen, **settings})


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do these at the same time, each in a thread; their results in order. Raises what any raised."""
    gate, results = threading.Barrier(len(works)), [None] * len(works)
    errors: list[BaseException] = []

    def run(place: int) -> None:
        try:
            gate.wait(10)
            results[place] = works[place]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return results
