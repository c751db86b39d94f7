"""The one place that knows the real parts: settings in, a working Gradewire out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from integration import channels, sources, triggers
from integration.config import Settings
from integration.domain.catalogue import Channel
from integration.domain.clock import MarketClock
from integration.domain.errors import Conflict, Misconfigured
from integration.domain.retry import DAY, HOUR, MINUTE
from integration.service.asked import Asked
from integration.service.evaluate import Catalogue
from integration.store import schema
from integration.store.budget import Budget
from integration.store.database import Database
from integration.store.queries import calls, installation, spoilt
from integration.store.secrets import Vault, vault_of
from integration.tokenmetrics import TokenMetrics


def wall_clock() -> int:
    """Now, in UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass
class Gradewire:
    """Everything a door needs. `now` gives wall time in ms; `wake` tells the workers that there is something to deliver.

    `memory` is what use cases keep between calls for speed, by name: never the truth.
    """

    settings: Settings
    database: Database
    vault: Vault
    now: Callable[[], int] = wall_clock
    wake: Callable[[], None] = lambda: None
    memory: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Triggers and sources."""
        return Catalogue(triggers.load(), sources.load(), self.settings.sandbox, round(self.clock.wall_length(HOUR)))

    @cached_property
    def asked(self) -> Asked:
        """Which rules are asked about which subjects, kept in memory between polls."""
        return Asked(self.catalogue)

    @cached_property
    def channels(self) -> dict[str, Channel]:
        """Channels by key."""
        return channels.load()

    @cached_property
    def clock(self) -> MarketClock:
        """Market time."""
        s = self.settings
        return (
            MarketClock(s["speed"], s["market_anchor"], s["market_start"])
            if s["speed"] != 1 or s["market_start"]
            else MarketClock()
        )

    @cached_property
    def budget(self) -> Budget:
        """What the plan allows; its month runs with the market."""
        month, minute = self.settings.calls
        return Budget(self.database, month, minute, month_ms=round(self.clock.wall_length(30 * DAY)), minute_ms=MINUTE)

    @cached_property
    def client(self) -> TokenMetrics:
        """The upstream's client; it records every call."""
        s = self.settings
        if s.sandbox and not s["sandbox_key"]:
            raise Misconfigured(
                "No upstream is set: `gradewire up` brings a sandbox, TOKENMETRICS_API_KEY polls the real API, and "
                "TOKENMETRICS_URL with GRADEWIRE_SANDBOX_KEY a sandbox that runs elsewhere.",
                field="tokenmetrics_api_key",
            )
        return TokenMetrics(
            session=self._session,
            base_url=s["tokenmetrics_url"],
            version=s["tokenmetrics_version"],
            key=s["tokenmetrics_api_key"] or s["sandbox_key"],
            budget=self.budget,
            record_call=self._record_call,
            now=self.now,
            sleep=time.sleep,
            keep_spoilt=self._keep_spoilt,
        )

    def _record_call(self, **entry: Any) -> None:
        with self.database.write() as connection:
            calls.record(connection, **entry)

    def _keep_spoilt(self, **answer: Any) -> None:
        with self.database.write() as connection:
            spoilt.keep(connection, **answer)

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        return session

    def open_config(self, sealed: bytes) -> dict[str, Any]:
        """A destination's settings in clear."""
        return self.vault.open(sealed)

    def beat(self, name: str) -> None:
        """Note that a part of this Gradewire moved."""
        with self.database.write() as connection:
            installation.beat(connection, name, self.now())

    def close(self) -> None:
        """Let go of connections."""
        self.database.close()


def build(settings: Settings, **parts: Any) -> Gradewire:
    """A Gradewire on a database that is at the newest schema and holds readings of this upstream.

    Raises Conflict where the database holds readings of another upstream.
    """
    folder = Path(settings["data"])
    if settings.database_url.startswith("sqlite"):
        folder.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url)
    schema.bring_up_to_date(database)
    upstream = settings.upstream
    with database.write() as connection:
        bound = installation.bind(connection, "upstream", upstream)
    if bound != upstream:
        database.close()
        raise Conflict(
            f"This database holds readings of {bound}, and {upstream} is set. Choose another DATABASE_URL, or set "
            + ("TOKENMETRICS_API_KEY." if bound == "Token Metrics" else "the sandbox as it was."),
            field="database_url",
        )
    return Gradewire(settings, database, vault_of(settings["secret_key"], folder), **parts)
