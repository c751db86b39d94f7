"""An event's JSON: written once, then spliced as it is into feeds, webhooks and everything else."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Source, SubjectRow, Trigger
from integration.domain.history import Told
from integration.domain.momentum import rank
from integration.domain.payload import SCHEMA, iso
from integration.store.queries import readings

#: The metrics a snapshot shows, and the source of each.
SNAPSHOT: tuple[tuple[str, str], ...] = (
    ("trader_grades", "tm_trader_grade"),
    ("investor_grades", "tm_investor_grade"),
    ("investor_grades", "valuation_grade"),
    ("quantmetrics", "sharpe"),
    ("quantmetrics", "sortino"),
    ("quantmetrics", "volatility"),
    ("quantmetrics", "max_drawdown"),
    ("quantmetrics", "daily_value_at_risk"),
    ("tm_grade", "tm_grade"),
    ("indices", "price"),
    ("indices", "index_grade"),
)
#: The source of momentum, which is a word there.
_MOMENTUM = "tm_grade"

Snapshot = dict[str, dict[str, Any]]
#: Later than any time, and still a 64-bit number.
END = 2**62


def snapshots(connection: Connection, sources: Mapping[str, Source], names: Sequence[str]) -> dict[str, Snapshot]:
    """The newest stored main metrics of each subject, each with its own date. It is beside the event, not part of its id."""
    shots: dict[str, Snapshot] = {name: {} for name in names}
    for key in dict.fromkeys(source for source, _ in SNAPSHOT):
        for name, newest in readings.latest(connection, key, names).items():
            shots[name] |= _shown(sources[key], newest)
    return shots


def moment(subject: str, told: Told, since: int | None) -> readings.Then:
    """When a firing became known. What a rule that is asked for since a moment told is told beside what was stored by then."""
    if since is not None and told.known_at >= since:
        return readings.Then(subject, END, told.known_at, told.known_at)
    return readings.Then(subject, told.firing.as_of, told.known_at, END)


def snapshots_then(connection: Connection, sources: Mapping[str, Source], asked: Sequence[readings.Then]) -> list[Snapshot]:
    """As `snapshots`, of what was known at some times."""
    shots: list[Snapshot] = [{} for _ in asked]
    for key in dict.fromkeys(source for source, _ in SNAPSHOT):
        for place, newest in readings.at_the_time(connection, key, asked).items():
            shots[place] |= _shown(sources[key], newest)
    return shots


def _shown(source: Source, newest: readings.Newest) -> Snapshot:
    values, when = np.frombuffer(newest.values, dtype=np.float64), iso(newest.as_of)
    metrics = {metric: float(values[source.column(metric)]) for key, metric in SNAPSHOT if key == source.key}
    shown: Snapshot = {metric: {"value": value, "as_of": when} for metric, value in metrics.items() if math.isfinite(value)}
    if source.key == _MOMENTUM and newest.text:
        word = json.loads(newest.text).get("momentum")
        if (level := rank(word)) is not None:
            shown["momentum"] = {"value": float(level), "as_of": when, "text": word.strip()}
    return shown


def worded(trigger: Trigger, event: dict[str, Any]) -> None:
    """Put what follows from the rest of an event into it: its summary, and its trigger's own texts."""
    event["summary"] = trigger.summary(event)
    event |= trigger.more(event)


def compose(
    trigger: Trigger,
    identity: str,
    subject: SubjectRow,
    told: Told,
    snapshot: Snapshot,
    *,
    sandbox: bool,
    is_sample: bool = False,
) -> str:
    """The event's JSON text."""
    event: dict[str, Any] = {
        "schema": SCHEMA,
        "id": identity,
        "trigger": trigger.key,
        "label": trigger.label,
        "is_sample": is_sample,
        "sandbox": sandbox,
        "restated": told.restated,
        "subject": subject.subject,
        "subject_id": int(subject.subject.partition(":")[2] or 0) or None,
        "subject_name": subject.name,
        "subject_symbol": subject.symbol,
        "as_of": iso(told.firing.as_of),
        "known_at": iso(told.known_at),
        "summary": "",
        **told.firing.fields,
        "snapshot": snapshot,
    }
    worded(trigger, event)
    return json.dumps(event, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
