"""What the operator is told before it hurts, once, and taken back when it no longer holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.domain.catalogue import SubjectRow
from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY, HOUR
from integration.service import health, noticing, overview, scheduling, subscribe
from integration.service.agenda import agenda
from integration.store.database import Database
from integration.store.queries import budget
from integration.store.tables import notice
from tests.service.living import live
from tests.service.script import START, Script, script

GRADES, SHARPE = "trader_grades", "quantmetrics"
#: Budget months of 30 days begin at multiples of that: the day of the calendar on which one does, and how long it lasts.
MONTH = 30 * DAY


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path, calls_per_month=100) as made:
        named = [SubjectRow(f"token:{n}", "token", f"Token {n}", f"T{n}") for n in range(1, 201)]
        made.upstream.names = {"tokens": named, "top_market_cap": named}
        made.say("indices", 0, {7: 100.0})
        made.wall.ms += -made.wall.ms % MONTH  # type: ignore[attr-defined]
        yield made


def told(here: Script, *kinds: str) -> dict[str, str]:
    return {row.key: row.text for row in here.rows(notice, notice.c.kind.in_(kinds))}


def take(here: Script, calls: int) -> None:
    """So many calls are taken for other things."""
    now = here.wall()
    with here.gradewire.database.write() as connection:
        for _ in range(calls):
            budget.take(connection, "month", now - now % MONTH, 100)


def test_it_says_when_the_plan_would_end_and_what_moves(here: Script) -> None:
    here.gradewire.settings = here.gradewire.settings.replace(calls_per_month=470)
    here.gradewire.__dict__.pop("budget", None)
    here.feed("grade_changed")
    here.feed("sharpe_threshold")
    scheduling.run(here.gradewire)  # now it knows how many tokens there are
    scheduling.run(here.gradewire)
    ((key, text),) = told(here, noticing.PLAN).items()
    begun = here.wall()
    reset, plan = noticing.day(begun + MONTH), agenda(here.gradewire)
    assert key == f"plan:{begun + MONTH}"
    assert text.startswith("At this rate the plan's calls would end on ")
    assert f"before their reset on {reset}." in text
    assert "Polled less often: " in text
    assert "Quant metrics every 36 h" in text
    assert "Trader grades" not in text  # what people act on moves last
    assert plan.shared.calls <= plan.allowed < plan.shared.wished
    assert told(here, noticing.DROPPED) == {}


def test_it_says_what_is_not_polled_until_the_reset_and_takes_it_back_then(here: Script) -> None:
    here.feed("grade_changed")
    take(here, 88)
    scheduling.run(here.gradewire)
    reset = noticing.day(here.wall() + MONTH)
    assert f"Trader grades: not polled until the plan's calls are reset on {reset}." in told(here, noticing.DROPPED).values()
    here.wall.ms += MONTH  # type: ignore[attr-defined]
    scheduling.run(here.gradewire)
    assert not any(key.startswith("dropped:") and GRADES in key for key in told(here, noticing.DROPPED))


def test_it_is_taken_back_when_less_is_wanted(here: Script) -> None:
    wish = here.subscribed("grade_changed")
    take(here, 70)
    here.gradewire.settings = here.gradewire.settings.replace(calls_per_month=1_000)
    scheduling.run(here.gradewire)
    assert told(here, noticing.PLAN, noticing.DROPPED)
    subscribe.delete_subscription(here.gradewire, here.account, wish)
    here.gradewire.__dict__.pop("budget", None)
    scheduling.run(here.gradewire)
    assert told(here, noticing.PLAN, noticing.DROPPED) == {}


def test_the_same_is_told_once(here: Script) -> None:
    here.feed("grade_changed")
    take(here, 80)
    scheduling.run(here.gradewire)
    first = here.rows(notice)
    assert first
    here.wall.ms += 1_000  # type: ignore[attr-defined]
    scheduling.run(here.gradewire)
    assert here.rows(notice) == first


def test_a_source_that_stands_still_is_told_of_once_and_so_is_its_return(sqlite_database: Database, tmp_path: Path) -> None:
    with script(sqlite_database, tmp_path) as here:
        here.feed("sharpe_threshold")
        for day in range(6):
            here.go_to(day)
            here.say(SHARPE, day, {1: 0.9})
            live(here, 0.9)
        assert told(here, noticing.STALE) == {}
        here.go_to(6)
        live(here, 2.5)
        assert told(here, noticing.STALE) == {}
        live(here, 3)
        ((key, text),) = ((key, text) for key, text in told(here, noticing.STALE).items() if SHARPE in key)
        assert key == f"data.stale:{SHARPE}:{START + 5 * DAY}"
        assert text == "Quant metrics: nothing newer than 6 January 2024 has come, though it should have by 10 January 2024."
        at = [row.at for row in here.rows(notice, notice.c.key == key)]
        live(here, 2)
        assert [row.at for row in here.rows(notice, notice.c.key == key)] == at
        assert told(here, noticing.RECOVERED) == {}
        here.say(SHARPE, 13, {1: 0.9})
        here.go_to(13.6)
        live(here, 1.2)
        assert {key: text for key, text in told(here, noticing.RECOVERED).items() if SHARPE in key} == {
            f"data.recovered:{SHARPE}:{START + 5 * DAY}": "Quant metrics: there is something new again, up to 14 January 2024."
        }


def test_a_process_that_was_down_is_no_source_that_stands_still(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.say(SHARPE, 0, {1: 0.9})
    scheduling.run(here.gradewire)
    here.wall.ms += 9 * DAY  # type: ignore[attr-defined]
    here.say(SHARPE, (here.wall() - START) / DAY, {1: 0.9})
    scheduling.run(here.gradewire)
    live(here, 0.2)
    assert told(here, noticing.STALE) == {}


def test_polling_that_cannot_keep_up_is_told_of_and_taken_back(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with script(sqlite_database, tmp_path) as here:
        for trigger in ("sharpe_threshold", "grade_changed"):
            here.feed(trigger)
        at_once = scheduling.PASS
        for step in range(12):
            for source in (SHARPE, GRADES, "indices"):
                here.say(source, 2 * step, {1: 50.0})
            here.go_to(2 * step)
            scheduling.run(here.gradewire)
            monkeypatch.setattr(scheduling, "PASS", -1.0)  # from now on one poll every two days
        ((key, text),) = told(here, noticing.LAG).items()
        assert key == "lag"
        assert "Evaluation lags behind the market's clock: " in text
        assert re.search(r" by [5-9] days", text)
        assert "A slower market (--day), fewer triggers or tokens, or a plan with more calls a minute lets it keep up." in text
        (found,) = [each for each in health._data(here.gradewire) if each.what == "Lag"]
        assert found.level == "bad"
        behind = noticing.lags(agenda(here.gradewire))
        assert len(behind) >= 3
        assert all(f"{label} by " in found.text for label in behind)
        monkeypatch.setattr(scheduling, "PASS", at_once)
        for _ in range(2):
            scheduling.run(here.gradewire)
        assert told(here, noticing.LAG) == {}
        assert not [each for each in health._data(here.gradewire) if each.what == "Lag"]


def test_a_process_that_was_down_and_makes_up_for_it_does_not_lag(here: Script) -> None:
    here.feed("sharpe_threshold")
    scheduling.run(here.gradewire)
    here.wall.ms += 9 * DAY  # type: ignore[attr-defined]
    for _ in range(2):
        scheduling.run(here.gradewire)
        here.wall.ms += 30_000  # type: ignore[attr-defined]
    assert told(here, noticing.LAG) == {}


def test_an_upstream_that_does_not_answer_is_no_polling_that_lags(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.say(SHARPE, 0, {1: 0.9})
    scheduling.run(here.gradewire)

    def down() -> None:
        raise UpstreamError("no connection")

    here.upstream.meanwhile = down
    live(here, 6)
    assert told(here, noticing.LAG) == {}


def test_the_page_shows_the_newest(here: Script) -> None:
    here.feed("grade_changed")
    take(here, 88)
    scheduling.run(here.gradewire)
    shown = [row.text for row in overview.upstream(here.gradewire)["notices"]]
    assert any("not polled until" in text for text in shown)


@pytest.mark.parametrize(
    ("length", "text"), [(36 * HOUR, "36 h"), (DAY, "24 h"), (15 * 60_000, "15 min"), (90 * 60_000, "1.5 h")]
)
def test_lengths_are_said_as_people_say_them(length: int, text: str) -> None:
    assert noticing.span(length) == text
