"""Searches, texts, and questions to Token Metrics AI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from werkzeug.test import TestResponse

from integration.domain.catalogue import SubjectRow
from integration.domain.posting import MOST
from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings
from integration.service.wiring import Gradewire
from integration.store.queries import budget
from integration.store.tables import call
from integration.web import create_app
from tests.web.conftest import NOW, Asker, Market, Wall, asker, small_market

Refused = Callable[[TestResponse, int, str | None], str]


@pytest.mark.parametrize(
    ("where", "text", "expected"),
    [
        ("tokens", "BTC", [3375, 77]),
        ("tokens", "bitcoin", [3375, 77]),
        ("tokens", "77", [77]),
        ("tokens", "eth", [3306]),
        ("tokens", "nothing", []),
        ("indices", "mom", [5]),
        ("indices", "BTC", []),
        ("tokens", "%", []),
        ("tokens", "_", []),
        ("tokens", "btc_", []),
        ("tokens", "\\", []),
        ("tokens", "' or 1=1 --", []),
        ("lists/tokens", "%", []),
        ("lists/tokens", " bitcoin ", [3375, 77]),
    ],
)
def test_what_is_looked_for_is_found_by_name_symbol_or_id(both, wall: Wall, where: str, text: str, expected: list[int]) -> None:
    small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    assert [found["id"] for found in ada.get(where, q=text).get_json()] == expected


def test_what_is_blank_finds_nothing_and_not_everything(ada: Asker, market: Market, refused: Refused) -> None:
    assert "Write a name" in refused(ada.get("tokens", q=" "), 422, "q")
    refused(ada.get("indices", q="\t"), 422, "q")


def test_a_misspelt_filter_does_not_let_everything_pass(ada: Asker, market: Market, refused: Refused) -> None:
    assert "Did you mean token?" in refused(ada.get("events/latest", tokn="BTC"), 422, "tokn")
    assert "Did you mean target_url?" in refused(ada.get("hooks", targeturl="https://example.com/hook"), 422, "targeturl")


def test_a_token_is_told_with_what_it_is(ada: Asker, market: Market) -> None:
    assert ada.get("tokens", q="ethereum").get_json() == [
        {
            "id": 3306, "subject": "token:3306", "name": "Ethereum", "symbol": "ETH", "label": "Ethereum (ETH)",
            "market_rank": 2, "categories": "layer-1", "exchanges": "binance, kraken",
        }
    ]  # fmt: skip


def test_what_is_named_just_so_comes_before_what_is_larger(ada: Asker, market: Market) -> None:
    market.name(SubjectRow("token:8", "token", "Ether", "X"))
    assert [found["id"] for found in ada.get("tokens", q="Ether").get_json()] == [8, 3306]


def test_the_latest_metrics_are_flat_listed_and_in_words(ada: Asker, market: Market) -> None:
    (eth,) = ada.get("metrics", token="eth").get_json()
    assert (eth["id"], eth["sharpe"], eth["tm_trader_grade"], eth["volatility"], eth["momentum"]) == (3306, 0.5, 40.0, None, None)
    assert [(m["key"], m["value"], m["source"]) for m in eth["metrics"] if m["source"] != "risk_30d"] == [
        ("sharpe", 0.5, "quantmetrics"), ("tm_trader_grade", 40.0, "trader_grades"),
    ]  # fmt: skip
    assert "Sharpe ratio: **0.5**" in eth["discord_text"]
    assert eth["as_of"] == eth["snapshot"]["tm_trader_grade"]["as_of"]
    assert [found["id"] for found in ada.get("metrics", token="BTC").get_json()] == [3375, 77]
    assert ada.get("metrics", token="nothing").get_json() == []
    (index,) = ada.get("metrics", index="5").get_json()
    assert (index["subject"], index["as_of"], index["metrics"]) == ("index:5", None, [])


def test_one_of_token_and_index_is_asked_for(ada: Asker, market: Market, refused: Refused) -> None:
    refused(ada.get("metrics"), 422, "token")
    refused(ada.get("metrics", token="1", index="2"), 422, "index")
    refused(ada.get("events/latest", token="1", index="2"), 422, "index")
    refused(ada.post("describe", {}), 422, "token")
    refused(ada.post("describe", {"token": "1", "event_id": "evt_1"}), 422, "event_id")


def test_the_newest_events_come_newest_first_of_every_rule(ada: Asker, market: Market) -> None:
    ada.get("triggers/grade_changed", points="14")
    ada.get("triggers/grade_changed", points="15")
    told = ada.get("events/latest", trigger="grade_changed").get_json()
    assert len(told) == 4
    every = [event["id"] for event in ada.get("events", all="true").get_json()["events"]]
    assert [event["id"] for event in told] == every[::-1]
    assert [event["subject_id"] for event in ada.get("events/latest", token="77").get_json()] == [77, 77]
    assert len(ada.get("events/latest", limit=1).get_json()) == 1
    assert ada.get("events/latest", index="5").get_json() == []


def test_a_token_and_an_event_are_described(ada: Asker, market: Market, refused: Refused) -> None:
    event = ada.get("triggers/grade_changed", tokens="3375").get_json()[0]
    about_event = ada.post("describe", {"event_id": event["id"]}).get_json()
    assert (about_event["kind"], about_event["subject_id"], about_event["event_id"]) == ("event", 3375, event["id"])
    assert about_event["text"].startswith("**Grade Change: Bitcoin (BTC)**\nBitcoin's trader grade")
    about_token = ada.post("describe", {"token": "ETH"}).get_json()
    assert (about_token["kind"], about_token["subject"], about_token["event_id"]) == ("token", "token:3306", None)
    assert "Trader grade: **40 of 100**" in about_token["text"]
    assert about_token["characters"] == len(about_token["text"]) <= MOST
    assert ada.post("describe", {"index": "Momentum"}).get_json()["subject_name"] == "Momentum"
    refused(ada.post("describe", {"token": "BTC"}), 422, "token")
    refused(ada.post("describe", {"event_id": "evt_none"}), 404, None)


# -- Token Metrics AI --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    settings = SandboxSettings(tokens=40, paused=True, start=date(2024, 1, 1), plan="premium")
    with RunningSandbox(settings) as running:
        yield running


@pytest.fixture
def premium(gradewire: Gradewire, sandbox: RunningSandbox) -> Iterator[Gradewire]:
    upstream: dict[str, Any] = {"tokenmetrics_url": sandbox.url, "sandbox_key": SANDBOX_KEY, "plan": "premium"}
    gradewire.settings = gradewire.settings.replace(**upstream)
    yield gradewire
    sandbox.sandbox.faults.clear()


def calls(gradewire: Gradewire) -> list[tuple[str, int]]:
    with gradewire.database.read() as connection:
        return [(row.endpoint, row.status) for row in connection.execute(call.select())]


def test_a_question_is_answered_by_upstream_for_one_call(premium: Gradewire, ada: Asker) -> None:
    answer = ada.post("tmai", {"question": "What now?"}).get_json()
    assert (answer["question"], answer["sandbox"]) == ("What now?", True)
    assert answer["answer"].endswith("You asked: What now?")
    assert calls(premium) == [("tmai", 200)]
    assert premium.budget.used(premium.now()).month == 1


def test_a_plan_without_it_makes_no_call(gradewire: Gradewire, ada: Asker, refused: Refused) -> None:
    assert "Premium" in refused(ada.post("tmai", {"question": "What now?"}), 403, None)
    assert calls(gradewire) == []


def test_what_upstream_refuses_or_breaks_is_said_once(
    premium: Gradewire, sandbox: RunningSandbox, ada: Asker, refused: Refused
) -> None:
    for fault, status in (("forbidden", 403), ("rate_limited", 429), ("server_error", 503), ("not_json", 503)):
        sandbox.sandbox.faults.clear()
        sandbox.sandbox.faults.add(fault)
        answer = ada.post("tmai", {"question": "What now?"})
        refused(answer, status, None)
        assert ("Retry-After" in answer.headers) == (status == 429)
    assert [endpoint for endpoint, _ in calls(premium)] == ["tmai"] * 4


def test_people_ask_no_more_than_polling_leaves_them(premium: Gradewire, ada: Asker, refused: Refused) -> None:
    premium.settings = premium.settings.replace(calls_per_month=20, reserve_percent=10)
    start = NOW - NOW % premium.budget.month_ms
    for _ in range(2):
        assert ada.post("tmai", {"question": "What now?"}).status_code == 200
    answer = ada.post("tmai", {"question": "What now?"})
    assert "questions a month" in refused(answer, 429, None)
    assert int(answer.headers["Retry-After"]) == (start + premium.budget.month_ms - premium.now()) // 1000
    with premium.database.read() as connection:
        assert budget.used(connection, "month", start) == 2


@pytest.mark.parametrize("body", [{}, {"question": ""}, {"question": " \n\u00a0"}, {"question": "x" * 2_001}, {"question": None}])
def test_a_question_is_a_text_of_some_length(ada: Asker, refused: Refused, body: dict[str, Any]) -> None:
    refused(ada.post("tmai", body), 422, "question")


def test_the_grades_that_triggers_can_watch_are_a_dropdown(ada: Asker) -> None:
    assert ada.get("lists/grades").get_json() == [
        {"id": "trader", "name": "Trader grade"}, {"id": "investor", "name": "Investor grade"}, {"id": "tm", "name": "TM grade"},
    ]  # fmt: skip
    assert [grade["id"] for grade in ada.get("lists/grades", q="INVEST").get_json()] == ["investor"]
