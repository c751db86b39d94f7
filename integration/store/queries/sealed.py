"""What is kept encrypted, wherever it is, read and replaced a few rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Table, Text, select, update

from integration.store.tables import SEALED, metadata


class Place(NamedTuple):
    """A column that may hold something encrypted; `key` is its table's key."""

    table: Table
    key: Column[Any]
    column: Column[Any]


PLACES = tuple(
    Place(table, next(iter(table.primary_key.columns)), column)
    for table in metadata.sorted_tables
    for column in table.columns
    if column.info == SEALED
)


def page(connection: Connection, place: Place, after: Any, most: int) -> list[tuple[Any, bytes]]:
    """Up to `most` (key, value) in order of the key, after one that was read before (None: from the first on)."""
    query = select(place.key, place.column).order_by(place.key).limit(most)
    rows = connection.execute(query if after is None else query.where(place.key > after))
    return [(key, value.encode() if isinstance(value, str) else bytes(value)) for key, value in rows]


def replace(connection: Connection, place: Place, changes: Sequence[tuple[Any, bytes, bytes]]) -> int:
    """Put a new value in the place of an old one, (key, old, new) each, where the old one still stands; how many were put."""
    replaced = 0
    for key, *values in changes:
        old, new = [value.decode() if isinstance(place.column.type, Text) else value for value in values]
        query = update(place.table).where(place.key == key, place.column == old).values({place.column: new})
        replaced += connection.execute(query).rowcount
    return replaced
