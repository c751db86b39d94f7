from __future__ import annotations

from integration.store.database import Database
from integration.store.queries import notices


def test_a_key_is_told_once_and_takes_the_newest_text(database: Database) -> None:
    with database.write() as connection:
        notices.put(connection, "plan:1", "plan", 10, "ends on the 24th")
        notices.put(connection, "data.stale:prices:5", "data.stale", 11, "stands still")
        notices.put(connection, "plan:1", "plan", 12, "ends on the 25th")
    with database.read() as connection:
        found = notices.newest(connection, since=0, limit=9)
        assert [(row.key, row.kind, row.at, row.text) for row in found] == [
            ("plan:1", "plan", 12, "ends on the 25th"),
            ("data.stale:prices:5", "data.stale", 11, "stands still"),
        ]
        assert notices.of_kinds(connection, "plan", "dropped") == {"plan:1": "ends on the 25th"}
        assert [row.key for row in notices.newest(connection, since=12, limit=9)] == ["plan:1"]
        assert len(notices.newest(connection, since=0, limit=1)) == 1


def test_what_no_longer_holds_is_taken_back_and_what_is_old_forgotten(database: Database) -> None:
    with database.write() as connection:
        for number in range(4):
            notices.put(connection, str(number), "plan", number, "")
        notices.drop(connection, "3")
        notices.prune(connection, before=2)
    with database.read() as connection:
        assert [row.key for row in notices.newest(connection, since=0, limit=9)] == ["2"]
