"""What a backtest lacks, what fetching it costs, and wishes that are worked off within the plan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from integration.domain.errors import InvalidInput, TooMany
from integration.domain.retry import DAY
from integration.service import wishing
from integration.service.backtest import Question, backtest, backtest_for
from integration.service.lacking import Lack
from integration.service.wishing import fetch, work_off
from integration.store.database import Database
from integration.store.tables import past_wish, reading
from tests.market import Town, quiet, town

NAMED = {"tokens": "BTC,ETH,SOL"}
BASE = "daily_ohlcv"


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Town]:
    with town(database, tmp_path, sandbox=quiet(start=date(2024, 1, 1))) as made:
        made.poll("tokens")
        yield made


@pytest.fixture
def small(sqlite_database: Database, tmp_path: Path) -> Iterator[Town]:
    """On SQLite alone, with a plan that is soon spent."""
    sandbox = quiet(start=date(2024, 1, 1))
    with town(sqlite_database, tmp_path, sandbox=sandbox, calls_per_month=60) as made:
        made.poll("tokens")
        yield made


def question(trigger: str = "grade_changed", days: int = 100, scope: Any = NAMED, **options: Any) -> Question:
    return Question(trigger, options, scope, date.fromordinal(date(2024, 1, 1).toordinal() - days), date(2023, 12, 31))


def lacking(here: Town, asked: Question) -> list[Lack]:
    return backtest(here.gradewire, asked)[1]


def asked_for(here: Town, asked: Question, *, fetch: bool = True) -> Any:
    return backtest_for(here.gradewire, here.account, asked, fetch=fetch)["missing"]


def calls_of(here: Town, endpoint: str) -> int:
    return here.calls.get(endpoint, 0)


# -- what is lacking ---------------------------------------------------------------------------------------------------


def test_what_is_lacking_is_said_with_the_very_calls_it_takes(here: Town) -> None:
    told, (lack,) = backtest(here.gradewire, question(points=1))
    assert (lack.source.key, len(lack.subjects or ()), lack.days, lack.calls) == ("trader_grades", 3, 300, 4)
    assert told["missing"]["calls"] == 4
    assert (told["missing"]["wish"], told["missing"]["parts"][0]["from"]) == (None, "2023-09-23")
    before = calls_of(here, "trader-grades")
    assert fetch(here.gradewire, lack) == calls_of(here, "trader-grades") - before == 4
    told, found = backtest(here.gradewire, question(points=1))
    assert (found, told["missing"]) == ([], None)
    assert told["count"] > 3
    assert told["gaps"]["count"] == 0


def test_what_was_fetched_in_vain_is_said_and_not_fetched_again(here: Town) -> None:
    for lack in lacking(here, question()):
        fetch(here.gradewire, lack)
    with here.gradewire.database.write() as connection:
        connection.execute(reading.delete().where(reading.c.subject == "token:3375", reading.c.as_of < 1_697_000_000_000))
    part = {"days": 19, "calls": 0, "why_not": "Trader grades: they were asked for, and Token Metrics has none.", "wish": None}
    (said,) = asked_for(here, question())["parts"]
    assert said == said | part
    assert [lack.days for lack in lacking(here, question(days=150)) if not lack.why_not] == [150]


def test_of_a_derived_source_the_days_are_lacking_that_it_looks_back_to(here: Town) -> None:
    asked = question("sharpe_threshold", days=60, window="30d")
    (lack,) = lacking(here, asked)
    assert (lack.source.key, lack.days, lack.calls) == (BASE, 3 * (60 + 30), 4)
    assert lack.until - lack.since == 89 * DAY
    before = calls_of(here, "daily-ohlcv")
    fetch(here.gradewire, lack)
    assert calls_of(here, "daily-ohlcv") - before == lack.calls
    told, found = backtest(here.gradewire, asked)
    assert found == []
    assert told["count"] > 0
    assert all(firing["return_1d"] is not None for firing in told["firings"] if firing["as_of"] < "2023-12-31")


def test_bitcoin_is_lacking_too_where_it_is_compared_with(here: Town) -> None:
    (lack,) = lacking(here, question("sharpe_threshold", scope={"tokens": "ETH"}, window="30d"))
    assert lack.subjects == ("token:3306", "token:3375")


def test_what_a_derived_source_has_said_needs_nothing(here: Town) -> None:
    here.subscribed("sharpe_threshold", NAMED, window="30d")
    asked = question("sharpe_threshold", days=40, window="30d")
    for lack in lacking(here, asked):
        fetch(here.gradewire, lack)
    with here.gradewire.database.write() as connection:
        connection.execute(reading.delete().where(reading.c.source == BASE))
    assert len(here.rows(reading, reading.c.source == "risk_30d")) > 100
    assert lacking(here, asked) == []


def test_only_those_who_lack_something_are_fetched_and_alike_ones_together(here: Town) -> None:
    for lack in lacking(here, question(scope={"tokens": "BTC"})):
        fetch(here.gradewire, lack)
    (lack,) = lacking(here, question())
    assert ("token:3375" in (lack.subjects or ()), lack.days) == (False, 200)
    for lack in lacking(here, question(days=50)):
        fetch(here.gradewire, lack)
    assert [(len(lack.subjects or ()), lack.days, lack.calls) for lack in lacking(here, question())] == [(2, 100, 2)]


def test_a_source_without_history_or_beyond_the_plan_says_why_it_cannot_be_fetched(small: Town) -> None:
    told, (lack,) = backtest(small.gradewire, question("sharpe_threshold", window="published"))
    assert (lack.calls, lack.days) == (0, 300)
    assert "no history" in told["missing"]["parts"][0]["why_not"]
    assert asked_for(small, question("sharpe_threshold", window="published"))["wish"] is None
    assert small.rows(past_wish) == []


# -- wishes ------------------------------------------------------------------------------------------------------------


def test_a_wish_is_stored_once_and_worked_off(here: Town) -> None:
    asked = question(points=1)
    missing = asked_for(here, asked)
    assert (missing["calls"], missing["status"]) == (4, "waiting")
    assert asked_for(here, asked)["wish"] == missing["wish"]
    assert asked_for(here, asked, fetch=False)["wish"] is None
    (row,) = here.rows(past_wish)
    assert (row.id, row.source, row.calls) == (missing["wish"], "trader_grades", 4)
    before = calls_of(here, "trader-grades")
    assert work_off(here.gradewire) == calls_of(here, "trader-grades") - before == 4
    (row,) = here.rows(past_wish)
    assert (row.status, row.made, row.error, row.ended_at is None) == ("done", 4, None, False)
    assert work_off(here.gradewire) == 0
    assert asked_for(here, asked) is None


def test_a_worker_that_died_gives_its_wish_back(here: Town) -> None:
    asked_for(here, question())
    with here.gradewire.database.write() as connection:
        taken = wishing.past_wishes.claim(connection, here.wall(), here.wall() + wishing.CLAIM)
    assert taken is not None
    assert asked_for(here, question())["status"] == "fetching"
    assert work_off(here.gradewire) == 0
    here.wall.ms += wishing.CLAIM  # type: ignore[attr-defined]
    assert work_off(here.gradewire) == 4


def test_a_wish_that_upstream_refuses_has_failed_and_says_why(here: Town) -> None:
    missing = asked_for(here, question())
    here.fault("server_error", "trader-grades", value=500)
    assert work_off(here.gradewire) == 0
    again = asked_for(here, question())
    assert (again["wish"], again["status"]) == (missing["wish"], "failed")
    assert "500" in again["parts"][0]["error"]
    here.mend()
    here.wall.ms += 2 * wishing.ENDED_FOR  # type: ignore[attr-defined]
    assert asked_for(here, question())["wish"] != missing["wish"]
    assert work_off(here.gradewire) == 4


def test_what_the_plan_has_no_calls_for_is_refused_with_the_remedy(small: Town) -> None:
    with pytest.raises(InvalidInput, match="shorter period") as raised:
        asked_for(small, question(days=300, scope={}))
    assert raised.value.field == "fetch"
    assert small.rows(past_wish) == []


def test_a_wish_waits_until_the_plan_has_calls_for_it(small: Town) -> None:
    asked_for(small, question())
    budget = small.gradewire.budget
    for _ in range(budget.used(small.wall()).per_month - budget.used(small.wall()).month - 2):
        budget.take(small.wall())
    assert work_off(small.gradewire) == 0
    (row,) = small.rows(past_wish)
    assert (row.status, row.ended_at) == ("waiting", budget.used(small.wall()).month_ends)
    assert "too few calls" in row.error
    assert calls_of(small, "trader-grades") == 0
    small.wall.ms = row.ended_at  # type: ignore[attr-defined]
    assert work_off(small.gradewire) == 4


def test_an_account_may_have_so_many_wishes_waiting(small: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wishing, "MOST_WISHES", 1)
    asked_for(small, question())
    with pytest.raises(TooMany):
        asked_for(small, question(days=20))
    assert asked_for(small, question())["status"] == "waiting"


def test_a_failure_of_ours_ends_the_wish_and_is_not_hidden(small: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for(small, question())

    def broken(*_: Any) -> int:
        raise RuntimeError("oh")

    monkeypatch.setattr(wishing, "fill", broken)
    with pytest.raises(RuntimeError):
        work_off(small.gradewire)
    assert [(row.status, row.error) for row in small.rows(past_wish)] == [("failed", "Gradewire failed (RuntimeError).")]
