"""The price of a wish, said before it is made, is what polling for it then takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integration.domain.catalogue import SubjectRow
from integration.domain.errors import InvalidInput
from integration.domain.retry import HOUR
from integration.service import asking, feeds, hooks, offer, pricing, scheduling, subscribe
from integration.service.observe import observe
from integration.service.pricing import Calls, Cost
from integration.service.wanting import wanted
from integration.store.database import Database
from tests.market import asked, quiet, town
from tests.service.living import live
from tests.service.script import Script, script

NAMES = [SubjectRow(f"token:{n}", "token", f"Token {n}", f"T{n}", market_rank=n) for n in (*range(1, 9), 3375)]


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        made.upstream.names = {"tokens": NAMES, "indices": [SubjectRow("index:6", "index", "Top 25", "SBX25")]}
        for source in ("tokens", "indices"):
            observe(made.gradewire, made.catalogue.sources[source])
        yield made


def price(here: Script, trigger: str, scope: dict[str, Any] | None = None, **options: Any) -> Cost:
    with here.gradewire.database.read() as connection:
        rule = asking.ask(here.gradewire, trigger, asked(trigger, options))
        return pricing.cost(here.gradewire, connection, rule, asking.scope_of(here.gradewire, connection, rule, scope or {}))


def calls(here: Script, trigger: str, scope: dict[str, Any] | None = None, **options: Any) -> Calls:
    return price(here, trigger, scope, **options).calls


# -- what it says -----------------------------------------------------------------------------------------------------


def test_calls_are_those_of_polling_and_are_added_once(here: Script) -> None:
    assert calls(here, "sharpe_threshold") == Calls(31, 31)
    here.subscribed("sharpe_threshold", {"tokens": "T1"})
    assert calls(here, "sharpe_threshold") == Calls(31, 0)
    assert calls(here, "grade_changed").added == 31
    assert calls(here, "sharpe_threshold", {"top": 5}) == Calls(61, 0)  # and ranks, which are polled anyway
    assert calls(here, "index_ranking", {"indices": "6"}) == Calls(31, 31)
    here.subscribed("index_ranking")
    assert calls(here, "index_ranking", {"indices": "6"}) == Calls(31, 0)


def test_a_token_that_is_read_by_itself_adds_its_own_calls(here: Script) -> None:
    here.subscribed("grade_changed", {"tokens": "T1"}, grade="tm")
    assert calls(here, "grade_changed", {"tokens": "T1,T2"}, grade="tm") == Calls(60, 30)


def test_more_ids_in_a_portion_add_nothing(here: Script) -> None:
    names = [SubjectRow(f"token:{n}", "token", f"Token {n}", f"T{n}") for n in range(10, 400)]
    here.upstream.names["tokens"] = names
    here.go_to(0.1)
    observe(here.gradewire, here.catalogue.sources["tokens"], again=True)
    here.subscribed("sharpe_threshold", {"tokens": "T1"})
    assert calls(here, "sharpe_threshold", {"tokens": "T2"}) == Calls(31, 0)
    assert calls(here, "sharpe_threshold").added == 31 * 4 - 31


def test_the_sentence_says_calls_age_and_events(here: Script) -> None:
    told = Cost(Calls(31, 31), 2_940, 5_000, 120, 30, 14.2)
    assert told.text == "+31 calls a month (2,940 of 5,000), data 30 days old on this plan, about 14 events a year."
    assert replace(told, data_age_days=0, events_a_year=None).text == "+31 calls a month (2,940 of 5,000)."
    assert "more than the plan has" in replace(told, total=5_001).text
    assert "about one event a year" in replace(told, events_a_year=0.9).text
    assert "less than one event in two years" in replace(told, events_a_year=0.1).text
    assert told.shown()["added_calls_a_month"] == 31


def test_data_are_as_old_as_the_plan_withholds_where_it_does(here: Script) -> None:
    here.gradewire.settings = here.gradewire.settings.replace(plan="free")
    assert price(here, "grade_changed").data_age_days == 30
    assert price(here, "sharpe_threshold", window="90d").data_age_days == 0  # daily closes are not withheld


def test_events_a_year_are_estimated_from_what_is_stored(here: Script) -> None:
    assert price(here, "grade_changed", {"tokens": "T1"}).events_a_year is None
    here.feed("grade_changed")
    for day in range(61):
        here.day(day, {1: 20.0 if day % 20 < 10 else 80.0, 2: 50.0}, "trader_grades")
    assert price(here, "grade_changed", {"tokens": "T2"}).events_a_year == 0
    one = price(here, "grade_changed", {"tokens": "T1"}).events_a_year
    assert one == pytest.approx(6 / 60 * 365, rel=0.05)
    assert price(here, "grade_changed").events_a_year == pytest.approx(one, rel=0.05)


def test_a_few_days_are_too_little_to_estimate_from(here: Script) -> None:
    here.feed("grade_changed")
    for day in range(10):
        here.day(day, {1: 20.0 if day % 2 else 80.0}, "trader_grades")
    assert price(here, "grade_changed").events_a_year is None


def test_a_preview_is_the_subscription_that_is_not_made(here: Script) -> None:
    seen = subscribe.preview_subscription(here.gradewire, "grade_changed", {"points": "7"}, {"tokens": "T1"})
    assert (seen["trigger"], seen["options"]["points"], seen["scope"]) == ("grade_changed", 7, {"kind": "tokens", "ids": [1]})
    assert seen["cost"]["added_calls_a_month"] == 31
    assert subscribe.list_subscriptions(here.gradewire, here.account) == []


# -- what cannot be had -----------------------------------------------------------------------------------------------


def test_a_source_that_the_plan_has_not_is_refused_naming_the_option_and_what_would_do(here: Script) -> None:
    here.gradewire.settings = here.gradewire.settings.replace(plan="free")
    published = replace(here.catalogue.sources["quantmetrics"], plan="advanced")
    here.gradewire.__dict__["catalogue"] = replace(here.catalogue, sources={**here.catalogue.sources, "quantmetrics": published})
    options = {"window": "published"}
    for refused in (
        lambda: subscribe.preview_subscription(here.gradewire, "sharpe_threshold", options, {}),
        lambda: hooks.create_hook(here.gradewire, here.account, "http://127.0.0.1:9/", "sharpe_threshold", options, {}),
        lambda: feeds.read(here.gradewire, here.account, "sharpe_threshold", options, {}, feeds.Window()),
        lambda: here.subscribed("sharpe_threshold", **options),
    ):
        with pytest.raises(InvalidInput, match=r"from the Advanced plan .*another window: 30d, 90d, 365d") as error:
            refused()
        assert error.value.field == "window"
    here.subscribed("sharpe_threshold", window="90d")
    found = {each["key"]: each for each in offer.catalogue(here.gradewire)}
    sharpe = found["sharpe_threshold"]
    assert (sharpe["available"], sharpe["reason"]) == (True, None)
    assert {each["key"]: each["available"] for each in sharpe["sources"]}["quantmetrics"] is False
    assert "Advanced plan" in next(each["reason"] for each in sharpe["sources"] if each["key"] == "quantmetrics")


def test_a_trigger_of_which_nothing_can_be_had_says_so(here: Script) -> None:
    gone = replace(here.catalogue.sources["indices_holdings"], gone="Token Metrics has closed this endpoint.")
    here.gradewire.__dict__["catalogue"] = replace(here.catalogue, sources={**here.catalogue.sources, "indices_holdings": gone})
    with pytest.raises(InvalidInput, match="closed this endpoint") as error:
        here.subscribed("index_rebalanced")
    assert error.value.field == "trigger"
    found = {each["key"]: each for each in offer.catalogue(here.gradewire)}
    assert found["index_rebalanced"]["available"] is False
    assert "closed this endpoint" in found["index_rebalanced"]["reason"]


def test_on_the_free_plan_what_needs_no_dearer_source_can_be_had(here: Script) -> None:
    here.gradewire.settings = here.gradewire.settings.replace(plan="free")
    found = {each["key"]: each for each in offer.catalogue(here.gradewire)}
    assert (found["price_level"]["available"], found["price_level"]["reason"]) == (True, None)
    with pytest.raises(InvalidInput, match="Choose another line: own") as error:
        here.subscribed("price_level")
    assert error.value.field == "line"
    here.subscribed("price_level", level=50_000.0)


def test_what_stands_beside_daily_prices_a_month_late_can_never_fire_and_says_so(here: Script) -> None:
    reason = "Trading signals: on the Free plan they are 30 days older than Daily prices, too old to stand beside them."
    assert offer.catalogue(here.gradewire)[0]["available"] is True
    here.subscribed("signal_stop")
    here.gradewire.settings = here.gradewire.settings.replace(plan="free")
    found = {each["key"]: each for each in offer.catalogue(here.gradewire)}
    assert (found["signal_stop"]["available"], found["signal_stop"]["reason"]) == (False, reason)
    with pytest.raises(InvalidInput, match="too old to stand beside them"):
        here.subscribed("signal_stop", percent=5)
    here.gradewire.settings = here.gradewire.settings.replace(withheld_days=0)
    here.subscribed("signal_stop", percent=5)


def test_the_catalogue_says_what_each_source_takes(here: Script) -> None:
    found = {each["key"]: each for each in offer.catalogue(here.gradewire)}
    sources = {each["key"]: each for each in found["grade_changed"]["sources"]}
    assert (sources["trader_grades"]["calls_a_month"], sources["tm_grade"]["calls_a_month"]) == (31, 30)
    risk = {each["key"]: each for each in found["sharpe_threshold"]["sources"]}["risk_90d"]
    assert risk["calls_a_month"] == 31  # of the daily prices that it is derived from


# -- a month of it ----------------------------------------------------------------------------------------------------

SETS: dict[str, list[tuple[str, dict[str, Any], dict[str, Any]]]] = {
    "names alone": [],
    "any token": [("sharpe_threshold", {}, {}), ("grade_changed", {}, {"grade": "investor"})],
    "named tokens": [
        ("sharpe_threshold", {"tokens": "BTC,ETH"}, {"window": "90d"}),
        ("grade_changed", {"tokens": "ETH,SOL"}, {}),
        ("grade_changed", {"tokens": "BTC,SOL"}, {"grade": "tm"}),
    ],
    "scopes": [("grade_changed", {"top": 20}, {}), ("sharpe_threshold", {"top": 60}, {}), ("index_ranking", {}, {})],
    "an hour": [("new_reading", {"tokens": "BTC,ETH,SOL"}, {"source": "hourly_ohlcv"})],
}


@pytest.mark.parametrize("name", SETS)
def test_the_prices_of_wishes_are_within_five_percent_of_the_calls_of_a_month(
    name: str, sqlite_database: Database, tmp_path: Path
) -> None:
    days = 6 if name == "an hour" else 30  # an hourly source has a month of readings in a day
    with town(sqlite_database, tmp_path, sandbox=quiet(tokens=120)) as market:
        scheduling.run(market.gradewire)
        with market.gradewire.database.read() as connection:
            names = pricing.Meter(market.gradewire, connection).all(wanted(market.gradewire, connection))
        added, total = 0, round(names)
        for trigger, scope, options in SETS[name]:
            seen = subscribe.preview_subscription(market.gradewire, trigger, asked(trigger, options), scope)["cost"]
            market.subscribed(trigger, scope, **options)
            added, total = added + seen["added_calls_a_month"], seen["total_calls_a_month"]
        scheduling.run(market.gradewire)
        live(market, days - 1 / 24, most=6 * HOUR)
        counted = sum(market.calls.values())
        assert names + added == pytest.approx(total, abs=2)
        assert counted == pytest.approx(total * days / 30, rel=0.05), market.calls
