"""What is measured, read from the database: several processes share one truth, so none counts for itself.

`frequent` is cheap however much there is. `seldom` counts rows, and is to be asked the less often the longer that takes.
Nothing here names an account, a destination or a setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from integration.domain.retry import DAY
from integration.service.wiring import Gradewire
from integration.store.queries import deliveries, installation, measures, tallies

Samples = Mapping[tuple[str, ...], float]
ALONE: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing measured: a gauge, or a counter that never falls, by the values of its labels. Times are in seconds."""

    name: str
    help: str
    samples: Samples
    labels: tuple[str, ...] = ()
    kind: Literal["gauge", "counter"] = "gauge"


def frequent(gradewire: Gradewire) -> list[Measure]:
    """What is read by an index or from few rows."""
    now = gradewire.now()
    with gradewire.database.read() as connection:
        beats, counted = installation.beats(connection), tallies.load(connection)
        oldest, found = deliveries.oldest_due(connection, now), measures.events(connection)
        told = measures.notices(connection, now - DAY)
        newest = measures.newest_readings(connection, gradewire.catalogue.sources)
    oldest_s = 0.0 if oldest is None else (now - oldest) / 1000
    return [
        _about(gradewire),
        Measure("oldest_due_seconds", "How long the oldest delivery that is due has waited", {ALONE: oldest_s}),
        Measure("heartbeat_age_seconds", "Since a part last moved", _ages(beats, now), ("part",)),
        Measure("events", "Events found", {ALONE: found}, kind="counter"),
        Measure("notices", "Notices to the operator in the last 24 hours", _by(told), ("kind",)),
        Measure("source_newest_timestamp_seconds", "Newest as_of of a source", _seconds(newest), ("source",)),
        *_counters(counted),
        *_plan(gradewire, now),
    ]


def seldom(gradewire: Gradewire) -> list[Measure]:
    """What is counted row by row."""
    now = gradewire.now()
    with gradewire.database.read() as connection:
        states, due = deliveries.counts(connection), measures.due(connection, now)
        (statuses, resting), size = measures.destinations(connection, now), measures.size(connection)
    return [
        Measure("deliveries", "Deliveries that are kept, by state", _by(states), ("state",)),
        Measure("deliveries_due", "Deliveries that are due now", {ALONE: due}),
        Measure("destinations", "Destinations by status", _by(statuses), ("status",)),
        Measure("breakers_open", "Active destinations that are left alone because they failed", {ALONE: resting}),
        Measure("database_bytes", "Size of the database", {ALONE: size}),
    ]


def _about(gradewire: Gradewire) -> Measure:
    database = "sqlite" if gradewire.database.is_sqlite else "postgresql"
    upstream = "sandbox" if gradewire.settings.sandbox else "token_metrics"
    labels = (version("gradewire"), database, upstream)
    return Measure("info", "What runs here", {labels: 1}, ("version", "database", "upstream"))


#: Tallies: what they are called, what they count, their labels.
_TALLIES = (
    ("attempts", "attempts", "Attempts to deliver, by outcome and what went wrong", ("outcome", "error")),
    ("polls", "polls", "Polls that ended, by source and status", ("source", "status")),
    ("late", "late_readings", "Readings that came after newer ones were evaluated", ("source",)),
    ("calls", "upstream_requests", "Requests to the upstream, by endpoint and status", ("endpoint", "status")),
)


def _counters(counted: Mapping[str, Samples]) -> Iterator[Measure]:
    for name, called, text, labels in _TALLIES:
        yield Measure(called, text, counted.get(name, {}), labels, "counter")


def _plan(gradewire: Gradewire, now: int) -> Iterable[Measure]:
    used = gradewire.budget.used(now)
    taken = _by({"month": used.month, "minute": used.minute})
    allowed = _by({"month": used.per_month, "minute": used.per_minute})
    yield Measure("upstream_calls_used", "Calls of the plan taken in this window", taken, ("window",))
    yield Measure("upstream_calls_allowed", "Calls of the plan in a window", allowed, ("window",))
    yield Measure("upstream_window_ends_timestamp_seconds", "When the month of the plan ends", {ALONE: used.month_ends / 1000})


def _by(found: Mapping[str, float]) -> Samples:
    return {(name,): number for name, number in found.items()}


def _seconds(found: Mapping[str, int]) -> Samples:
    return {(name,): at / 1000 for name, at in found.items()}


def _ages(beats: Mapping[str, int], now: int) -> Samples:
    return {(name,): max(0, now - at) / 1000 for name, at in beats.items()}
