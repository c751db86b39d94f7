from __future__ import annotations

from dataclasses import replace

from integration.domain.catalogue import SubjectRow
from integration.store.database import Database
from integration.store.queries import subjects

BTC = SubjectRow("token:3375", "token", "Bitcoin", "BTC", ("store-of-value",), ("kraken",), 1)


def keep(database: Database, *rows: SubjectRow) -> None:
    with database.write() as connection:
        subjects.keep(connection, rows, 5)


def load(database: Database, *names: str) -> dict[str, SubjectRow]:
    with database.read() as connection:
        return subjects.load(connection, list(names) or None)


def test_what_a_row_does_not_say_stays(database: Database) -> None:
    keep(database, BTC)
    keep(database, SubjectRow("token:3375", "token", "Bitcoin!", "BTC"))
    assert load(database) == {"token:3375": replace(BTC, name="Bitcoin!")}
    keep(database, SubjectRow("token:3375", "token", "Bitcoin", "BTC", ("other",), (), None))
    assert load(database)["token:3375"].categories == ("other",)
    keep(database, SubjectRow("token:3375", "token", "Bitcoin", "BTC", market_rank=2))
    assert load(database)["token:3375"] == SubjectRow("token:3375", "token", "Bitcoin", "BTC", ("other",), (), 2)


def test_ranks_are_forgotten_of_those_that_have_none_any_more(database: Database) -> None:
    keep(database, BTC, SubjectRow("token:1", "token", "One", market_rank=2))
    with database.write() as connection:
        subjects.forget_ranks(connection, ["token:1"])
    assert {name: row.market_rank for name, row in load(database).items()} == {"token:3375": None, "token:1": 2}


def test_names_are_loaded_by_key_or_kind(database: Database) -> None:
    keep(database, BTC, SubjectRow("index:6", "index", "Top 25"))
    assert set(load(database, "index:6", "index:7")) == {"index:6"}
    with database.read() as connection:
        assert set(subjects.load(connection, kind="index")) == {"index:6"}
        assert subjects.load(connection, []) == {}


def test_searching_finds_the_exact_symbol_first(database: Database) -> None:
    keep(
        database,
        SubjectRow("token:1", "token", "Ether Classic", "ETC", market_rank=1),
        SubjectRow("token:2", "token", "Wrapped", "WETH", market_rank=2),
        SubjectRow("token:3", "token", "Ethereum", "ETH", market_rank=9),
        SubjectRow("index:1", "index", "ETH index", "ETH"),
    )

    def found(text: str, **page: int) -> list[str]:
        with database.read() as connection:
            return [row.subject for row in subjects.search(connection, "token", text, **{"limit": 9, "offset": 0, **page})]

    assert found("eth") == ["token:3", "token:1", "token:2"]
    assert found("eth", limit=1, offset=1) == ["token:1"]
    assert found("3") == ["token:3"]
    assert found("%") == []
    assert found("x'; --") == []


def test_symbols_are_shared_and_blind_to_case(database: Database) -> None:
    keep(database, SubjectRow("token:1", "token", "One", "TWIN"), SubjectRow("token:2", "token", "twin", "TWO"))
    with database.read() as connection:
        assert [row.subject for row in subjects.by_symbol(connection, "token", "Twin")] == ["token:1", "token:2"]
        assert subjects.by_symbol(connection, "index", "Twin") == []


def test_slugs_are_those_of_tokens(database: Database) -> None:
    keep(database, BTC, SubjectRow("token:1", "token", "One", "ONE", ("defi", "store-of-value")))
    with database.read() as connection:
        assert subjects.slugs(connection, "categories") == {"defi", "store-of-value"}
        assert subjects.slugs(connection, "exchanges") == {"kraken"}
