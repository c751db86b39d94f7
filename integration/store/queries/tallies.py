"""Counts that never fall, kept with what they count: what is let go of later was counted once."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, select, text

from integration.store.tables import tally

Labels = tuple[str, ...]
_MORE = text("""
    INSERT INTO tally (name, labels, value) VALUES (:name, :labels, :value)
    ON CONFLICT (name, labels) DO UPDATE SET value = tally.value + excluded.value""")


def add(connection: Connection, name: str, counts: Mapping[Labels, int]) -> None:
    """Count so many more. Rows are locked in one order and held to the commit, so this comes last in a transaction."""
    rows = [{"name": name, "labels": json.dumps(labels), "value": count} for labels, count in sorted(counts.items()) if count]
    if rows:
        connection.execute(_MORE, rows)


def load(connection: Connection) -> dict[str, dict[Labels, int]]:
    """Every count, by name, then by labels."""
    found: dict[str, dict[Labels, int]] = {}
    for row in connection.execute(select(tally).order_by(tally.c.name, tally.c.labels)):
        found.setdefault(row.name, {})[tuple(json.loads(row.labels))] = int(row.value)
    return found
