"""What every case begins with: a market, subscribers at a receiver, one poll's events owed and the next poll due."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import func, select

from integration.config import load
from integration.domain.signing import new_secret
from integration.sandbox import SANDBOX_KEY, RunningSandbox
from integration.service import accounts, destinations, subscribe
from integration.service.scheduling import poll_due
from integration.service.wiring import Gradewire, build, wall_clock
from integration.store.database import Database
from integration.store.queries import revisions
from integration.store.tables import destination, event, subscription
from tests import servers
from tests.chaos.points import SOURCE
from tests.chaos.recorder import Recorder
from tests.market import KEY, quiet

KINDS = ("sqlite", "postgresql")
#: Requests a second that a destination takes: the limits of destinations are in force, and not what is measured.
RATE = 1_000.0

Pair = tuple[str, str]


class Scene:
    """Servers, and a database of each kind to copy. `expected` is every (path, event id) that a case owes.

    Which events those are is told by a twin: the same market polled from the same database, and nothing broken.
    """

    def __init__(self, stack: ExitStack, hooks: int, kinds: Sequence[str] = KINDS) -> None:
        self._hooks, self._numbers = hooks, itertools.count()
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-chaos-")))
        self.recorder = stack.enter_context(Recorder())
        self.redis_url, self.redis = stack.enter_context(servers.forgetful_redis())
        if "postgresql" in kinds:
            self._postgresql_url, self.postgresql = stack.enter_context(servers.postgresql_server(durable=True))
        self.sandbox = stack.enter_context(RunningSandbox(quiet()))
        self.api_key: dict[str, str] = {}
        for kind in KINDS:
            if kind in kinds or kind == "sqlite":
                self._prepare(kind)
        self.sandbox.sandbox.clock.step(1)
        with self.database("sqlite", self.folder) as url, closing(self.gradewire(url)) as twin:
            poll_due(twin)
            ids = told(twin.database)
        self.expected: set[Pair] = {(f"/hooks/{number}", identity) for number in range(hooks) for identity in ids}

    # -- databases ---------------------------------------------------------------------------------------------------

    def _prepare(self, kind: str) -> None:
        url = self._template(kind)
        if kind == "postgresql":
            self._ask(f'CREATE DATABASE "{url.rpartition("/")[2]}"')
        with closing(self.gradewire(url)) as here:
            self.api_key[kind] = accounts.create_key(here, "ada@example.com")
            self._subscribe(here, accounts.authenticate(here, self.api_key[kind]).account_id)
            ended = poll_due(here)
            assert any(each.owed for each in ended), ended

    def _template(self, kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{self.folder / 'template.db'}"
        return self._postgresql_url.rpartition("/")[0] + "/scene"

    def _subscribe(self, here: Gradewire, account: str) -> None:
        """So many hooks, each with a destination of its own, made from a first one."""
        place = destinations.create_destination(here, account, "webhook", {"url": f"{self.recorder.url}/hooks/0"})
        what = ("new_reading", {"source": SOURCE, "field": "tm_trader_grade"}, {}, place["id"])
        subscribe.create_subscription(here, account, *what, corrections=False)
        with here.database.write() as connection:
            first, wish = (dict(connection.execute(select(table)).one()._mapping) for table in (destination, subscription))
            more = range(1, self._hooks)
            sealed = [here.vault.seal({"url": f"{self.recorder.url}/hooks/{n}", "secret": new_secret()}) for n in more]
            connection.execute(destination.update().values(label="/hooks/0", rate=RATE))
            first |= {"rate": RATE}
            places = [
                {**first, "id": f"dst_{n}", "label": f"/hooks/{n}", "config": config}
                for n, config in zip(more, sealed, strict=True)
            ]
            revision = revisions.bump(connection)
            wishes = [{**wish, "id": f"sub_{n}", "destination_id": f"dst_{n}", "revision": revision} for n in more]
            connection.execute(destination.insert(), places)
            connection.execute(subscription.insert(), wishes)

    @contextmanager
    def database(self, kind: str, folder: Path) -> Iterator[str]:
        """A copy for one case: its URL."""
        if kind == "sqlite":
            file = folder / f"case{next(self._numbers)}.db"
            shutil.copy(self.folder / "template.db", file)
            yield f"sqlite:///{file}"
            return
        name = f"case{next(self._numbers)}"
        self._ask(f'CREATE DATABASE "{name}" TEMPLATE "scene"')
        try:
            yield self._postgresql_url.rpartition("/")[0] + f"/{name}"
        finally:
            self._ask(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _ask(self, sql: str) -> None:
        with psycopg.connect(self._postgresql_url, autocommit=True) as connection:
            connection.execute(sql)  # type: ignore[call-overload, unused-ignore]

    # -- Gradewire ---------------------------------------------------------------------------------------------------

    def settings(self, url: str, folder: Path, redis_url: str) -> dict[str, str]:
        """The environment of a process; its market is where the sandbox's stands now."""
        return {
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
            "TOKENMETRICS_API_KEY": SANDBOX_KEY,
            "TOKENMETRICS_URL": self.sandbox.url,
            "GRADEWIRE_PLAN": "vip",
            "GRADEWIRE_CALLS_PER_MINUTE": "1000000",
            "GRADEWIRE_MARKET_START": str(round(self.sandbox.sandbox.clock.now())),
            "GRADEWIRE_MARKET_ANCHOR": str(wall_clock()),
            "GRADEWIRE_DATA": str(folder),
            "GRADEWIRE_SECRET_KEY": KEY,
            "GRADEWIRE_ALLOW_PRIVATE": "1",
        }

    def gradewire(self, url: str, **parts: Any) -> Gradewire:
        """One in this process."""
        return build(load(self.settings(url, self.folder, "")), **parts)


def told(database: Database) -> set[str]:
    """The ids of the events that there are of the rule that the hooks want."""
    mine = select(subscription.c.rule_id).where(subscription.c.id == "sub_1")
    with database.read() as connection:
        return set(connection.scalars(select(event.c.id).where(event.c.rule_id == mine.scalar_subquery())))


def count(database: Database, table: Any, *where: Any) -> int:
    """Rows of a table."""
    with database.read() as connection:
        return int(connection.scalar(select(func.count()).select_from(table).where(*where)) or 0)
