from __future__ import annotations

from integration.store.database import Database
from integration.store.queries import spoilt


def keep(database: Database, number: int, body: bytes = b"{}") -> None:
    with database.write() as connection:
        spoilt.keep(connection, at=number, endpoint="tokens", error=f"wrong {number}", body=body, poll_id=None)


def test_the_start_of_an_answer_is_kept_and_its_size(database: Database) -> None:
    keep(database, 1, b"x" * 100_000)
    with database.read() as connection:
        (row,) = spoilt.newest(connection)
        assert (row.at, row.endpoint, row.error, row.size) == (1, "tokens", "wrong 1", 100_000)
        assert spoilt.body(connection, row.id) == b"x" * spoilt.START
        assert spoilt.body(connection, row.id + 1) is None


def test_the_newest_two_hundred_are_kept(database: Database) -> None:
    for number in range(spoilt.MOST + 3):
        keep(database, number)
    with database.read() as connection:
        rows = spoilt.newest(connection)
        assert [row.at for row in rows] == list(range(spoilt.MOST + 2, 2, -1))
        assert spoilt.count(connection) == spoilt.MOST
        assert len(spoilt.newest(connection, limit=1)) == 1
