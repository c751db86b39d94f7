"""Counts that never fall, kept with what they count: what is let go of later was counted once."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, select

from integration.store.queries._dialect import insert
from integration.store.tables import tally

Labels = tuple[str, ...]


def add(connection: Connection, name: str, counts: Mapping[Labels, int]) -> None:
    """Count so many more. Rows are locked in one order and held to the commit, so this comes last in a transaction."""
    rows = [{"name": name, "labels": json.dumps(labels), "value": count} for labels, count in sorted(counts.items()) if count]
    if not rows:
        return
    statement = insert(connection, tally)
    more = tally.c.value + statement.excluded.value
    keys = [tally.c.name, tally.c.labels]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_={"value": more}), rows)


def load(connection: Connection) -> dict[str, dict[Labels, int]]:
    """Every count, by name, then by labels."""
    found: dict[str, dict[Labels, int]] = {}
    for row in connection.execute(select(tally).order_by(tally.c.name, tally.c.labels)):
        found.setdefault(row.name, {})[tuple(json.loads(row.labels))] = int(row.value)
    return found
