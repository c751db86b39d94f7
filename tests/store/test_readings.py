from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError

from integration.store.database import Database
from integration.store.queries import readings
from integration.store.queries.readings import Row, Then

DAY = 86_400_000


def packed(*values: float) -> bytes:
    return np.asarray(values, dtype=np.float64).tobytes()


def row(
    subject: str, as_of: int, version: int = 0, *, known_at: int | None = None, origin: str = "live", value: float = 1.0
) -> Row:
    return Row("s", subject, as_of, version, as_of if known_at is None else known_at, origin, None, packed(value), None)


def store(database: Database, *rows: Row) -> None:
    with database.write() as connection:
        readings.add(connection, rows)


def test_values_come_back_bit_for_bit(database: Database) -> None:
    numbers = (0.1, -0.0, float("nan"), 1e-310, 1.7976931348623157e308)
    store(database, Row("s", "token:1", DAY, 0, DAY, "live", 7, packed(*numbers), '{"a":"ü"}'))
    with database.read() as connection:
        (found,) = readings.log(connection, "s", since=0, subjects=["token:1"])
    assert tuple(found) == ("token:1", DAY, DAY, packed(*numbers), '{"a":"ü"}', None, "live")


def test_a_version_is_stored_once(database: Database) -> None:
    store(database, row("token:1", DAY))
    with pytest.raises(IntegrityError):
        store(database, row("token:1", DAY))


def test_the_newest_version_of_each_subject_at_some_times(database: Database) -> None:
    store(database, row("token:1", DAY), row("token:1", DAY, 1, value=2.0), row("token:2", DAY), row("token:1", 2 * DAY))
    with database.read() as connection:
        found = readings.newest_versions(connection, "s", [DAY])
        assert readings.newest_versions(connection, "t", [DAY]) == readings.newest_versions(connection, "s", []) == {}
    assert {key: version.version for key, version in found.items()} == {("token:1", DAY): 1, ("token:2", DAY): 0}
    assert found["token:1", DAY].values == packed(2.0)


def test_a_log_is_by_subject_as_of_and_version_and_without_what_was_filled_in_later(database: Database) -> None:
    store(
        database,
        row("token:1", 3 * DAY, known_at=3),
        row("token:1", 2 * DAY, known_at=4),
        row("token:1", 3 * DAY, 1, known_at=4),
        row("token:1", 1 * DAY, known_at=1, origin="backfill"),
        row("token:1", 4 * DAY, known_at=2, origin="reconstructed"),
        row("token:2", 3 * DAY, known_at=1),
        row("token:3", 3 * DAY, known_at=1),
    )
    with database.read() as connection:
        found = readings.log(connection, "s", since=0, subjects=["token:2", "token:1"])
        recent = readings.log(connection, "s", since=3 * DAY, subjects=["token:1"])
        assert readings.log(connection, "s", since=0, subjects=[]) == []
    assert [(r[0], r[1] // DAY, r[2]) for r in found] == [
        ("token:1", 1, 1), ("token:1", 2, 4), ("token:1", 3, 3), ("token:1", 3, 4), ("token:2", 3, 1),
    ]  # fmt: skip
    assert [(r[1] // DAY, r[2]) for r in recent] == [(3, 3), (3, 4)]


def test_the_latest_of_each_subject_is_its_newest_version(database: Database) -> None:
    store(
        database,
        row("token:1", DAY, value=1.0),
        row("token:1", 2 * DAY, 1, value=3.0),
        row("token:1", 2 * DAY, value=2.0),
        row("token:2", DAY, value=4.0),
    )
    with database.read() as connection:
        found = readings.latest(connection, "s", ["token:1", "token:2", "token:3"])
    assert found == {"token:1": (2 * DAY, packed(3.0), None), "token:2": (DAY, packed(4.0), None)}


def test_who_is_known_is_who_was_told_of_live(database: Database) -> None:
    store(database, row("token:1", DAY), row("token:2", DAY, origin="backfill"), row("token:3", DAY))
    with database.read() as connection:
        assert readings.known_subjects(connection, "s") == {"token:1", "token:3"}
        assert readings.known_subjects(connection, "s", ["token:1", "token:2"]) == {"token:1"}
        assert readings.known_subjects(connection, "s", []) == readings.known_subjects(connection, "t") == set()
        assert (readings.newest_as_of(connection, "s"), readings.newest_as_of(connection, "t")) == (DAY, None)


def test_a_moment_is_later_than_any_before_whatever_the_clock_says(database: Database) -> None:
    moments = []
    for now in (DAY, DAY, DAY + 50, DAY - 50):
        with database.write() as connection:
            moments.append(readings.moment(connection, now))
    assert moments == [DAY, DAY + 1, DAY + 50, DAY + 51]
    with database.read() as connection:
        assert readings.last_moment(connection) == DAY + 51


def test_what_was_known_at_a_time_is_the_newest_of_what_was_stored_by_then(database: Database) -> None:
    store(
        database,
        row("token:1", 1 * DAY, known_at=1 * DAY, origin="backfill", value=1.0)._replace(stored_at=6 * DAY),
        row("token:1", 2 * DAY, known_at=3 * DAY, value=2.0),
        row("token:1", 2 * DAY, 1, known_at=5 * DAY, value=3.0),
        row("token:1", 4 * DAY, known_at=7 * DAY, origin="reconstructed", value=4.0),
        row("token:1", 8 * DAY, known_at=9 * DAY, value=5.0),
    )
    ever = 2**62
    asked = [
        Then("token:1", 1 * DAY, 1 * DAY, ever),  # the past, as it counts now
        Then("token:1", 1 * DAY, 1 * DAY, 5 * DAY),  # as it was known then
        Then("token:1", 2 * DAY, 4 * DAY, ever),
        Then("token:1", 2 * DAY, 5 * DAY, ever),
        Then("token:1", 4 * DAY, 5 * DAY, ever),
        Then("token:1", ever, 7 * DAY, 7 * DAY),
        Then("token:2", ever, ever, ever),
    ]
    with database.read() as connection:
        found = readings.at_the_time(connection, "s", asked)
        assert readings.at_the_time(connection, "s", []) == {}
    days = {place: (as_of // DAY, np.frombuffer(values)[0]) for place, (as_of, values, _) in found.items()}
    assert days == {0: (1, 1.0), 2: (2, 2.0), 3: (2, 3.0), 4: (4, 4.0), 5: (4, 4.0)}
