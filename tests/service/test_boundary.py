"""From an empty database on, whatever is wanted when: what is told live is what a replay of the log tells, to the letter."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from integration.domain.errors import UpstreamError
from integration.domain.retry import HOUR
from integration.service import backtest, wishing
from integration.service.backtest import Question
from integration.store.database import Database
from integration.store.tables import event, reading, subject
from tests.market import Town, quiet, town
from tests.service.living import at_work
from tests.service.replayed import told_again, told_live

#: Windowed risk, grades and prices; clocks that others stand beside; the whole market at once.
RULES = (
    ("sharpe_threshold", {"window": "30d", "level": 0.0}),
    ("risk_threshold", {"window": "90d"}),
    ("btc_relative", {}),
    ("grade_changed", {"points": 3}),
    ("dual_grade", {}),
    ("bearish_warning", {"at_least": 1}),
    ("price_moved", {"percent": 1}),
    ("volume_changed", {}),
    ("token_ranking", {"top": 5}),
    ("cluster_formed", {}),
)


@pytest.mark.parametrize("fetch_first", [False, True], ids=["polled first", "fetched first"])
def test_from_the_first_second_on_a_replay_tells_what_was_told(
    fetch_first: bool, sqlite_database: Database, tmp_path: Path
) -> None:
    with town(sqlite_database, tmp_path, sandbox=quiet(start=date(2024, 1, 1))) as here:
        for trigger, options in RULES:
            here.subscribed(trigger, **options)
        at_work(here, 3, most=12 * HOUR, fetch_first=fetch_first)
        live = told_live(here)
        assert {row.trigger for row in here.rows(event)} >= {"sharpe_threshold", "grade_changed", "price_moved", "token_ranking"}
        assert told_again(here) == live


def test_what_is_wanted_later_fetched_later_or_restated_tells_the_same_again(database: Database, tmp_path: Path) -> None:
    with town(database, tmp_path, sandbox=quiet(start=date(2024, 1, 1), tokens=120)) as here:
        here.poll("tokens")
        ids = sorted(row.subject.partition(":")[2] for row in here.rows(subject, subject.c.kind == "token"))
        some, more, all_ = ({"tokens": ",".join(part)} for part in (ids[:30], ids[20:50], ids[:50]))
        here.subscribed("sharpe_threshold", some, window="30d", level=0.0)
        here.subscribed("grade_changed", some, points=5)
        here.subscribed("dual_grade", some)
        at_work(here, 1.2, most=12 * HOUR)
        here.fault("server_error", "daily-ohlcv", value=500)  # so the polls that follow come before their past
        here.subscribed("sharpe_threshold", more, window="30d", level=0.0)
        here.subscribed("sharpe_threshold", some, window="90d", level=0.5)
        with pytest.raises(UpstreamError):
            wishing.run(here.gradewire)
        here.mend()
        here.subscribed("btc_relative", more, level=1)
        here.fault("restated", "trader-grades")
        at_work(here, 1.2, most=12 * HOUR)
        here.mend()
        _fetched_for_a_backtest(here, "grade_changed", all_, points=5)
        here.subscribed("grade_changed", more, points=4)
        at_work(here, 1.2, most=12 * HOUR)
        live = told_live(here)
        assert {row.trigger for row in here.rows(event)} >= {"sharpe_threshold", "grade_changed", "dual_grade", "btc_relative"}
        assert here.rows(reading, reading.c.version > 0)
        assert told_again(here) == live


def _fetched_for_a_backtest(here: Town, trigger: str, scope: dict[str, str], **options: int) -> None:
    question = Question(trigger, options, scope)
    assert backtest.backtest_for(here.gradewire, here.account, question, fetch=True)["missing"]["wish"]
    assert wishing.run(here.gradewire)
