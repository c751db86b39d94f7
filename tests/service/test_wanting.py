"""What is polled follows from what is wanted, in as few calls as it takes, however many want it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from integration.domain.catalogue import Input, SubjectRow
from integration.domain.retry import DAY, HOUR
from integration.service.agenda import agenda
from integration.service.observe import observe
from integration.service.selecting import EVERYTHING, NAMED, Selection, calls_a_look, selected, size
from integration.service.wanting import asked, selections, wanted
from integration.store.database import Database
from integration.store.queries import rules
from integration.store.tables import revision, subject, subscription
from tests.market import Town, quiet, town
from tests.service.script import Script, script

MANY = [
    SubjectRow(f"token:{n}", "token", f"Token {n}", f"T{n}", ("layer-1",) if n <= 30 else (), ("kraken",) if n % 2 else (), n)
    for n in range(1, 1_001)
]


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        made.upstream.names = {"tokens": MANY, "indices": [SubjectRow("index:6", "index", "Top 25", "SBX25")]}
        for source in ("tokens", "indices"):
            observe(made.gradewire, made.catalogue.sources[source])
        yield made


def of(here: Script, source: str) -> list[Selection]:
    return selections(here.gradewire, here.catalogue.sources[source])


def ids(here: Script, source: str) -> set[int]:
    (only,) = of(here, source)
    assert only.name == NAMED
    assert only.ids is not None
    return set(only.ids)


# -- what stands beside ----------------------------------------------------------------------------------------------------


def test_what_events_show_beside_quant_metrics_is_read_with_them_where_it_can_be_had(here: Script) -> None:
    here.subscribed("new_reading", {"tokens": "3"})
    for source in ("quantmetrics", "trader_grades", "investor_grades", "tm_grade"):
        assert [set(each.ids or ()) for each in of(here, source)] == [{3}]
    here.gradewire.settings = here.gradewire.settings.replace(plan="free")
    assert of(here, "investor_grades") == of(here, "quantmetrics") == []
    assert ids(here, "trader_grades") == {3}


def test_what_is_read_token_by_token_is_not_read_of_everybody_for_being_shown(here: Script) -> None:
    here.subscribed("new_reading")
    assert of(here, "trader_grades") == [EVERYTHING]
    assert of(here, "tm_grade") == []


def test_other_readings_bring_nothing_beside(here: Script) -> None:
    here.subscribed("new_reading", {"tokens": "3"}, source="prices")
    assert of(here, "trader_grades") == []


# -- what is wanted ---------------------------------------------------------------------------------------------------


def test_whoever_wants_any_token_has_all_pages_read(here: Script) -> None:
    here.subscribed("sharpe_threshold", {"tokens": "1"})
    here.subscribed("sharpe_threshold")
    assert of(here, "quantmetrics") == [EVERYTHING]


def test_named_tokens_of_all_who_want_them_are_read_in_one_poll(here: Script) -> None:
    here.subscribed("sharpe_threshold", {"tokens": "1,2"})
    here.subscribed("sharpe_threshold", {"tokens": "2,3"}, level=2)
    here.feed("sharpe_threshold", {"tokens": "9"})
    assert ids(here, "quantmetrics") == {1, 2, 3, 9}


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ({"category": "layer-1"}, set(range(1, 31))),
        ({"top": 10}, set(range(1, 13))),  # two more, that may enter soon
        ({"tokens": "1"}, {1}),
    ],
)
def test_a_scope_is_resolved_to_the_tokens_it_holds(here: Script, scope: dict[str, Any], found: set[int]) -> None:
    here.subscribed("sharpe_threshold", scope)
    assert ids(here, "quantmetrics") == found


def test_so_many_tokens_that_all_pages_take_fewer_calls_are_not_named(here: Script) -> None:
    here.subscribed("sharpe_threshold", {"exchange": "kraken"})  # 500 in portions of 50, all in 11 pages
    assert len(ids(here, "quantmetrics")) == 500
    here.subscribed("sharpe_threshold", {"top": 1_000})
    assert of(here, "quantmetrics") == [EVERYTHING]


def test_what_a_derived_source_always_needs_is_read_too(here: Script) -> None:
    here.subscribed("sharpe_threshold", {"tokens": "7"}, window="90d")
    assert ids(here, "daily_ohlcv") == {7, 3375}
    assert of(here, "quantmetrics") == []


def test_a_source_derived_from_all_subjects_at_once_has_all_read(here: Script) -> None:
    catalogue = here.catalogue
    part = catalogue.sources["risk_30d"]
    assert part.derivation is not None
    whole = replace(part, key="breadth", derivation=replace(part.derivation, inputs=(Input("trader_grades"),), whole=True))
    catalogue = replace(catalogue, sources={**catalogue.sources, "breadth": whole})
    assert dict(asked(catalogue, ("breadth",), {"token:1"})) == {"trader_grades": None}
    assert dict(asked(catalogue, ("trader_grades",), {"token:1"})) == {"trader_grades": {1}}


def test_one_subjects_readings_are_read_whoever_a_rule_is_about(here: Script) -> None:
    named = ("quantmetrics", "daily_ohlcv@token:3375")
    assert dict(asked(here.catalogue, named, {"token:5"})) == {"quantmetrics": {5}, "daily_ohlcv": {3375}}
    assert dict(asked(here.catalogue, named, None)) == {"quantmetrics": None, "daily_ohlcv": {3375}}


def test_a_source_about_other_subjects_than_the_scopes_is_read_whole(here: Script) -> None:
    assert dict(asked(here.catalogue, ("indices_holdings", "quantmetrics"), {"index:6"})) == {
        "indices_holdings": {6},
        "quantmetrics": None,
    }
    assert dict(asked(here.catalogue, ("market_metrics",), {"token:6"})) == {"market_metrics": None}


def test_ids_are_polled_together_where_a_call_may_name_several_and_apart_where_not(here: Script) -> None:
    with here.gradewire.database.read() as connection:
        sources = here.catalogue.sources
        assert selected(connection, sources["prices"], {3, 1}) == [Selection(NAMED, (1, 3))]
        assert selected(connection, sources["tm_grade"], {3, 1}) == [Selection("1", (1,)), Selection("3", (3,))]
        assert selected(connection, sources["indices_holdings"], None) == [Selection("6", (6,))]
        assert selected(connection, sources["prices"], set()) == selected(connection, sources["quantmetrics"], set()) == []


def test_nothing_is_wanted_of_what_the_plan_has_not_or_is_gone(here: Script) -> None:
    here.subscribed("index_ranking")
    with here.gradewire.database.read() as connection:
        assert "indices_holdings" in wanted(here.gradewire, connection)
        here.gradewire.settings = here.gradewire.settings.replace(plan="free")
        assert "indices_holdings" not in wanted(here.gradewire, connection)
        assert "tokens" in wanted(here.gradewire, connection)


# -- how many calls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "count", "interval", "calls"),
    [
        ("quantmetrics", None, DAY, 11),  # a thousand rows, and an empty page after the full ones
        ("quantmetrics", 50, DAY, 1),
        ("quantmetrics", 51, DAY, 2),
        ("trader_grades", None, DAY, 21),  # the newest day again, and a new one
        ("trader_grades", 49, DAY, 1),
        ("trader_grades", 98, DAY, 2),
        ("trader_grades", 40, 36 * HOUR, 1.5),  # two days and three, by turns
        ("top_market_cap", None, DAY, 10),
        ("prices", 120, HOUR, 3),
        ("tm_grade", 1, DAY, 1),
        ("hourly_ohlcv", 3, HOUR, 1),
        ("hourly_ohlcv", 49, HOUR, 6.5),
    ],
)
def test_calls_are_counted_as_the_pages_that_are_read(
    here: Script, source: str, count: int | None, interval: int, calls: float
) -> None:
    selection = EVERYTHING if count is None else Selection(NAMED, tuple(range(count)))
    assert calls_a_look(here.catalogue.sources[source], selection, 1_000, interval) == pytest.approx(calls, rel=0.01)


def test_forecasts_of_a_look_are_what_a_look_takes(sqlite_database: Database, tmp_path: Path) -> None:
    with town(sqlite_database, tmp_path, sandbox=quiet(tokens=230)) as market:
        market.poll("tokens")
        tokens = [row.subject.partition(":")[2] for row in market.rows(subject, subject.c.kind == "token")]
        market.subscribed("grade_changed")
        market.subscribed("sharpe_threshold", {"tokens": ",".join(tokens[:60])})
        market.subscribed("index_ranking")
        market.poll_all()
        market.pass_days()
        for key in ("trader_grades", "quantmetrics", "tokens", "indices", "indices_holdings"):
            source = market.catalogue.sources[key]
            with market.gradewire.database.read() as connection:
                everyone = size(connection, source)
            expected = sum(calls_a_look(source, each, everyone) for each in selections(market.gradewire, source))
            before = sum(market.calls.values())
            market.poll(key)
            assert sum(market.calls.values()) - before == expected, key


# -- however many -----------------------------------------------------------------------------------------------------


def test_a_hundred_thousand_subscriptions_on_the_same_subjects_cause_the_calls_of_one(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with town(sqlite_database, tmp_path) as market:
        market.poll_all()
        market.subscribed("sharpe_threshold", {"tokens": "BTC,ETH"}, level=9)
        market.feed("grade_changed", {"top": 10})
        spent, planned, distinct = [], set(), set()
        for number in range(4):
            market.pass_days()
            before = dict(market.calls)
            market.poll_all()
            spent.append({key: count - before.get(key, 0) for key, count in market.calls.items()})
            planned.add(
                frozenset((entry.source.key, entry.selection, entry.freely) for entry in agenda(market.gradewire).entries)
            )
            with market.gradewire.database.read() as connection:
                distinct.add(len(rules.wanted_scopes(connection, market.wall())))
            if number == 1:
                _multiply(market, 100_000)
        assert sum(spent[1].values()) > 0
        assert spent[1] == spent[2] == spent[3]
        assert len(planned) == len(distinct) == 1
        with market.gradewire.database.read() as connection:
            assert connection.scalar(select(func.count()).select_from(subscription)) == 100_000


def _multiply(market: Town, count: int) -> None:
    """As many subscriptions like the one there is, each with a revision of its own, as if made one by one."""
    c = subscription.c
    with market.gradewire.database.write() as connection:
        there = 1
        while there < count:
            more = {"id": c.id + f"_{there}", "revision": c.revision + there}
            copies = select(*(more.get(column.name, column) for column in c)).limit(min(there, count - there))
            there += connection.execute(subscription.insert().from_select(c.keys(), copies)).rowcount
        connection.execute(revision.update().values(value=select(func.max(c.revision)).scalar_subquery()))
