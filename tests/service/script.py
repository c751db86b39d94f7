"""A Gradewire whose upstream says exactly what a test lets it say, on a calendar that starts at day 0."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from integration.config import load
from integration.domain.catalogue import Batch, Source, SubjectRow
from integration.domain.ids import canonical, event_id
from integration.domain.retry import DAY
from integration.service.observe import Observed, observe
from integration.service.wiring import Gradewire, build
from integration.store.database import Database
from integration.store.tables import delivery, event
from integration.tokenmetrics import Fetched
from tests.market import KEY, Here, Wall, asked

START = 1_704_067_200_000  # 2024-01-01
METRICS = {"quantmetrics": "sharpe", "trader_grades": "tm_trader_grade", "tm_grade": "tm_grade", "indices": "price"}
Value = float | None


@dataclass
class Upstream:
    """What it would answer: values by source, then (subject number, day). `asked` are the questions that came."""

    says: dict[str, dict[tuple[int, float], Value]] = field(default_factory=dict)
    names: dict[str, list[SubjectRow]] = field(default_factory=dict)
    asked: list[tuple[str, date | None, date | None]] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def fetch(
        self,
        source: Source,
        *,
        slot: int,
        ids: Sequence[int] | None = None,
        start: date | None = None,
        end: date | None = None,
        poll_id: int | None = None,
    ) -> Fetched:
        """As the real client, from memory; `meanwhile` happens before it answers."""
        self.asked.append((source.key, start, end))
        found = [
            (f"{source.subject}:{number}", START + round(day * DAY) if source.dated else slot, value)
            for (number, day), value in sorted(self.says.get(source.key, {}).items(), key=lambda said: said[0][1])
            if source.ranged <= (start is not None and end is not None and start <= _date(day) <= end)
        ]
        self.meanwhile()
        values = np.full((len(found), len(source.metrics)), np.nan)
        for row, (_, _, value) in enumerate(found):
            values[row, source.column(METRICS[source.key])] = np.nan if value is None else value
        as_of = np.asarray([as_of for _, as_of, _ in found], dtype=np.int64)
        batch = Batch([subject for subject, _, _ in found], as_of, values, [None] * len(found))
        return Fetched(batch, self.names.get(source.key, []), 1)


def _date(day: float) -> date:
    return datetime.fromtimestamp((START + day * DAY) / 1000, UTC).date()


@dataclass
class Script(Here):
    """Day after day, as told."""

    upstream: Upstream = field(default_factory=Upstream)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.gradewire.__dict__["client"] = self.upstream

    def say(self, source: str, day: float, values: Mapping[int, Value]) -> None:
        """From now on, a source tells these values of a day; one without ranges forgets what it told before."""
        told = self.upstream.says.setdefault(source, {})
        if not self.catalogue.sources[source].ranged:
            told.clear()
        told.update({(number, day): value for number, value in values.items()})

    def go_to(self, day: float) -> None:
        self.wall.ms = max(START + round(day * DAY), self.wall.ms + 1)  # type: ignore[attr-defined]

    def day(self, day: float, values: Mapping[int, Value], source: str = "quantmetrics") -> Observed:
        """On that day, the source says these values, and is polled."""
        self.go_to(day)
        self.say(source, day, values)
        return observe(self.gradewire, self.catalogue.sources[source])

    def owed(self) -> list[tuple[str, str]]:
        """(subscription, event id) of every delivery."""
        seqs = {row.seq: row.id for row in self.events()}
        return [(row.subscription_id, seqs[row.event_seq]) for row in self.rows(delivery)]

    def told(self) -> list[tuple[str, float]]:
        """(subject, day) of every event, in the order they were numbered."""
        return [(row.subject, (row.as_of - START) / DAY) for row in self.events()]

    def identity(self, trigger: str, subject: str, day: float, **options: Any) -> str:
        """The id an event must have, from the trigger's options alone."""
        known = self.catalogue.triggers[trigger]
        text = canonical(known.options().load(asked(trigger, options)))
        return event_id(trigger, known.semantics, text, subject, START + round(day * DAY))

    def worker(self) -> Script:
        """A second worker on the same database, with the same clock and upstream."""
        return Script(build(self.gradewire.settings, now=self.wall), self.wall, upstream=self.upstream)


@contextmanager
def script(database: Database, tmp_path: Path, **settings: Any) -> Iterator[Script]:
    """A Gradewire on day 0 of a market that nobody has written yet."""
    chosen = {
        "data": tmp_path,
        "database_url": database.url.render_as_string(hide_password=False),
        "secret_key": KEY,
        "allow_private": True,
        "plan": "vip",
        **settings,
    }
    wall = Wall(START)
    gradewire: Gradewire = build(load({}).replace(destination_rate=1_000.0, **chosen), now=wall)
    try:
        yield Script(gradewire, wall)
    finally:
        gradewire.close()


def happened(here: Here) -> list[str]:
    """The ids of all events, in order."""
    with here.gradewire.database.read() as connection:
        return list(connection.scalars(event.select().with_only_columns(event.c.id).order_by(event.c.seq)))
