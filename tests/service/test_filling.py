"""The past that derived sources need: fetched once, within the plan, told to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY
from integration.service import filling
from integration.service.needing import PATIENCE, PAUSE, shortfalls
from integration.store.database import Database
from integration.store.queries import readings
from integration.store.tables import reading
from integration.tokenmetrics import Fetched
from integration.tokenmetrics.asks import calls
from tests.market import Town, quiet, town

START = date(2024, 1, 1)
NAMED = {"tokens": "BTC,ETH,SOL"}


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Town]:
    with town(database, tmp_path, sandbox=quiet(start=START)) as made:
        made.poll("tokens")
        yield made


def counts(here: Town, source: str) -> dict[str, int]:
    with here.gradewire.database.read() as connection:
        query = select(reading.c.origin, func.count()).where(reading.c.source == source).group_by(reading.c.origin)
        return {row[0]: row[1] for row in connection.execute(query)}


def sharpe(here: Town, subject: str, source: str = "risk_90d") -> list[float]:
    column = here.catalogue.sources[source].column("sharpe")
    rows = here.rows(reading, reading.c.source == source, reading.c.subject == subject)
    return [float(np.frombuffer(row[7], dtype=np.float64)[column]) for row in sorted(rows, key=lambda r: r.as_of)]


def test_the_past_is_fetched_once_before_the_first_poll_and_said_at_once(here: Town) -> None:
    here.subscribed("sharpe_threshold", window="90d")
    assert here.poll("daily_ohlcv") == []
    expected = calls(here.catalogue.sources["daily_ohlcv"], None, date(2023, 10, 2), date(2023, 12, 30), 40)
    assert filling.fill_due(here.gradewire) == expected == 12 * 3 + 2
    assert filling.fill_due(here.gradewire) == 0
    assert counts(here, "daily_ohlcv") == {"backfill": 90 * 40}
    assert set(counts(here, "risk_90d")) == {"backfill"}
    here.poll("daily_ohlcv")
    assert filling.fill_due(here.gradewire) == 0
    assert counts(here, "daily_ohlcv") == {"backfill": 90 * 40, "live": 40}
    assert counts(here, "risk_90d")["live"] == 40
    assert here.events() == []
    here.pass_days()
    here.poll("daily_ohlcv")
    assert len(sharpe(here, "token:3375")) >= 2


def test_named_tokens_cost_few_calls_and_a_longer_window_fetches_only_what_is_missing(here: Town) -> None:
    source = here.catalogue.sources["daily_ohlcv"]
    here.subscribed("sharpe_threshold", NAMED, window="30d")
    first = filling.fill(here.gradewire, source, ["token:3306", "token:3375"], _ago(here, 30), _ago(here, 2))
    assert first == 1
    assert filling.fill(here.gradewire, source, ["token:3306", "token:3375"], _ago(here, 30), _ago(here, 2)) == 0
    assert filling.fill(here.gradewire, source, ["token:3306", "token:3375"], _ago(here, 90), _ago(here, 2)) == 3


def _ago(here: Town, days: int) -> int:
    return here.gradewire.clock.at(here.gradewire.now()) - days * DAY


def test_what_was_missed_in_the_live_period_is_marked_and_neither_fed_nor_told(here: Town) -> None:
    here.subscribed("sharpe_threshold", window="30d")
    here.poll("daily_ohlcv", again=True)
    here.pass_days(5)
    here.poll("daily_ohlcv", again=True)
    newest = max(row.as_of for row in here.rows(reading, reading.c.source == "daily_ohlcv"))
    hole = [newest - 2 * DAY, newest - 3 * DAY]
    with here.gradewire.database.write() as connection:
        connection.execute(reading.delete().where(reading.c.subject == "token:3375", reading.c.as_of.in_(hole)))
    source = here.catalogue.sources["daily_ohlcv"]
    filling.fill(here.gradewire, source, ["token:3375"], newest - 40 * DAY, newest)
    marked = here.rows(reading, reading.c.origin == "reconstructed", reading.c.source == "daily_ohlcv")
    assert sorted((row.subject, row.as_of) for row in marked) == [("token:3375", as_of) for as_of in sorted(hole)]
    assert all(row.known_at > newest for row in marked)
    with here.gradewire.database.read() as connection:
        seen = [row[1] for row in readings.log(connection, "daily_ohlcv", since=0, subjects=["token:3375"])]
    assert not set(hole) & set(seen)


def test_a_fetch_that_breaks_off_keeps_what_is_whole_and_goes_on_later(here: Town) -> None:
    here.subscribed("sharpe_threshold", window="90d")
    served = here.gradewire.client.fetch

    def break_off(*args: Any, **asked: Any) -> Fetched:
        if here.calls.get("daily-ohlcv", 0) >= 12:
            here.fault("server_error", "daily-ohlcv", value=500)
        return served(*args, **asked)

    here.gradewire.client.fetch = break_off  # type: ignore[method-assign]
    with pytest.raises(UpstreamError):
        filling.fill_due(here.gradewire)
    assert counts(here, "daily_ohlcv") == {"backfill": 29 * 40}
    here.mend()
    here.gradewire.client.fetch = served  # type: ignore[method-assign]
    here.pass_days(PAUSE / DAY)
    assert filling.fill_due(here.gradewire) == 12 * 2 + 2
    here.poll("daily_ohlcv")
    assert counts(here, "risk_90d")["live"] == 40


def test_a_past_that_would_take_too_much_of_the_plan_is_left_and_named(database: Database, tmp_path: Path) -> None:
    with town(database, tmp_path, sandbox=quiet(start=START), plan="free", calls_per_month=200) as here:
        here.poll("tokens")
        here.subscribed("sharpe_threshold", window="365d")
        assert here.poll_one("daily_ohlcv").status == "done"  # it does not wait for what is not fetched
        taken = here.gradewire.budget.used(here.wall()).month
        assert filling.fill_due(here.gradewire) == 0
        assert here.gradewire.budget.used(here.wall()).month == taken
        ((source, wanted),) = shortfalls(here.gradewire)
        assert (source.key, wanted) == ("daily_ohlcv", 12 * 12 + 7)


def test_what_is_newly_derived_from_a_stored_past_needs_no_call(here: Town) -> None:
    here.subscribed("sharpe_threshold", window="90d")
    filling.fill_due(here.gradewire)
    here.poll("daily_ohlcv")
    here.subscribed("sharpe_threshold", window="30d")
    assert filling.fill_due(here.gradewire) == 0
    assert len(sharpe(here, "token:3375", "risk_30d")) > 50


# -- what waits for it -------------------------------------------------------------------------------------------------


def test_a_first_poll_waits_no_longer_where_its_past_fails(here: Town) -> None:
    here.subscribed("sharpe_threshold", NAMED, window="90d")
    here.fault("server_error", "daily-ohlcv", value=500)
    assert here.poll("daily_ohlcv") == []
    with pytest.raises(UpstreamError):
        filling.fill_due(here.gradewire)
    assert filling.fill_due(here.gradewire) == 0  # not again so soon
    here.mend()
    assert here.poll_one("daily_ohlcv").status == "done"


def test_a_first_poll_waits_no_longer_where_nobody_fetches(here: Town) -> None:
    here.subscribed("sharpe_threshold", NAMED, window="90d")
    assert here.poll("daily_ohlcv") == []
    here.pass_days(0.9 * PATIENCE / DAY)
    assert here.poll("daily_ohlcv") == []
    here.pass_days(0.2 * PATIENCE / DAY)
    assert here.poll_one("daily_ohlcv").status == "done"


def test_who_is_read_already_does_not_wait_for_the_past_of_one_that_is_wanted_later(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with town(sqlite_database, tmp_path, sandbox=quiet(start=START, tokens=120)) as here:
        here.poll("tokens")
        here.subscribed("sharpe_threshold", {"tokens": "ETH"}, window="90d")
        filling.fill_due(here.gradewire)
        here.poll("daily_ohlcv")
        here.subscribed("sharpe_threshold", {"tokens": "3988"}, window="90d")
        here.pass_days()
        assert here.poll_one("daily_ohlcv").rows == 2  # with Bitcoin
        assert here.poll("daily_ohlcv") == []
        assert filling.fill_due(here.gradewire) == 4
        here.pass_days(1 / 1440)
        assert here.poll_one("daily_ohlcv").rows == 3


def test_days_that_do_not_join_on_to_what_is_there_are_no_reason_to_leave_out_those_between(here: Town) -> None:
    source = here.catalogue.sources["daily_ohlcv"]
    assert filling.fill(here.gradewire, source, ["token:3306"], _ago(here, 300), _ago(here, 280)) == 1
    here.subscribed("sharpe_threshold", {"tokens": "ETH"}, window="90d")
    assert filling.fill_due(here.gradewire) == 4
    assert len([row for row in here.rows(reading, reading.c.source == "daily_ohlcv") if row.subject == "token:3306"]) == 21 + 90
