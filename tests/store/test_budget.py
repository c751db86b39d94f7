from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from sqlalchemy import select

from integration.domain.errors import BudgetSpent
from integration.domain.retry import DAY, MINUTE
from integration.store.budget import Budget
from integration.store.database import Database
from integration.store.queries import calls
from integration.store.tables import budget, call

#: The first millisecond of a month of 30 days, hence of a minute.
NOW = 600 * 30 * DAY


def taken(budget: Budget, now: int, tries: int) -> int:
    """How many of so many tries got a call."""
    got = 0
    for _ in range(tries):
        try:
            budget.take(now)
            got += 1
        except BudgetSpent:
            pass
    return got


def taken_elsewhere(url: str, per_month: int, per_minute: int, tries: int) -> int:
    """The same in a process of its own."""
    database = Database(url)
    try:
        return taken(Budget(database, per_month, per_minute), NOW, tries)
    finally:
        database.close()


def test_a_minute_is_spent_and_the_next_begins(database: Database) -> None:
    budget = Budget(database, per_month=100, per_minute=3)
    assert taken(budget, NOW + 10, 5) == 3
    with pytest.raises(BudgetSpent, match="3 calls a minute are spent") as caught:
        budget.take(NOW + MINUTE - 1)
    assert caught.value.retry_at == NOW + MINUTE
    budget.take(NOW + MINUTE)


def test_a_month_is_spent_and_the_next_begins(database: Database) -> None:
    budget = Budget(database, per_month=2, per_minute=100)
    assert taken(budget, NOW, 3) == 2
    with pytest.raises(BudgetSpent, match="a month") as caught:
        budget.take(NOW + 30 * DAY - 1)
    assert caught.value.retry_at == NOW + 30 * DAY
    budget.take(NOW + 30 * DAY)


def test_a_call_that_one_window_refuses_is_taken_from_neither(database: Database) -> None:
    budget = Budget(database, per_month=10, per_minute=1)
    assert taken(budget, NOW, 4) == 1
    assert budget.used(NOW).month == 1


def test_what_is_used(database: Database) -> None:
    budget = Budget(database, per_month=10, per_minute=5)
    assert (budget.used(NOW).month, budget.used(NOW).minute) == (0, 0)
    taken(budget, NOW, 2)
    taken(budget, NOW + MINUTE, 1)
    usage = budget.used(NOW + MINUTE + 1)
    assert (usage.month, usage.per_month, usage.month_ends) == (3, 10, NOW + 30 * DAY)
    assert (usage.minute, usage.per_minute, usage.minute_ends) == (1, 5, NOW + 2 * MINUTE)


def test_a_plan_that_grows_or_shrinks_holds_at_once(database: Database) -> None:
    assert taken(Budget(database, 4, 100), NOW, 9) == 4
    assert taken(Budget(database, 6, 100), NOW, 9) == 2
    assert taken(Budget(database, 5, 100), NOW, 9) == 0
    assert taken(Budget(database, 0, 100), NOW + 30 * DAY, 9) == 0


def test_a_sped_up_month_is_shorter(database: Database) -> None:
    budget = Budget(database, per_month=1, per_minute=100, month_ms=3_000)
    assert taken(budget, NOW, 2) == 1
    assert taken(budget, NOW + 3_000, 2) == 1


def test_old_minutes_are_not_kept_and_months_are(database: Database) -> None:
    limits = Budget(database, per_month=100, per_minute=5)
    for minute in range(4):
        taken(limits, NOW + minute * MINUTE, 2)
    taken(limits, NOW + 30 * DAY, 2)
    with database.read() as connection:
        rows = connection.execute(select(budget.c.kind, budget.c.window_start).order_by(*budget.primary_key)).all()
    assert rows == [("minute", NOW + 30 * DAY), ("month", NOW), ("month", NOW + 30 * DAY)]


@pytest.mark.parametrize(("per_month", "per_minute"), [(37, 1_000), (1_000, 37)])
def test_eight_threads_together_never_overspend(database: Database, per_month: int, per_minute: int) -> None:
    budget = Budget(database, per_month, per_minute)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: taken(budget, NOW, 10), range(8)))
    assert sum(got) == 37
    assert (budget.used(NOW).month, budget.used(NOW).minute) == (37, 37)


def test_two_processes_together_never_overspend(database: Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(taken_elsewhere, url, 1_000, 45, 40) for _ in range(2)]
        got = [process.result(60) for process in running]
    assert sum(got) == 45


def test_a_call_is_recorded(database: Database) -> None:
    with database.write() as connection:
        calls.record(connection, at=NOW, endpoint="tokens", status=200, duration_ms=31, rows=100, poll_id=4)
        calls.record(connection, at=NOW, endpoint="tokens", status=0, duration_ms=30_000, rows=0, error="tokens: no connection")
    with database.read() as connection:
        rows = connection.execute(select(call).order_by(call.c.id)).all()
    assert [tuple(row)[1:] for row in rows] == [
        (NOW, "tokens", 200, 31, 100, None, 4),
        (NOW, "tokens", 0, 30_000, 0, "tokens: no connection", None),
    ]
