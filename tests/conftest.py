"""Fixtures for all: real databases of both kinds, a broker, a receiver. A missing program skips, under CI it fails."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import psycopg
import pytest
from hypothesis import settings

from integration.store import migrate
from integration.store.database import Database
from tests import servers
from tests.laws import examples
from tests.receiver import Receiver
from tests.receiver import receiver as run_receiver

# Shared machines pause: no example is failed for its time. CI repeats the same examples, people search on.
settings.register_profile("gradewire", examples(160), derandomize=os.environ.get("CI") == "true")
settings.load_profile("gradewire")

Thing = TypeVar("Thing")
_numbers = itertools.count()


def absent(what: str) -> NoReturn:
    """Something that tests need is not on this machine."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


@contextmanager
def _needed(server: AbstractContextManager[Thing]) -> Iterator[Thing]:
    try:
        running = server.__enter__()
    except servers.Missing as missing:
        absent(str(missing))
    try:
        yield running
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server of this session: the URL of its database `postgres`, which stays empty."""
    with _needed(servers.postgresql()) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with _needed(servers.redis_server()) as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    with _needed(servers.rabbitmq()) as url:
        yield url


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as running:
        yield running


@contextmanager
def postgresql_copy(url: str, template: str = "template1") -> Iterator[str]:
    """A database of its own on the session's server, a copy of `template`; dropped afterwards."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')  # type: ignore[call-overload, unused-ignore]
        try:
            yield url.rpartition("/")[0] + f"/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload, unused-ignore]


def _migrated(url: str) -> None:
    database = Database(url)
    migrate.upgrade(database)
    database.close()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "gradewire.db"
    _migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgresql_template(postgresql_url: str) -> Iterator[str]:
    with postgresql_copy(postgresql_url) as url:
        _migrated(url)
        yield url.rpartition("/")[2]


@pytest.fixture
def sqlite_database(tmp_path: Path, _sqlite_template: Path) -> Iterator[Database]:
    """A fresh migrated SQLite database in a file of its own."""
    path = tmp_path / "gradewire.db"
    shutil.copy(_sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def postgresql_database(postgresql_url: str, _postgresql_template: str) -> Iterator[Database]:
    """A fresh migrated PostgreSQL database."""
    with postgresql_copy(postgresql_url, _postgresql_template) as url:
        database = Database(url)
        yield database
        database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """A fresh migrated database, of both kinds in turn."""
    fresh: Database = request.getfixturevalue(f"{request.param}_database")
    return fresh
