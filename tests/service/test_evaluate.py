"""From readings to events: each once, with the same id, whoever finds it and however many look at the same time."""

from __future__ import annotations

import base64
import hashlib
import itertools
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import SubjectRow
from integration.domain.retry import DAY
from integration.service.observe import Observed, observe
from integration.store.database import Database
from integration.store.tables import delivery, event, poll, reading
from tests.laws import examples
from tests.market import at_once, town
from tests.service.script import START, Script, happened, script

SHARPE = "quantmetrics"


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        yield made


def name(here: Script, *rows: SubjectRow, source: str = "tokens") -> None:
    """Let a source tell these names now."""
    here.upstream.names[source] = list(rows)
    assert observe(here.gradewire, here.catalogue.sources[source], again=True).status == "done"


# -- ids ---------------------------------------------------------------------------------------------------------------


def test_the_ids_are_those_of_the_golden_vectors(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.feed("sharpe_threshold", level=1.5)
    here.day(0, {3375: 0.9})
    here.day(1, {3375: 1.6})
    options = (
        '{"cooldown_hours":6,"direction":"either","hysteresis":0.05,"level":1,"min_observations":1,'
        '"relative_to_btc":false,"window":"published"}'
    )
    text = f"sharpe_threshold\n2\n{options}\ntoken:3375\n1704153600000"
    first = "evt_" + base64.b32encode(hashlib.sha256(text.encode()).digest()[:16]).decode().rstrip("=").lower()
    assert set(happened(here)) == {first, "evt_hejh263vbxu5mkayyk4npxo6sy"}
    assert first == "evt_dfmrdgnisnywxypc5csu2wnyqm"


def test_options_that_mean_the_same_are_one_rule_with_one_event(here: Script) -> None:
    ways: list[dict[str, Any]] = [
        {},
        {"level": 1},
        {"level": "1.0"},
        {"hysteresis": 0.05, "direction": "either"},
        {"hysteresis": None},
    ]
    for options in ways:
        here.subscribed("sharpe_threshold", **options)
    here.day(0, {1: 0.9})
    assert here.day(1, {1: 1.2}).events == 1
    assert len(here.owed()) == len(ways)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.01, 0.3, 1.0, 1.0, 1.0, 2.0, 4.0]),
        st.dictionaries(
            st.tuples(st.integers(1, 2), st.integers(0, 2)), st.sampled_from([0.5, 0.9, 0.97, 1.2, 1.5, None]), max_size=4
        ),
    ),
    min_size=2,
    max_size=9,
)
numbers = itertools.count()


@examples(40)
@given(steps=STEPS)
def test_in_whatever_order_readings_come_live_events_are_those_that_a_feed_finds_in_the_log(
    steps: list[Any],
    _sqlite_template: Path,  # noqa: PT019
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "orders"
    folder.mkdir(exist_ok=True)
    file = folder / f"{next(numbers)}.db"
    shutil.copy(_sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    with script(database, folder) as here:
        name(here, SubjectRow("token:1", "token", "One"), SubjectRow("token:2", "token", "Two"))
        assert here.feed("sharpe_threshold", min_observations=1, cooldown_hours=0) == []
        day = 0.0
        for pause, values in steps:
            day += pause
            here.go_to(day + 0.001)
            here.upstream.says[SHARPE] = {(number, int(day) - back): value for (number, back), value in values.items()}
            observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
        live = here.feed("sharpe_threshold", min_observations=1, cooldown_hours=0)
        found = here.feed("sharpe_threshold", {"tokens": [1, 2]}, min_observations=1, cooldown_hours=0)
        # days before a token's first live reading are history: a feed may show what happened in them, nobody was told
        since_live = {told["id"] for told in found if told["known_at"] != told["as_of"]}
        assert since_live == {told["id"] for told in live}
        assert len(live) == len(since_live)
    database.close()
    file.unlink()


# -- scopes ------------------------------------------------------------------------------------------------------------


def rank(here: Script, *numbers: int) -> None:
    """From now on, this is the order of market capitalisations."""
    words = {1: ("One", "ONE"), 2: ("Two", "TWO"), 3: ("Three", "THREE"), 4: ("Four", "FOUR")}
    ranked = [SubjectRow(f"token:{n}", "token", *words[n], market_rank=place) for place, n in enumerate(numbers, 1)]
    name(here, *ranked, source="top_market_cap")


def market_of_four(here: Script) -> None:
    name(
        here,
        SubjectRow("token:1", "token", "One", "ONE", ("defi",), ("kraken",)),
        SubjectRow("token:2", "token", "Two", "TWO", ("meme",), ("kraken",)),
        SubjectRow("token:3", "token", "Three", "THREE", ("defi",), ("binance",)),
        SubjectRow("token:4", "token", "Four", "FOUR"),
    )
    rank(here, 2, 3, 1, 4)


@pytest.mark.parametrize(
    ("scope", "tokens"),
    [
        ({}, {1, 2, 3, 4}),
        ({"tokens": ["3", "ONE"]}, {1, 3}),
        ({"category": "defi"}, {1, 3}),
        ({"exchange": "kraken"}, {1, 2}),
        ({"top": 2}, {2, 3}),
    ],
)
def test_a_scope_gets_its_tokens_and_no_others(here: Script, scope: dict[str, Any], tokens: set[int]) -> None:
    market_of_four(here)
    wish = here.subscribed("sharpe_threshold", scope)
    here.subscribed("sharpe_threshold")
    assert here.feed("sharpe_threshold", scope) == []
    here.day(0, dict.fromkeys(range(1, 5), 0.9))
    here.day(1, dict.fromkeys(range(1, 5), 1.2))
    wanted = {here.identity("sharpe_threshold", f"token:{n}", 1) for n in tokens}
    assert {identity for subscription, identity in here.owed() if subscription == wish} == wanted
    assert {told["id"] for told in here.feed("sharpe_threshold", scope)} == wanted
    assert {told["id"] for told in here.feed("sharpe_threshold", scope, here.account_of("other@example.com"))} == wanted


def test_a_token_that_joins_a_scope_brings_no_old_events_along(here: Script) -> None:
    market_of_four(here)
    wish = here.subscribed("sharpe_threshold", {"category": "defi"})
    here.feed("sharpe_threshold", {"category": "defi"})
    here.subscribed("sharpe_threshold")
    here.day(0, {2: 0.9})
    here.day(1, {2: 1.2})
    here.wall.ms += 1  # type: ignore[attr-defined]
    name(here, *(SubjectRow(f"token:{n}", "token", str(n), "", ("defi",), ("kraken",)) for n in range(1, 5)))
    assert here.feed("sharpe_threshold", {"category": "defi"}) == []
    here.day(2, {2: 0.9})
    wanted = here.identity("sharpe_threshold", "token:2", 2)
    assert [identity for subscription, identity in here.owed() if subscription == wish] == [wanted]
    assert [told["id"] for told in here.feed("sharpe_threshold", {"category": "defi"})] == [wanted]


def test_a_token_that_left_a_scope_is_no_longer_told_but_what_was_told_stays(here: Script) -> None:
    market_of_four(here)
    here.subscribed("sharpe_threshold", {"top": 1})
    here.feed("sharpe_threshold", {"top": 1})
    here.day(0, {2: 0.9})
    here.day(1, {2: 1.2})
    here.wall.ms += 1  # type: ignore[attr-defined]
    rank(here, 1, 2, 3, 4)
    here.day(2, {2: 0.9})
    first = here.identity("sharpe_threshold", "token:2", 1)
    assert [identity for _, identity in here.owed()] == [first]
    assert [told["id"] for told in here.feed("sharpe_threshold", {"top": 1})] == [first]


def test_a_token_without_a_name_yet_is_told_all_the_same_and_found_by_a_feed(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, {77: 0.9})
    here.day(1, {77: 1.2})
    (told,) = here.feed("sharpe_threshold")
    assert (told["subject"], told["subject_name"], told["subject_symbol"]) == ("token:77", "Token 77", "")
    assert [identity for _, identity in here.owed()] == [told["id"]]


# -- at the same time --------------------------------------------------------------------------------------------------


def test_two_simultaneous_polls_of_the_same_source_produce_each_event_once(database: Database, tmp_path: Path) -> None:
    with town(database, tmp_path) as here:
        others = [here.worker() for _ in range(2)]
        here.subscribed("sharpe_threshold", level=0.8, hysteresis=0)
        here.subscribed("grade_changed")
        found = 0
        for _ in range(6):
            for key in (SHARPE, "trader_grades"):
                source = here.catalogue.sources[key]
                workers = [here.gradewire, *others]
                ended = at_once(*[partial(observe, worker, source) for worker in workers])
                assert sorted(one.status for one in ended) == ["done", "waiting", "waiting"]
                found += sum(one.events for one in ended)
            here.pass_days()
        told = here.events()
        assert len(told) == found > 50
        assert [row.seq for row in told] == list(range(1, found + 1))
        assert len({(row.rule_id, row.subject, row.as_of) for row in told}) == found
        owed = here.rows(delivery)
        assert len(owed) == len({(row.subscription_id, row.event_seq) for row in owed}) == found
        assert len(here.rows(poll)) == sum(here.calls.values()) == 12
        assert len({(row.source, row.subject, row.as_of) for row in here.rows(reading)}) == len(here.rows(reading))
        for worker in others:
            worker.close()


def look(worker: Script, ended: list[Observed]) -> None:
    ended.append(observe(worker.gradewire, worker.catalogue.sources[SHARPE]))


def test_a_lease_taken_over_in_the_last_moment_still_gives_each_event_once(postgresql_database: Database, tmp_path: Path) -> None:
    with script(postgresql_database, tmp_path) as here:
        others = [here.worker() for _ in range(2)]
        here.subscribed("sharpe_threshold")
        here.day(0, {1: 0.9, 2: 0.9})
        for day in range(1, 6):
            here.go_to(day)
            here.say(SHARPE, day, dict.fromkeys((1, 2), 1.2 if day % 2 else 0.9))
            gate = threading.Barrier(3)

            def wait(gate: threading.Barrier = gate) -> None:
                here.wall.ms += DAY // 24  # type: ignore[attr-defined]
                gate.wait(10)

            # each claims after the one before has run out of its lease, and then all commit at the same moment
            here.upstream.meanwhile = wait
            ended: list[Observed] = []
            threads = []
            for worker in (here, *others):
                before = len(here.upstream.asked)
                thread = threading.Thread(target=look, args=(worker, ended))
                thread.start()
                threads.append(thread)
                while len(here.upstream.asked) == before:
                    assert thread.is_alive()
            for thread in threads:
                thread.join(30)
            assert sorted(one.status for one in ended) == ["done", "waiting", "waiting"]
        assert len(here.events()) == len(here.owed()) == 10
        assert len(here.contents()[0]) == 12
        for worker in others:
            worker.gradewire.close()


def test_different_sources_at_once_are_numbered_in_one_rising_row(postgresql_database: Database, tmp_path: Path) -> None:
    with town(postgresql_database, tmp_path) as here:
        worker = here.worker()
        here.feed("grade_changed", points=1)
        here.feed("grade_changed", points=1, grade="investor")
        for _ in range(4):
            one, two = at_once(
                lambda: observe(here.gradewire, here.catalogue.sources["trader_grades"]),
                lambda: observe(worker, worker.catalogue.sources["investor_grades"]),
            )
            assert (one.status, two.status) == ("done", "done")
            here.pass_days()
        told = here.events()
        assert [row.seq for row in told] == list(range(1, len(told) + 1))
        assert len({row.finished_at for row in here.rows(poll)}) == 8
        assert [row.known_at for row in told] == sorted(row.known_at for row in told)
        worker.close()


def test_polling_again_after_the_events_are_there_adds_none(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    before = here.rows(event)
    for hour in range(1, 4):
        here.go_to(1 + hour / 24)
        assert observe(here.gradewire, here.catalogue.sources[SHARPE], again=True).events == 0
    assert here.rows(event) == before
    assert before[0].as_of == START + DAY
