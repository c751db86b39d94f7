"""Polls as they come due over days and a month: often where a change is expected, within the plan, most important first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integration.domain.catalogue import SubjectRow
from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY, HOUR, MINUTE
from integration.service import noticing, scheduling
from integration.service.observe import observe
from integration.service.selecting import NAMED, Selection
from integration.store.database import Database
from integration.store.tables import notice, poll
from tests.market import town
from tests.service.living import live
from tests.service.script import START, Script, script

SHARPE, GRADES = "quantmetrics", "trader_grades"


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        named = [SubjectRow("token:1", "token", "One", "ONE"), SubjectRow("token:2", "token", "Two", "TWO")]
        made.upstream.names = {"tokens": named, "top_market_cap": named}
        made.say("indices", 0, {7: 100.0})
        yield made


def looks(here: Script, source: str, status: str = "done") -> list[float]:
    """When a source was polled, in days."""
    return [(row.slot - START) / DAY for row in here.rows(poll, poll.c.source == source, poll.c.status == status)]


# -- when -------------------------------------------------------------------------------------------------------------


def test_a_source_whose_days_appear_at_half_past_one_is_looked_at_at_two(here: Script) -> None:
    here.feed("grade_changed")
    scheduling.run(here.gradewire)
    for day in range(12):
        here.go_to(day + 1.5 / 24)
        here.say(GRADES, day, {1: 50.0 + day})
        live(here, 1)
    found = looks(here, GRADES)
    first = [at for at in found if at > 5 and (at % 1) * 24 < 20]
    assert {round((at % 1) * 24) for at in first} == {2}
    assert sum(6 < at <= 12 for at in found) <= 8
    assert here.rows(poll, poll.c.source == GRADES, poll.c.fresh > 0)


def test_what_each_poll_found_is_kept_for_learning(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.day(0, {1: 0.9, 2: 0.9})
    here.day(1, {1: 0.9, 2: None})
    rows = here.rows(poll, poll.c.source == SHARPE)
    assert [(row.fresh, row.calls, row.newest) for row in rows] == [(2, 1, START), (2, 1, START + DAY)]


def test_the_newest_is_what_half_of_the_subjects_have_reached(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.say(SHARPE, 0, {1: 0.9, 2: 0.9, 3: 0.9})
    here.upstream.says[SHARPE].update({(1, 1): 0.9})
    here.go_to(1)
    assert observe(here.gradewire, here.catalogue.sources[SHARPE]).status == "done"
    assert [row.newest for row in here.rows(poll, poll.c.source == SHARPE)] == [START]


def test_undated_sources_are_polled_at_the_start_of_a_slot_and_rows_are_of_it(here: Script) -> None:
    here.go_to(0.3)
    here.say("indices", 0, {7: 100.0})
    scheduling.run(here.gradewire)
    live(here, 4)
    assert looks(here, "indices") == [0, 1, 2, 3, 4]
    rows = [row for row in here.contents()[0] if row.source == "indices"]
    assert [(row.as_of - START) / DAY for row in rows] == [0, 1, 2, 3, 4]


def test_a_second_look_in_a_slot_dates_undated_rows_as_the_first(here: Script) -> None:
    here.say("indices", 0, {7: 100.0})
    for day in (2.1, 2.6):
        here.go_to(day)
        observe(here.gradewire, here.catalogue.sources["indices"], again=True)
    rows = [row for row in here.contents()[0] if row.source == "indices"]
    assert [(row.as_of - START) / DAY for row in rows] == [2]


def test_what_fails_is_tried_again_at_growing_waits_and_then_goes_on(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.day(0, {1: 0.9})
    tries: list[float] = []

    def down() -> None:
        tries.append((here.wall() - START) / HOUR)
        raise UpstreamError("quantmetrics: no connection")

    here.upstream.meanwhile = down
    here.go_to(1)
    for _ in range(24 * 6):
        scheduling.observe_due(here.gradewire, here.catalogue.sources[SHARPE])
        here.wall.ms += 10 * MINUTE  # type: ignore[attr-defined]
    assert [round(at - 24) for at in tries] == [0, 1, 2, 5, 10, 21]
    here.upstream.meanwhile = lambda: None
    here.say(SHARPE, 2, {1: 1.2})
    live(here, 1)
    assert looks(here, SHARPE)[-1] >= 2


def test_one_run_at_a_time_in_a_process(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.say(SHARPE, 0, {1: 0.9})
    second: list[Any] = []
    here.upstream.meanwhile = lambda: second.append(scheduling.run(here.gradewire))
    assert scheduling.run(here.gradewire)
    assert second
    assert all(each == [] for each in second)


def test_a_poll_that_breaks_holds_up_no_other(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.feed("grade_changed")
    here.say(SHARPE, 0, {1: 0.9})
    here.say(GRADES, 0, {1: 50.0})

    def broken() -> None:
        if here.upstream.asked[-1][0] == SHARPE:
            raise RuntimeError("broken")

    here.upstream.meanwhile = broken
    with pytest.raises(RuntimeError):
        scheduling.run(here.gradewire)
    assert looks(here, GRADES) == [0]
    assert looks(here, SHARPE, "failed") == [0]


def test_the_most_important_is_polled_first(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.feed("grade_changed")
    weighty = replace(here.catalogue.sources[SHARPE], weight=3.0)
    sources = {**here.catalogue.sources, SHARPE: weighty}
    here.gradewire.__dict__["catalogue"] = replace(here.catalogue, sources=sources)
    scheduling.run(here.gradewire)
    assert [key for key, *_ in here.upstream.asked] == ["indices", "tokens", "top_market_cap", SHARPE, GRADES]


def test_two_workers_poll_each_slot_once(here: Script) -> None:
    here.feed("sharpe_threshold")
    other = here.worker()
    here.say(SHARPE, 0, {1: 0.9})
    answers: list[Any] = []

    def elsewhere() -> None:
        here.upstream.meanwhile = lambda: None
        answers.extend(scheduling.poll_due(other.gradewire))

    here.upstream.meanwhile = elsewhere
    answers.extend(scheduling.poll_due(here.gradewire))
    assert sorted(each.source for each in answers if each.status == "done") == sorted({each.source for each in answers})
    assert sorted(key for key, *_ in here.upstream.asked) == ["indices", SHARPE, "tokens", "top_market_cap"]
    other.gradewire.close()


# -- ids that change --------------------------------------------------------------------------------------------------


def many(here: Script) -> None:
    """So many tokens that a few of them are read by name."""
    named = [SubjectRow(f"token:{n}", "token", f"Token {n}", f"T{n}", market_rank=n) for n in range(1, 401)]
    here.upstream.names = {"tokens": named, "top_market_cap": named}
    scheduling.run(here.gradewire)


def test_a_token_that_someone_names_is_read_at_once_and_once(here: Script) -> None:
    many(here)
    here.say(SHARPE, 0, {1: 0.9, 2: 0.9})
    here.feed("sharpe_threshold", {"tokens": "T1"})
    assert [each.selection for each in scheduling.observe_due(here.gradewire, here.catalogue.sources[SHARPE])] == [NAMED]
    here.go_to(0.3)
    assert scheduling.observe_due(here.gradewire, here.catalogue.sources[SHARPE]) == []
    here.feed("sharpe_threshold", {"tokens": "T2,T3"})  # of T3 it will tell nothing
    assert [each.status for each in scheduling.observe_due(here.gradewire, here.catalogue.sources[SHARPE])] == ["done"]
    for _ in range(3):
        here.wall.ms += HOUR  # type: ignore[attr-defined]
        assert scheduling.observe_due(here.gradewire, here.catalogue.sources[SHARPE]) == []


def test_a_token_that_comes_into_a_scope_waits_for_the_next_look(here: Script) -> None:
    many(here)
    here.say(SHARPE, 0, dict.fromkeys(range(1, 13), 0.9))
    here.feed("sharpe_threshold", {"top": 10})
    source = here.catalogue.sources[SHARPE]
    assert [each.status for each in scheduling.observe_due(here.gradewire, source)] == ["done"]
    here.feed("sharpe_threshold", {"top": 20})
    here.go_to(0.3)
    assert scheduling.observe_due(here.gradewire, source) == []


def test_fewer_ids_are_no_short_answer_and_missing_ones_are(here: Script) -> None:
    source = here.catalogue.sources[SHARPE]

    def poll_of(day: float, *asked: int, tells: int) -> str:
        here.go_to(day)
        here.say(SHARPE, day, dict.fromkeys(range(1, tells + 1), 0.9))
        return observe(here.gradewire, source, Selection(NAMED, asked)).status

    assert poll_of(0, *range(1, 11), tells=10) == "done"
    assert poll_of(1, *range(1, 4), tells=3) == "done"
    assert poll_of(2, *range(1, 11), tells=3) == "partial"
    assert poll_of(2.5, *range(1, 11), tells=10) == "done"
    assert poll_of(3, *range(1, 101), tells=10) == "done"  # most of these it never told of
    assert poll_of(8, *range(1, 11), tells=5) == "partial"


def test_an_id_that_is_told_of_no_more_is_not_waited_for_for_ever(here: Script) -> None:
    source, both = here.catalogue.sources[SHARPE], Selection(NAMED, (1, 2))
    ended = []
    for day in range(8):
        here.go_to(day)
        here.say(SHARPE, day, {1: 0.9, 2: 0.9} if day == 0 else {1: 0.9})
        ended.append(observe(here.gradewire, source, both).status)
    assert ended[:4] == ["done", "partial", "partial", "done"]
    assert ended[-2:] == ["done", "done"]
    (told,) = here.rows(notice, notice.c.kind == noticing.BASELINE)
    assert "Quant metrics: 1 rows, far fewer than before" in told.text


# -- the plan ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", [20, 45, 60, 90, 130, 250])
def test_a_month_takes_no_more_than_the_plan_less_the_reserve_and_takes_it_evenly(
    sqlite_database: Database, tmp_path: Path, calls: int
) -> None:
    with town(sqlite_database, tmp_path, calls_per_month=calls) as market:
        begins = market.wall.ms + -market.wall.ms % (30 * DAY)  # type: ignore[attr-defined]
        market.wall.ms = begins  # type: ignore[attr-defined]
        market.gradewire.settings = market.gradewire.settings.replace(market_anchor=begins)
        for trigger in ("sharpe_threshold", "grade_changed"):
            market.subscribed(trigger)
        allowed, freely = calls - math.ceil(calls / 10), 3 * 30 + 2 * 31
        scheduling.run(market.gradewire)
        live(market, 15, most=DAY)
        half = sum(market.calls.values())
        live(market, 14, most=DAY)
        total = sum(market.calls.values())
        assert total <= allowed
        if 45 < calls < freely:
            assert total >= 0.8 * allowed
            assert 0.35 <= half / total <= 0.65
        told = market.rows(notice, notice.c.kind.in_((noticing.PLAN, noticing.DROPPED)))
        assert bool(told) == (allowed < freely)


# -- more than can be done ---------------------------------------------------------------------------------------------


def hard_pressed(here: Script, monkeypatch: pytest.MonkeyPatch, days: float) -> Counter[str]:
    """The polls of so many days in which one fits into half a day, by source."""
    monkeypatch.setattr(scheduling, "PASS", -1.0)
    before = len(here.upstream.asked)
    for _ in range(round(2 * days)):
        here.wall.ms += DAY // 2  # type: ignore[attr-defined]
        today = (here.wall() - START) // DAY
        here.say(SHARPE, today, {1: 0.9})
        here.say(GRADES, today, {1: 50.0})
        scheduling.run(here.gradewire)
    return Counter(key for key, *_ in here.upstream.asked[before:])


def test_where_not_all_can_be_polled_in_time_nobody_starves(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    for trigger in ("sharpe_threshold", "grade_changed"):
        here.feed(trigger)
    found = hard_pressed(here, monkeypatch, 25)
    assert len(found) == 5
    assert min(found.values()) >= 8  # 50 polls of 5 sources


def test_what_matters_more_waits_less(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    for trigger in ("sharpe_threshold", "grade_changed"):
        here.feed(trigger)
    found = hard_pressed(here, monkeypatch, 30)
    assert 1.5 <= found[GRADES] / found[SHARPE] <= 2  # grades weigh twice as much
    assert min(found.values()) >= 8


def test_a_poll_is_of_the_time_at_which_it_is_made_however_long_the_others_took(here: Script) -> None:
    here.feed("sharpe_threshold")

    def slow() -> None:
        here.wall.ms += DAY  # type: ignore[attr-defined]

    here.upstream.meanwhile = slow
    here.say(SHARPE, 0, {1: 0.9})
    scheduling.run(here.gradewire)
    made = {row.source: (row.slot - START) / DAY for row in here.rows(poll)}
    assert made == {"indices": 0, "tokens": 1, "top_market_cap": 2, SHARPE: 3}
