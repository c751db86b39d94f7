"""Polling: what comes is kept once, whole or not at all, and nobody is told what is not so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from integration.domain.errors import UpstreamError
from integration.domain.retry import DAY, HOUR
from integration.sandbox.faults import KINDS
from integration.service import observe as observing
from integration.service import storing, subscribe
from integration.service.observe import Observed, observe
from integration.service.selecting import EVERYTHING
from integration.service.trusting import judge
from integration.service.wanting import selections
from integration.store import migrate
from integration.store.database import Database
from integration.store.queries import polls
from integration.store.tables import call, delivery, poll, reading
from tests.market import Town, at_once, quiet, town
from tests.service.script import START, Script, script

SHARPE = "quantmetrics"


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        yield made


@pytest.fixture
def market(sqlite_database: Database, tmp_path: Path) -> Iterator[Town]:
    with town(sqlite_database, tmp_path) as made:
        yield made


def kept(here: Script) -> list[tuple[str, float, int, str]]:
    """(subject, day, version, origin) of every reading."""
    return [(row.subject, (row.as_of - START) / DAY, row.version, row.origin) for row in here.contents()[0]]


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_an_identical_reading_adds_no_row_and_a_different_one_is_a_new_version(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.day(0, {1: 0.9})
    here.go_to(0.5)
    observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    assert kept(here) == [("token:1", 0, 0, "live")]
    here.say(SHARPE, 0, {1: 0.91})
    here.go_to(0.6)
    observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    assert kept(here) == [("token:1", 0, 0, "live"), ("token:1", 0, 1, "live")]


def test_a_null_is_kept_as_a_null_and_is_identical_to_the_next(here: Script) -> None:
    for day in (0.0, 0.1):
        here.go_to(day)
        here.say(SHARPE, 0, {1: None})
        observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    assert kept(here) == [("token:1", 0, 0, "live")]


def test_days_before_a_subjects_first_live_reading_are_known_when_they_were_true(here: Script) -> None:
    here.go_to(5)
    here.say("trader_grades", 4, {1: 50.0})
    here.say("trader_grades", 5, {1: 50.0, 2: 50.0})
    observe(here.gradewire, here.catalogue.sources["trader_grades"])
    rows = {(row.subject, (row.as_of - START) / DAY): row for row in here.contents()[0]}
    assert {key: row.origin for key, row in rows.items()} == {
        ("token:1", 4): "backfill",
        ("token:1", 5): "live",
        ("token:2", 5): "live",
    }
    assert rows["token:1", 4].known_at == rows["token:1", 4].as_of
    assert rows["token:1", 5].known_at == here.wall()


def test_rows_without_a_date_are_of_the_slot(here: Script) -> None:
    here.go_to(3.4)
    here.say("indices", 0, {7: 100.0})
    observe(here.gradewire, here.catalogue.sources["indices"])
    assert kept(here) == [("index:7", 3, 0, "live")]


def test_a_gap_is_asked_for_and_evaluated_in_order_before_newer_days(here: Script) -> None:
    here.feed("grade_changed")
    for day in range(9):
        here.say("trader_grades", day, {1: 20.0 if day in (4, 5) else 80.0})
    for day in (0, 1, 8):
        here.go_to(day)
        observe(here.gradewire, here.catalogue.sources["trader_grades"])
    asked = [(str(first), str(last)) for _, first, last in here.upstream.asked]
    assert asked[-1] == ("2024-01-02", "2024-01-09")
    assert here.told() == [("token:1", 4), ("token:1", 6)]
    assert {row.known_at for row in here.events()} == {here.wall()}


def test_a_plan_that_withholds_days_is_asked_for_older_ones(sqlite_database: Database, tmp_path: Path) -> None:
    with script(sqlite_database, tmp_path, withheld_days=30) as here:
        here.go_to(40)
        observe(here.gradewire, here.catalogue.sources["trader_grades"])
    assert [(str(first), str(last)) for _, first, last in here.upstream.asked] == [("2024-01-10", "2024-01-11")]


# -- what fires, and when ----------------------------------------------------------------------------------------------


def test_the_first_reading_fires_nothing_and_a_crossing_fires_once(here: Script) -> None:
    wish = here.subscribed("sharpe_threshold")
    assert here.day(0, {1: 1.5, 2: 0.5}).events == 0
    assert here.day(1, {1: 1.5, 2: 1.5}).events == 1
    assert here.day(2, {1: 1.5, 2: 1.5}).events == 0
    assert here.owed() == [(wish, here.identity("sharpe_threshold", "token:2", 1))]


def test_a_slot_that_is_done_is_not_polled_again(here: Script) -> None:
    assert here.day(0, {1: 1.0}).status == "done"
    assert here.day(0, {1: 0.5}).status == "waiting"
    assert len(here.upstream.asked) == 1


def test_a_restated_newest_value_is_evaluated_again_and_told_once(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9})
    here.day(1, {1: 0.9})
    for hour, value in enumerate((1.2, 0.8, 1.3), 1):
        here.go_to(1 + hour / 24)
        here.say(SHARPE, 1, {1: value})
        observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    assert [version for *_, version, _ in kept(here)] == [0, 0, 1, 2, 3]
    assert here.told() == [("token:1", 1)]
    assert len(here.owed()) == 1
    assert here.feed("sharpe_threshold")[0]["restated"] is True


def test_an_older_value_restated_fires_nothing(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    for day in range(3):
        here.day(day, {1: 0.9})
    here.go_to(2.5)
    here.say(SHARPE, 1, {1: 1.5})
    observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    here.day(3, {1: 0.9})
    assert here.told() == []


def test_a_late_reading_tells_nothing_but_counts_from_then_on(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9, 2: 0.9})
    here.day(2, {1: 0.9, 2: 0.97})
    here.go_to(2.5)
    here.say(SHARPE, 1, {1: 1.5, 2: 1.5})
    observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    assert here.told() == []
    here.day(3, {1: 1.5, 2: 0.5})
    # 1 had been below since day 2; 2 was above at day 1, which came late, and fell
    assert here.told() == [("token:1", 3), ("token:2", 3)]


def test_nulls_for_a_few_days_keep_the_side_and_a_long_silence_forgets_it(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9, 2: 0.9})
    here.day(1, {1: None, 2: None})
    here.day(2, {1: None, 2: None})
    here.day(3, {1: 1.2, 2: None})
    here.day(4, {1: 1.2, 2: 1.2})
    assert here.told() == [("token:1", 3)]


def test_two_slots_at_once_are_told_once_each_whichever_comes_first(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9})
    other = here.worker()
    here.go_to(1)
    here.say(SHARPE, 1, {1: 1.2})
    answers: list[Observed] = []

    def next_day_overtakes() -> None:
        here.upstream.meanwhile = lambda: None
        answers.append(other.day(2, {1: 1.3}))

    here.upstream.meanwhile = next_day_overtakes
    answers.append(observe(here.gradewire, here.catalogue.sources[SHARPE]))
    assert [ended.status for ended in answers] == ["done", "done"]
    assert here.told() == [("token:1", 2)]
    assert here.day(3, {1: 1.2}).events == 0
    other.gradewire.close()


def test_a_clock_that_jumps_back_neither_delays_nor_repeats_nor_loses(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9})
    here.go_to(1.9)
    observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    here.wall.ms = START + DAY + HOUR  # type: ignore[attr-defined]
    later = here.subscribed("sharpe_threshold")
    here.wall.ms -= 60_000  # type: ignore[attr-defined]
    here.say(SHARPE, 1, {1: 1.2})
    assert observe(here.gradewire, here.catalogue.sources[SHARPE]).owed == 2
    assert later in [wish for wish, _ in here.owed()]
    known = sorted({row.known_at for row in here.contents()[0]})
    assert known[-1] > START + round(1.9 * DAY)
    assert {row.next_attempt_at for row in here.rows(delivery)} == {here.wall()}


# -- who is told -------------------------------------------------------------------------------------------------------


def test_a_new_rule_tells_nobody_about_the_past_but_its_feed_shows_it(here: Script) -> None:
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    here.subscribed("sharpe_threshold")
    assert [event["id"] for event in here.feed("sharpe_threshold")] == [here.identity("sharpe_threshold", "token:1", 1)]
    here.go_to(1.5)
    observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    here.say(SHARPE, 1, {1: 1.3})
    here.go_to(1.6)
    observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    here.day(2, {1: 1.3})
    assert here.owed() == []


def test_a_subscription_made_while_a_page_is_on_its_way_is_told_of_what_is_known_after_it(here: Script) -> None:
    here.day(0, {1: 0.9})
    made: list[str] = []
    here.upstream.meanwhile = lambda: made.append(here.subscribed("sharpe_threshold"))
    here.day(1, {1: 1.2})
    here.upstream.meanwhile = lambda: None
    assert here.owed() == [(made[0], here.identity("sharpe_threshold", "token:1", 1))]
    assert here.day(2, {1: 1.2}).owed == 0


def test_a_paused_subscription_gets_nothing_then_and_no_backlog_later(here: Script) -> None:
    wish = here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9})
    subscribe.set_subscription(here.gradewire, here.account, wish, "paused")
    assert here.day(1, {1: 1.2}).owed == 0
    subscribe.set_subscription(here.gradewire, here.account, wish, "active")
    here.day(2, {1: 1.2})
    assert here.owed() == []
    here.day(3, {1: 0.9})
    assert here.owed() == [(wish, here.identity("sharpe_threshold", "token:1", 3))]


def test_an_ended_subscription_is_owed_nothing_and_nothing_is_polled_for_it(here: Script) -> None:
    wish = here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9})
    assert selections(here.gradewire, here.catalogue.sources[SHARPE]) == [EVERYTHING]
    subscribe.delete_subscription(here.gradewire, here.account, wish)
    assert selections(here.gradewire, here.catalogue.sources[SHARPE]) == []
    assert here.day(1, {1: 1.2}).events == 0


# -- what cannot be trusted --------------------------------------------------------------------------------------------


def rows(number: int, value: float = 0.9) -> dict[int, float | None]:
    return dict.fromkeys(range(1, number + 1), value)


def test_far_fewer_rows_change_nothing_until_three_polls_agree(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, rows(100))
    ended = [here.day(day, rows(60, 1.2)) for day in (1, 2, 3)]
    assert [(one.status, one.events) for one in ended] == [("partial", 0), ("partial", 0), ("done", 60)]
    assert [row.status for row in here.rows(poll)] == ["done", "partial", "partial", "done"]
    assert here.day(4, rows(60, 1.2)).status == "done"


def test_short_answers_that_disagree_are_never_believed(here: Script) -> None:
    here.day(0, rows(100))
    assert [here.day(day, rows(n)).status for day, n in ((1, 60), (2, 50), (3, 60), (4, 40), (5, 0))] == ["partial"] * 5
    assert here.day(6, rows(71)).status == "done"


def test_an_empty_first_answer_is_not_believed(here: Script) -> None:
    assert here.day(0, {}).status == "partial"
    here.go_to(0.1)
    here.say(SHARPE, 0, rows(3))
    assert observe(here.gradewire, here.catalogue.sources[SHARPE]).status == "done"


def test_a_poll_that_made_up_for_missed_days_does_not_make_the_next_look_short(here: Script) -> None:
    for day in range(12):
        here.say("trader_grades", day, rows(10, 50.0))
    ended = []
    for day in (0, 1, 9, 10, 11):
        here.go_to(day)
        ended.append(observe(here.gradewire, here.catalogue.sources["trader_grades"]).status)
    here.go_to(11.5)
    ended.append(observe(here.gradewire, here.catalogue.sources["trader_grades"], again=True).status)
    assert ended == ["done"] * 6


@pytest.mark.parametrize(
    ("before", "count", "known", "judgement"),
    [
        ([], 1, None, "whole"),
        ([], 0, None, "short"),
        ([("done", 100)], 70, None, "whole"),
        ([("done", 100)], 69, None, "short"),
        ([("partial", 50), ("partial", 51), ("done", 100)], 50, None, "believed"),
        ([("partial", 50), ("partial", 60), ("done", 100)], 50, None, "short"),
        ([("partial", 50), ("done", 100), ("partial", 50)], 50, None, "short"),
        ([("done", 0)], 0, None, "whole"),
        # of named ids, as many are expected as are known to be there, however many were asked for before
        ([("done", 100)], 3, 3, "whole"),
        ([("done", 100)], 3, 5, "short"),
        ([("done", 3)], 3, 100, "short"),
        ([("done", 3)], 2, 0, "whole"),
        ([("done", 3)], 0, 0, "short"),
        ([("partial", 3), ("partial", 3)], 3, 100, "believed"),
    ],
)
def test_how_many_rows_are_a_whole_answer(before: list[tuple[str, int]], count: int, known: int | None, judgement: str) -> None:
    assert judge(count, before, known) == judgement


def test_an_error_of_our_own_changes_nothing_and_the_poll_is_repeated(here: Script) -> None:
    here.day(0, {1: 0.9})
    before = here.contents()

    def broken() -> None:
        raise RuntimeError("secret")

    here.upstream.meanwhile = broken
    with pytest.raises(RuntimeError):
        here.day(1, {1: 1.2})
    here.upstream.meanwhile = lambda: None
    assert here.contents() == before
    failed = here.rows(poll, poll.c.status == "failed")
    assert [row.error for row in failed] == ["Quant metrics: Gradewire failed (RuntimeError); nothing was changed."]
    here.go_to(1.1)
    assert observe(here.gradewire, here.catalogue.sources[SHARPE]).status == "done"


def test_an_error_while_events_are_written_leaves_no_readings_behind(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9})
    before = here.contents()
    with monkeypatch.context() as broken:
        broken.setattr("integration.store.queries.deliveries.insert_deliveries", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            here.day(1, {1: 1.2})
    assert here.contents() == before
    here.go_to(1.1)
    assert observe(here.gradewire, here.catalogue.sources[SHARPE]).owed == 1


def test_a_failed_poll_waits_before_it_is_repeated_and_says_why(here: Script) -> None:
    def down() -> None:
        raise UpstreamError("quantmetrics: no connection")

    here.upstream.meanwhile = down
    assert here.day(0, {1: 0.9}) == Observed(SHARPE, "all", START, "failed", error="quantmetrics: no connection")
    assert here.day(0, {1: 0.9}).status == "waiting"
    here.upstream.meanwhile = lambda: None
    here.go_to(1 / 23)
    assert observe(here.gradewire, here.catalogue.sources[SHARPE]).status == "done"


def test_a_worker_that_lost_its_lease_commits_nothing(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9})
    other = here.worker()
    taken: list[Observed] = []

    def too_slow() -> None:
        here.upstream.meanwhile = lambda: None
        here.wall.ms += polls.LEASE + 1  # type: ignore[attr-defined]
        taken.append(observe(other.gradewire, other.catalogue.sources[SHARPE]))
        here.say(SHARPE, 1, {1: 0.2, 2: 7.0})

    here.upstream.meanwhile = too_slow
    late = here.day(1, {1: 1.2})
    assert (taken[0].status, taken[0].owed) == ("done", 1)
    assert late.status == "waiting"
    assert [row.subject for row in here.rows(reading)] == ["token:1", "token:1"]
    assert len(here.owed()) == 1
    other.gradewire.close()


def test_a_lease_that_holds_keeps_others_away(here: Script) -> None:
    other = here.worker()
    seen: list[str] = []

    def look() -> None:
        here.wall.ms += polls.LEASE - 1  # type: ignore[attr-defined]
        seen.append(observe(other.gradewire, other.catalogue.sources[SHARPE]).status)

    here.upstream.meanwhile = look
    assert here.day(0, {1: 1.0}).status == "done"
    assert seen == ["waiting"]
    other.gradewire.close()


# -- with the sandbox --------------------------------------------------------------------------------------------------

FAILING = sorted(set(KINDS) - {"slow", "nulls", "strings", "missing_tokens", "restated"})


@pytest.mark.parametrize("kind", FAILING)
def test_a_poll_that_goes_wrong_changes_nothing(kind: str, market: Town) -> None:
    market.subscribed("sharpe_threshold")
    market.subscribed("grade_changed")
    market.poll_all()
    market.pass_days()
    before = market.contents()
    market.fault(kind, "quantmetrics")
    ended = market.poll_one(SHARPE)
    assert ended.status in ("failed", "partial")
    assert ended.error
    assert market.contents() == before
    market.mend()
    market.pass_days(0.1)
    assert market.poll_one(SHARPE).status == "done"


def _undisturbed(folder: Path, days: int) -> frozenset[tuple[str, int]]:
    database = Database(f"sqlite:///{folder}/undisturbed.db")
    migrate.upgrade(database)
    with town(database, folder) as market:
        market.feed("sharpe_threshold", **SENSITIVE)
        for day in range(days):
            if day:
                market.pass_days()
            market.poll(SHARPE)
        found = frozenset((row.subject, row.as_of) for row in market.events())
    database.close()
    return found


SENSITIVE: dict[str, Any] = {"level": 0.8, "hysteresis": 0}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> frozenset[tuple[str, int]]:
    """(subject, as_of) of every event of eleven days in which nothing went wrong."""
    return _undisturbed(tmp_path_factory.mktemp("undisturbed"), 11)


@pytest.mark.parametrize("kind", ["slow", "nulls", "strings", "missing_tokens", "restated"])
def test_a_poll_that_is_only_odd_tells_nothing_false(kind: str, market: Town, undisturbed: frozenset[tuple[str, int]]) -> None:
    market.feed("sharpe_threshold", **SENSITIVE)
    for _ in range(4):
        market.poll(SHARPE)
        market.pass_days()
    market.fault(kind, "quantmetrics", value={"slow": 0.05, "missing_tokens": 0.2}.get(kind))
    assert market.poll_one(SHARPE).status == "done"
    market.mend()
    for _ in range(6):
        market.pass_days()
        market.poll(SHARPE)
    found = {(row.subject, row.as_of) for row in market.events()}
    # where a value is missing, the change shows a day later; it is still the same change, of the same token
    assert {subject for subject, _ in found} <= {subject for subject, _ in undisturbed}
    assert len(found) <= len(undisturbed)
    if kind in ("slow", "strings", "restated"):
        assert found == undisturbed
        assert found


@pytest.mark.parametrize("kind", ["empty", "short_page", "server_error"])
def test_a_list_of_names_that_goes_wrong_forgets_nobody(kind: str, market: Town) -> None:
    market.feed("sharpe_threshold", {"top": 10})
    market.poll_all()
    before = market.rows(reading.metadata.tables["subject"])
    market.pass_days()
    for source in ("tokens", "top-market-cap-tokens"):
        market.fault(kind, source)
    assert {one.status for key in ("tokens", "top_market_cap") for one in market.poll(key)} <= {"failed", "partial"}
    assert market.rows(reading.metadata.tables["subject"]) == before


def test_one_subscription_and_fifty_cost_the_same_calls(market: Town) -> None:
    market.poll("tokens")
    market.subscribed("sharpe_threshold")
    market.poll_all()
    for number in range(3):
        market.pass_days()
        before = dict(market.calls)
        market.poll_all()
        spent = {key: count - before.get(key, 0) for key, count in market.calls.items()}
        if number == 0:
            alone = spent
            for each in range(50):
                account = market.account_of(f"reader{each}@example.com")
                market.subscribed("sharpe_threshold", account=account, level=1 + each / 50)
                market.feed("sharpe_threshold", account=account, level=2 + each / 50)
    assert spent == alone
    assert len(market.rows(call)) == sum(market.calls.values())


def test_what_nobody_wants_is_not_polled(market: Town) -> None:
    market.poll_all()
    names = {"tokens", "indices", "top-market-cap-tokens"}
    assert set(market.calls) == names
    assert {source.path for source in market.catalogue.sources.values() if source.always} == names
    market.pass_days()
    market.feed("sharpe_threshold", {"top": 5})
    market.poll_all()
    assert set(market.calls) == {*names, "quantmetrics"}


def test_a_plan_of_few_calls_is_kept_to_and_the_poll_is_whole_later(sqlite_database: Database, tmp_path: Path) -> None:
    with town(sqlite_database, tmp_path, sandbox=quiet(tokens=250), calls_per_minute=2) as market:
        market.subscribed("sharpe_threshold")
        ended = market.poll_one(SHARPE)
        assert ended.status == "failed"
        assert "calls a minute are spent" in ended.error
        assert market.contents() == ([], [])
        assert sum(market.calls.values()) == 2
        assert market.poll(SHARPE) == []
        market.pass_days(0.1)
        done = market.poll_one(SHARPE)
        assert (done.status, done.rows) == ("done", 250)
        assert sum(market.calls.values()) == 3


def test_two_pollers_never_overspend_together_and_store_only_whole_polls(postgresql_database: Database, tmp_path: Path) -> None:
    with town(postgresql_database, tmp_path, sandbox=quiet(tokens=350), calls_per_minute=5) as market:
        market.feed("sharpe_threshold")
        market.feed("grade_changed", grade="investor")
        workers, keys = (market.gradewire, market.worker()), (SHARPE, "tokens")
        sources = [market.catalogue.sources[key] for key in keys]
        ended = at_once(*[partial(observe, worker, source) for worker, source in zip(workers, sources, strict=True)])
        assert sorted(one.status for one in ended).count("failed") >= 1
        assert sum(market.calls.values()) == 5
        assert len(market.rows(reading)) in (0, 1, 350)  # all tokens are one reading of the market's coverage
        for _ in range(2):
            market.pass_days(0.1)
            for worker, source in zip(workers, sources, strict=True):
                observe(worker, source)
        assert {row.status for row in market.rows(poll)} == {"done"}
        assert len(market.rows(reading)) == 351
        assert sum(market.calls.values()) == 8
        workers[1].close()


# -- a long time that was missed ---------------------------------------------------------------------------------------


def missed(here: Script, days: int) -> None:
    """Grades of many days, of which only the first was read."""
    here.feed("grade_changed")
    for day in range(days):
        here.say("trader_grades", day, {number: 20.0 if (day + number) % 3 else 80.0 for number in range(1, 11)})
    here.day(0, {}, "trader_grades")
    here.go_to(days)


def test_a_long_time_that_was_missed_is_made_up_for_in_short_transactions(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "PORTION", 20)
    missed(here, 9)
    ended = observe(here.gradewire, here.catalogue.sources["trader_grades"])
    assert (ended.status, ended.rows) == ("done", 10)
    by_moment: dict[int, set[float]] = {}
    for row in here.rows(reading, reading.c.as_of > START):
        by_moment.setdefault(row.known_at, set()).add((row.as_of - START) / DAY)
    assert [sorted(days) for _, days in sorted(by_moment.items())] == [[1], [2, 3], [4, 5], [6, 7], [8]]
    assert [day for _, day in here.told()] == sorted(day for _, day in here.told())
    assert len(here.told()) == ended.events
    (last,) = here.rows(poll, poll.c.source == "trader_grades", poll.c.slot > START)
    assert (last.fresh, last.events) == (80, ended.events)


def test_it_tells_what_it_tells_in_one(here: Script, postgresql_database: Database, tmp_path: Path) -> None:
    missed(here, 9)
    observe(here.gradewire, here.catalogue.sources["trader_grades"])
    with script(postgresql_database, tmp_path) as other, pytest.MonkeyPatch.context() as patch:
        patch.setattr(storing, "PORTION", 10)
        missed(other, 9)
        observe(other.gradewire, other.catalogue.sources["trader_grades"])
        assert sorted(other.told()) == sorted(here.told())
        assert len(here.told()) > 20


def test_a_crash_in_the_middle_of_it_loses_and_repeats_nothing(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "PORTION", 10)
    missed(here, 6)
    evaluated = observing.evaluate

    def crashing(*args: Any, **more: Any) -> tuple[int, int]:
        if args[3].oldest == START + 3 * DAY:
            raise RuntimeError("out of memory")
        return evaluated(*args, **more)

    monkeypatch.setattr(observing, "evaluate", crashing)
    with pytest.raises(RuntimeError):
        observe(here.gradewire, here.catalogue.sources["trader_grades"])
    assert {day for _, day, *_ in kept(here)} == {0, 1, 2}
    monkeypatch.setattr(observing, "evaluate", evaluated)
    here.go_to(7)
    assert observe(here.gradewire, here.catalogue.sources["trader_grades"]).status == "done"
    assert {day for _, day, *_ in kept(here)} == {0, 1, 2, 3, 4, 5}
    moved = [(f"token:{n}", float(day)) for day in range(1, 6) for n in range(1, 11) if 0 in ((day + n) % 3, (day - 1 + n) % 3)]
    assert sorted(here.told()) == sorted(moved)


def test_a_subject_that_is_new_in_it_has_its_days_as_history(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "PORTION", 1)
    here.day(0, {1: 50.0}, "trader_grades")
    for day in (1, 2, 3):
        here.say("trader_grades", day, {1: 50.0, 2: 50.0})
    here.go_to(3)
    observe(here.gradewire, here.catalogue.sources["trader_grades"])
    assert {(name, day): origin for name, day, _, origin in kept(here) if name == "token:2"} == {
        ("token:2", 1): "backfill",
        ("token:2", 2): "backfill",
        ("token:2", 3): "live",
    }


def test_late_readings_are_counted_and_those_that_restate_are_not(here: Script) -> None:
    here.feed("grade_changed")
    for day in range(4):
        here.say("trader_grades", day, {1: 50.0, 2: 50.0} if day != 2 else {1: 50.0})
        here.go_to(day)
        observe(here.gradewire, here.catalogue.sources["trader_grades"])
    assert [row.late for row in here.rows(poll)] == [0, 0, 0, 0]
    here.say("trader_grades", 3, {1: 51.0, 2: 52.0})
    here.upstream.says["trader_grades"][(2, 2)] = 53.0
    here.go_to(3.5)
    asked = here.upstream.fetch

    def further_back(source: Any, **question: Any) -> Any:
        return asked(source, **{**question, "start": date(2024, 1, 2)})

    here.gradewire.client.fetch = further_back  # type: ignore[method-assign]
    observe(here.gradewire, here.catalogue.sources["trader_grades"], again=True)
    assert [row.late for row in here.rows(poll)][-1] == 1
