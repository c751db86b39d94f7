"""Shared parts: servers for reading, a way to ask, and the folder of real data beside the repository."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from integration.sandbox import SANDBOX_KEY, SandboxSettings, create_sandbox

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
Ask = Callable[..., Any]


def shared(name: str) -> Path:
    """A folder of the shared data; absent: skip by name, but fail in CI."""
    folder = SHARED / name
    if not folder.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{folder} is absent, and CI must have it")
        pytest.skip(f"../shared/data/{name} is absent")
    return folder


def asker(app: Flask) -> Ask:
    """Ask an app with the sandbox key: ask(path, **params) -> response."""
    client = app.test_client()

    def ask(path: str, headers: dict[str, str] | None = None, **params: Any) -> Any:
        return client.get(path, query_string=params, headers={"x-api-key": SANDBOX_KEY} | (headers or {}))

    return ask


def made(**settings: Any) -> Flask:
    """A paused model sandbox with a generous allowance."""
    chosen = {"paused": True, "calls_per_minute": 10_000} | settings
    return create_sandbox(SandboxSettings(**chosen))


@pytest.fixture(scope="session")
def model() -> Flask:
    """A paused model of 200 tokens, for reading only."""
    return made()


@pytest.fixture(scope="session")
def ask(model: Flask) -> Ask:
    """Ask the model."""
    return asker(model)


@pytest.fixture(scope="session")
def replay() -> Flask:
    """A paused replay of the real prices on 2021-05-19, for reading only."""
    return made(replay=shared("prices/daily"), start=date(2021, 5, 19))


@pytest.fixture
def fresh() -> Flask:
    """A small paused model that a test may change."""
    return made(tokens=60)
