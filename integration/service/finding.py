"""What people look for: tokens and indices by what they are called, what is known of one now, what happened lately."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import SubjectRow
from integration.domain.errors import InvalidInput, NotFound
from integration.domain.payload import iso
from integration.domain.posting import event_text, subject_text
from integration.service.asking import trigger_of
from integration.service.compose import SNAPSHOT, Snapshot, snapshots
from integration.service.naming import number_of
from integration.service.overview import event_text as stored_text
from integration.service.wiring import Gradewire
from integration.store.queries import events, readings, subjects

Shown = dict[str, Any]
Kind = Literal["token", "index"]
MOST = 100


def find(gradewire: Gradewire, kind: Kind, text: str, limit: int) -> list[Shown]:
    """Tokens or indices by name, symbol or id, or a part of it; the best fit first. InvalidInput where it is blank."""
    if not text.strip():
        raise InvalidInput("q: It is blank. Write a name, a symbol or an id, or a part of it.", field="q")
    with gradewire.database.read() as connection:
        return [_named(row) for row in subjects.search(connection, kind, text.strip(), limit=limit, offset=0)]


def _named(row: SubjectRow) -> Shown:
    return {
        "id": int(row.subject.partition(":")[2]),
        "subject": row.subject,
        "name": row.name,
        "symbol": row.symbol,
        "label": f"{row.name} ({row.symbol})" if row.symbol else row.name,
        "market_rank": row.market_rank,
        "categories": ", ".join(row.categories),
        "exchanges": ", ".join(row.exchanges),
    }


# -- what is known now -----------------------------------------------------------------------------------------------


def metrics_of(gradewire: Gradewire, token: str | None, index: str | None) -> list[Shown]:
    """What is known of each token or index with this id, symbol or name, the largest first; nothing where none is so called."""
    if bool(token) == bool(index):
        raise InvalidInput("Name a token or an index: one of the two.", field="index" if token else "token")
    kind: Kind = "token" if token else "index"
    name = str(token or index).strip()
    with gradewire.database.read() as connection:
        numbered = name.isascii() and name.isdigit() and len(name) < 19
        found = list(subjects.load(connection, [f"{kind}:{int(name)}"]).values()) if numbered else []
        found = found or subjects.by_symbol(connection, kind, name)
        found = sorted(found, key=lambda row: (row.market_rank is None, row.market_rank, row.subject))[:10]
        shots = snapshots(connection, gradewire.catalogue.sources, [row.subject for row in found])
        return [_known(gradewire, connection, row, shots[row.subject]) for row in found]


def _known(gradewire: Gradewire, connection: Connection, row: SubjectRow, snapshot: Snapshot) -> Shown:
    metrics = _metrics(gradewire, connection, row)
    flat = {metric: snapshot.get(metric, {}).get("value") for _, metric in SNAPSHOT}
    return {
        "id": int(row.subject.partition(":")[2]),
        "subject": row.subject,
        "subject_name": row.name,
        "subject_symbol": row.symbol,
        "as_of": max((metric["as_of"] for metric in metrics), default=None),
        **flat,
        "momentum": snapshot.get("momentum", {}).get("text"),
        "discord_text": subject_text(row.name, row.symbol, snapshot, sandbox=gradewire.settings.sandbox),
        "snapshot": snapshot,
        "metrics": metrics,
    }


def _metrics(gradewire: Gradewire, connection: Connection, row: SubjectRow) -> list[Shown]:
    """Every metric's newest value, as upstream has it."""
    found: list[Shown] = []
    for source in gradewire.catalogue.sources.values():
        newest = readings.latest(connection, source.key, [row.subject]).get(row.subject) if source.subject == row.kind else None
        if newest is not None:
            values = np.frombuffer(newest.values, dtype=np.float64).tolist()
            about = {"source": source.key, "as_of": iso(newest.as_of)}
            found += [
                {"key": metric.name, "label": metric.label, "value": value, "unit": metric.unit or None, **about}
                for metric, value in zip(source.metrics, values, strict=False)
                if math.isfinite(value)
            ]
    return found


# -- what happened lately --------------------------------------------------------------------------------------------


def latest_events(gradewire: Gradewire, trigger: str | None, token: str | None, index: str | None, limit: int) -> list[str]:
    """The JSON texts of the newest events, of all rules: of a trigger, about a token or an index (by id, symbol or name)."""
    if token and index:
        raise InvalidInput("Choose a token or an index, not both.", field="index")
    key = trigger_of(gradewire, trigger).key if trigger else None
    with gradewire.database.read() as connection:
        subject = None
        if token or index:
            kind: Kind = "token" if token else "index"
            subject = f"{kind}:{number_of(connection, kind, str(token or index).strip(), kind)}"
        return events.newest_texts(connection, limit=limit, trigger=key, subject=subject)


# -- in words --------------------------------------------------------------------------------------------------------


def describe(gradewire: Gradewire, account_id: str, token: str | None, index: str | None, event_id: str | None) -> Shown:
    """A text about a token, an index or an event, ready to post. Raises InvalidInput unless just one is named."""
    given = [name for name, value in (("token", token), ("index", index), ("event_id", event_id)) if value]
    if len(given) != 1:
        raise InvalidInput("Name one of token, index and event_id.", field=given[1] if given else "token")
    if event_id:
        return _of_event(gradewire, account_id, event_id)
    kind: Kind = "token" if token else "index"
    with gradewire.database.read() as connection:
        subject = f"{kind}:{number_of(connection, kind, str(token or index).strip(), kind)}"
        row = subjects.load(connection, [subject])[subject]
        snapshot = snapshots(connection, gradewire.catalogue.sources, [subject])[subject]
    text = subject_text(row.name, row.symbol, snapshot, sandbox=gradewire.settings.sandbox)
    return _described(kind, text, row.subject, row.name, row.symbol, None)


def _of_event(gradewire: Gradewire, account_id: str, event_id: str) -> Shown:
    event = events.whole(stored_text(gradewire, event_id, account_id))
    if event is None:
        raise NotFound(f"The event {event_id[:40]!r} is too old: it is not kept whole any more.", field="event_id")
    about = event["subject"], event["subject_name"], event["subject_symbol"]
    return _described("event", event_text(event), *about, event_id)


def _described(kind: str, text: str, subject: str, name: str, symbol: str, event_id: str | None) -> Shown:
    number = int(subject.partition(":")[2] or 0) or None
    about = {"subject": subject, "subject_id": number, "subject_name": name, "subject_symbol": symbol, "event_id": event_id}
    return {"kind": kind, "text": text, "characters": len(text), **about}
