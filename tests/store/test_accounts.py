from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from integration.store.database import Database
from integration.store.queries import accounts


def key(database: Database, identity: str, sha256: bytes, email: str = "a@example.com") -> str:
    with database.write() as connection:
        account_id = accounts.ensure(connection, f"acc_{identity}", email, 1)
        names = {"prefix": f"gw_live_{identity}…", "label": "", "created_at": 1}
        accounts.add_key(connection, id=identity, account_id=account_id, sha256=sha256, **names)
    return account_id


def test_an_address_has_one_account_whoever_makes_it(database: Database) -> None:
    def make(number: int) -> str:
        with database.write() as connection:
            return accounts.ensure(connection, f"acc_{number}", "new@example.com", 1)

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(make, range(12)))) == 1


def test_a_key_is_found_by_its_hash_until_it_is_revoked(database: Database) -> None:
    account_id = key(database, "k1", b"1" * 32)
    key(database, "k2", b"2" * 32)
    with database.read() as connection:
        owner = accounts.owner(connection, b"1" * 32)
        assert owner is not None
        assert (owner.key_id, owner.account_id, owner.email) == ("k1", account_id, "a@example.com")
        assert accounts.owner(connection, b"3" * 32) is None
    with database.write() as connection:
        assert accounts.revoke(connection, "gw_live_k1", 5) == ["k1"]
        assert accounts.revoke(connection, "k1", 5) == []
    with database.read() as connection:
        assert accounts.owner(connection, b"1" * 32) is None
        assert [(row.id, row.revoked_at) for row in accounts.keys(connection, "a@example.com")] == [("k1", 5), ("k2", None)]
        assert accounts.keys(connection, "b@example.com") == []


def test_a_held_account_keeps_others_waiting_until_the_end(database: Database) -> None:
    account_id = key(database, "k1", b"1" * 32)
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with database.write() as connection:
            accounts.lock(connection, account_id)
            order.append("second")

    thread = threading.Thread(target=second)
    with database.write() as connection:
        accounts.lock(connection, account_id)
        thread.start()
        waiting.wait(5)
        thread.join(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
