"""An application over a real database with a small market in it, and two accounts that ask."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from apiflask import APIFlask
from cryptography.fernet import Fernet
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from integration.config import load
from integration.domain.catalogue import Batch, SubjectRow
from integration.domain.retry import DAY
from integration.service import accounts
from integration.service.newest import New
from integration.service.storing import store_batch
from integration.service.tick import evaluate
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries import events, subjects
from integration.store.secrets import Vault
from integration.web import create_app

NOW = 1_792_000_000_000 - 1_792_000_000_000 % DAY
HOOK = "https://93.184.215.14/hook"


@dataclass
class Wall:
    """A wall clock that moves when it is told to."""

    ms: int = NOW

    def __call__(self) -> int:
        return self.ms


@dataclass
class Asker:
    """A client with an account's key."""

    app: APIFlask
    key: str
    email: str

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.client.get(f"/v1/{path}", query_string=query, headers={"X-Api-Key": self.key})

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        given = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
        return self.client.post(f"/v1/{path}", headers={"X-Api-Key": self.key}, **(given | more))

    def delete(self, path: str) -> TestResponse:
        return self.client.delete(f"/v1/{path}", headers={"X-Api-Key": self.key})


@dataclass
class Market:
    """Readings that are put into the database as a poll puts them: stored, evaluated, owed, in one transaction."""

    gradewire: Gradewire
    wall: Wall

    def name(self, *rows: SubjectRow) -> None:
        with self.gradewire.database.write() as connection:
            subjects.keep(connection, rows, self.wall())

    def read(self, source_key: str, metric: str, day: int, values: Mapping[int, float]) -> None:
        """Token values of a day (0 is today, -1 yesterday); known an hour of wall time later than what came before."""
        source = self.gradewire.catalogue.sources[source_key]
        self.wall.ms += 3_600_000
        table = np.full((len(values), len(source.metrics)), np.nan)
        table[:, source.column(metric)] = list(values.values())
        times = np.full(len(values), NOW + day * DAY, dtype=np.int64)
        batch = Batch([f"token:{number}" for number in values], times, table, [None] * len(values))
        with self.gradewire.database.write() as connection:
            events.lock(connection)
            names, oldest, *_ = store_batch(connection, source, batch, None, now=self.wall())
            new = New(source, names, oldest, self.wall())
            evaluate(connection, self.gradewire.catalogue, self.gradewire.asked, new, clock=self.wall)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def gradewire(sqlite_database: Database, wall: Wall) -> Gradewire:
    settings = load({"GRADEWIRE_PUBLIC_URL": "http://localhost"})
    return Gradewire(settings, sqlite_database, Vault([Fernet.generate_key().decode()]), now=wall)


@pytest.fixture
def both(database: Database, wall: Wall) -> Gradewire:
    """A Gradewire on each kind of database in turn."""
    settings = load({"GRADEWIRE_PUBLIC_URL": "http://localhost"})
    return Gradewire(settings, database, Vault([Fernet.generate_key().decode()]), now=wall)


def small_market(gradewire: Gradewire, wall: Wall) -> Market:
    """Three tokens and an index; Bitcoin's grade jumps on two days, its Sharpe ratio crosses 1."""
    market = Market(gradewire, wall)
    market.name(
        SubjectRow("token:3375", "token", "Bitcoin", "BTC", ("layer-1",), ("binance",), 1),
        SubjectRow("token:3306", "token", "Ethereum", "ETH", ("layer-1",), ("binance", "kraken"), 2),
        SubjectRow("token:77", "token", "Bitcoin <b>", "BTC", (), (), 3),
        SubjectRow("index:5", "index", "Momentum", "MOM"),
    )
    for day, grade in ((-4, 50.0), (-3, 65.0), (-2, 52.0), (-1, 53.0)):
        market.read("trader_grades", "tm_trader_grade", day, {3375: grade, 3306: 40.0, 77: grade})
    for day, sharpe in ((-3, 0.8), (-2, 1.2)):
        market.read("quantmetrics", "sharpe", day, {3375: sharpe, 3306: 0.5})
    return market


@pytest.fixture
def market(gradewire: Gradewire, wall: Wall) -> Market:
    return small_market(gradewire, wall)


@pytest.fixture
def app(gradewire: Gradewire) -> APIFlask:
    return create_app(gradewire)


def asker(app: APIFlask, gradewire: Gradewire, email: str) -> Asker:
    return Asker(app, accounts.create_key(gradewire, email), email)


@pytest.fixture
def ada(app: APIFlask, gradewire: Gradewire) -> Asker:
    return asker(app, gradewire, "ada@example.com")


@pytest.fixture
def bob(app: APIFlask, gradewire: Gradewire) -> Asker:
    return asker(app, gradewire, "bob@example.com")


@pytest.fixture
def refused() -> Callable[[TestResponse, int, str | None], str]:
    """Check an error's status, its shape and the field it names; its message."""

    def check(answer: TestResponse, status: int, field: str | None) -> str:
        assert answer.status_code == status, answer.get_data(as_text=True)
        assert answer.mimetype == "application/json"
        assert answer.get_json().keys() == {"error"}
        error = answer.get_json()["error"]
        assert error.keys() == {"code", "message", "field"}
        assert 0 < len(error["message"]) < 250
        assert error["field"] == field
        return str(error["message"])

    return check
