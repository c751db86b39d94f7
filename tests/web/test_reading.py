"""Feeds, samples, the catalogue, dropdowns and single events."""

from __future__ import annotations

from typing import Any

import pytest

from integration import triggers
from integration.domain.catalogue import SubjectRow
from integration.domain.payload import iso
from integration.service.wiring import Gradewire
from integration.store.queries import events
from integration.web import create_app
from tests.web.conftest import NOW, Asker, Market, Wall, asker, small_market


def test_a_feed_is_a_bare_array_newest_first_of_the_stored_bytes(both, wall: Wall):
    market = small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    ada.get("triggers/grade_changed", tokens="3375")
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 70.0})
    answer = ada.get("triggers/grade_changed", tokens="3375")
    told = answer.get_json()
    assert [(event["subject_id"], event["change"]) for event in told] == [(3375, 17.0), (3375, -13.0), (3375, 15.0)]
    with both.database.read() as connection:
        stored = [events.one(connection, event["id"]).payload for event in told]
    assert answer.get_data(as_text=True) == f"[{','.join(stored)}]"
    assert answer.headers["X-Next-Cursor"] == told[0]["id"]


def test_a_feed_is_cut_by_limit_since_and_after_id(ada: Asker, market: Market):
    told = ada.get("triggers/grade_changed", tokens="3375").get_json()
    newer, older = told
    assert ada.get("triggers/grade_changed", tokens="3375", limit=1).get_json() == [newer]
    assert ada.get("triggers/grade_changed", tokens="3375", after_id=older["id"]).get_json() == [newer]
    assert ada.get("triggers/grade_changed", tokens="3375", after_id=newer["id"]).get_json() == []
    for since in (newer["known_at"], newer["known_at"].replace("Z", "+00:00"), market.wall() - 3 * 3_600_000):
        assert ada.get("triggers/grade_changed", tokens="3375", since=since).get_json() == [newer]
    assert ada.get("triggers/grade_changed", tokens="3375", since="2999-01-01").get_json() == []


def test_a_feed_is_paged_back_by_before_id_and_comes_in_an_envelope(ada: Asker, market: Market):
    newer, older = ada.get("triggers/grade_changed", tokens="3375").get_json()
    assert ada.get("triggers/grade_changed", tokens="3375", before_id=newer["id"]).get_json() == [older]
    assert ada.get("triggers/grade_changed", tokens="3375", envelope=1).get_json() == {
        "data": [newer, older], "next_cursor": newer["id"],
    }  # fmt: skip
    nothing = ada.get("triggers/grade_changed", tokens="3375", envelope="true", after_id=newer["id"]).get_json()
    assert nothing == {"data": [], "next_cursor": newer["id"]}


def test_a_feed_in_bundles_has_one_entry_for_each_poll(ada: Asker, market: Market):
    told = ada.get("triggers/grade_changed", bundle=1).get_json()
    assert [(one["count"], one["symbols"]) for one in told] == [(2, "BTC, BTC"), (2, "BTC, BTC")]
    wrapped = ada.get("triggers/grade_changed", bundle=1, envelope=1).get_json()
    assert wrapped == {"data": told, "next_cursor": told[0]["events"][-1]["id"]}


def test_what_of_a_feed_is_asked_for_is_checked(ada: Asker, market: Market, refused: Any):
    refused(ada.get("triggers/grade_changed", before_id="evt_none"), 404, "before_id")
    refused(ada.get("triggers/grade_changed", before_id="evt_a", after_id="evt_b"), 422, "before_id")
    refused(ada.get("triggers/grade_changed", bundle="perhaps"), 422, "bundle")
    says = refused(ada.get("triggers/grade_changed", bundle=1, after_id="bnd_a"), 422, "after_id")
    assert "no cursor" in says
    assert "next_cursor" in says


def test_a_feed_that_changed_is_sent_whatever_part_of_it_is_asked_for(ada: Asker, market: Market):
    def tag(**query: Any) -> str:
        return ada.get("triggers/grade_changed", **query).headers["ETag"]

    before = [tag(), tag(limit=1), tag(envelope=1), tag(bundle=1), tag(tokens="3375")]
    assert len(set(before)) == 5
    assert before[0] == tag()
    market.read("trader_grades", "tm_trader_grade", 0, {77: 70.0})
    after = [tag(), tag(limit=1), tag(envelope=1), tag(bundle=1), tag(tokens="3375")]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False, False, False, True]


def test_a_plus_that_was_not_escaped_still_means_a_zone(ada: Asker, market: Market):
    path = f"/v1/triggers/grade_changed?since={iso(NOW)[:19]}+00:00"
    assert ada.client.get(path, headers={"X-Api-Key": ada.key}).status_code == 200


def test_options_and_scopes_come_as_query(ada: Asker, market: Market):
    def subjects(**query: str) -> set[int]:
        return {event["subject_id"] for event in ada.get("triggers/grade_changed", **query).get_json()}

    assert subjects() == {3375, 77}
    assert subjects(points="14") == {3375, 77}
    assert subjects(points="16") == set()
    assert subjects(tokens="Ethereum,3375") == {3375}
    assert subjects(category="layer-1") == subjects(exchange="binance") == subjects(top="1") == {3375}
    assert subjects(points="", tokens="", limit="") == {3375, 77}


def test_a_feed_that_did_not_change_is_not_sent_again(ada: Asker, market: Market):
    first = ada.get("triggers/grade_changed")
    headers = {"X-Api-Key": ada.key, "If-None-Match": first.headers["ETag"]}
    again = ada.client.get("/v1/triggers/grade_changed", headers=headers)
    assert (again.status_code, again.get_data()) == (304, b"")


def test_a_sample_is_never_empty_and_marked_and_shaped_like_an_event(ada: Asker, market: Market, gradewire: Gradewire):
    gradewire.settings = gradewire.settings.replace(plan="advanced")  # published ratios are not in the free plan
    for key, options in (("grade_changed", {}), ("sharpe_threshold", {"window": "published"})):
        sample = ada.get(f"triggers/{key}/sample").get_json()
        assert [event["is_sample"] for event in sample] == [True]
        told = ada.get(f"triggers/{key}", **options).get_json()[0]
        assert sample[0].keys() == told.keys()
        assert not told["is_sample"]


def test_the_catalogue_says_what_may_be_asked_and_what_it_costs(ada: Asker, market: Market):
    found = {trigger["key"]: trigger for trigger in ada.get("triggers").get_json()}
    assert found.keys() == triggers.load().keys()
    grade = found["grade_changed"]
    options = {option["key"]: option for option in grade["options"]}
    assert options["points"] | {"help": ""} == {
        "key": "points", "label": "Points", "help": "", "type": "number", "unit": "points", "required": False,
        "default": 10.0, "min": 0.1, "max": 100,
    }  # fmt: skip
    assert options["grade"]["choices"] == ["trader", "investor", "tm"]
    assert [field["key"] for field in grade["scope"]] == ["tokens", "category", "exchange", "top"]
    assert [field["key"] for field in found["index_ranking"]["scope"]] == ["indices"]
    assert {
        "key": "change",
        "label": "Change",
        "help": "New minus old",
        "type": "number",
        "unit": "points",
        "nullable": False,
    } in (grade["payload"])
    assert [(s["key"], s["cadence_hours"], s["calls_a_month"], s["default"]) for s in grade["sources"]] == [
        ("trader_grades", 24.0, 31, True), ("investor_grades", 24.0, 31, False), ("tm_grade", 24.0, 30, False),
    ]  # fmt: skip
    assert grade["sample"]["is_sample"]


def test_me_is_the_account_of_the_key(ada: Asker):
    me = ada.get("me").get_json()
    assert me["email"] == "ada@example.com"
    assert me["id"].startswith("acc_")
    assert (me["key_prefix"], me["plan"], me["sandbox"]) == (ada.key[:12] + "…", "free", True)


@pytest.mark.parametrize(
    ("name", "query", "expected"),
    [
        ("tokens", {}, [(3375, "Bitcoin (BTC)"), (3306, "Ethereum (ETH)"), (77, "Bitcoin <b> (BTC)")]),
        ("tokens", {"q": "eth"}, [(3306, "Ethereum (ETH)")]),
        ("tokens", {"page": 1}, []),
        ("indices", {}, [(5, "Momentum (MOM)")]),
        ("metrics", {"q": "sharpe ratio (q"}, [("quantmetrics.sharpe", "Sharpe ratio (Quant metrics)")]),
        ("categories", {}, [("layer-1", "layer-1")]),
        ("exchanges", {"q": "kra"}, [("kraken", "kraken")]),
    ],
)
def test_dropdowns(ada: Asker, market: Market, name: str, query: dict[str, object], expected: list[tuple[object, str]]):
    assert [(choice["id"], choice["name"]) for choice in ada.get(f"lists/{name}", **query).get_json()] == expected


def test_an_event_is_found_by_its_id_by_every_account(ada: Asker, bob: Asker, market: Market):
    event = ada.get("triggers/grade_changed").get_json()[0]
    assert bob.get(f"events/{event['id']}").get_json() == event


def test_answers_are_utf8(ada: Asker, market: Market):
    market.name(SubjectRow("token:9", "token", "Żubr"))
    assert '{"id":9,"name":"Żubr"}'.encode() in ada.get("lists/tokens").get_data()
