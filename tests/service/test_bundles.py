"""Bundles: what a poll brings as one object, of the same bytes by hook and by feed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.domain import bundle
from integration.domain.errors import InvalidInput
from integration.domain.ids import bundle_id
from integration.service import deliver, feeds, firing, hooks
from integration.service.subscribe import manner_of
from integration.store.database import Database
from tests.market import asked
from tests.receiver import Receiver
from tests.service.script import Script, script

OPTIONS = asked("sharpe_threshold", {"cooldown_hours": 0})


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made


def hook(here: Script, receiver: Receiver, **how: Any) -> dict[str, Any]:
    made, _ = hooks.create_hook(here.gradewire, here.account, receiver.url("/hook"), "sharpe_threshold", OPTIONS, {}, **how)
    return made


def feed(here: Script, **window: Any) -> list[str]:
    window = {"bundle": True, **window}
    return feeds.read(here.gradewire, here.account, "sharpe_threshold", OPTIONS, {}, feeds.Window(**window))


def swing(here: Script, days: range, tokens: int) -> None:
    """Days on which so many tokens change sides."""
    for day in days:
        here.day(day, dict.fromkeys(range(1, tokens + 1), 1.2 if day % 2 else 0.9))


def arrived(here: Script, receiver: Receiver) -> list[str]:
    deliver.drain_all(here.gradewire)
    got = [request.body.decode() for request in receiver.requests]
    assert [json.loads(body)["id"] for body in got] == [request.headers["webhook-id"] for request in receiver.requests]
    receiver.requests.clear()
    return got


def test_a_hook_and_a_feed_tell_each_poll_once_and_in_the_same_bytes(here: Script, receiver: Receiver) -> None:
    assert hook(here, receiver, bundle=True)["bundle"] is True
    assert feed(here) == []
    swing(here, range(4), 7)
    got = arrived(here, receiver)
    assert sorted(got) == sorted(feed(here))
    told = [json.loads(text) for text in feed(here)]
    assert [(one["count"], one["as_of"][:10]) for one in told] == [(7, f"2024-01-0{day}") for day in (4, 3, 2)]
    assert len({one["id"] for one in told}) == 3
    stored = {row.id: row.payload for row in here.events()}
    for text, one in zip(feed(here), told, strict=True):
        assert one["id"] == bundle_id([event["id"] for event in one["events"]])
        assert all(stored[event["id"]] in text for event in one["events"])


def test_a_poll_with_one_event_is_a_bundle_too_and_says_what_that_says(here: Script, receiver: Receiver) -> None:
    hook(here, receiver, bundle=True)
    swing(here, range(2), 1)
    (one,) = [json.loads(body) for body in arrived(here, receiver)]
    event = one["events"][0]
    assert (one["type"], one["count"], one["trigger"]) == ("bundle", 1, "sharpe_threshold")
    assert one["summary"] == one["first_summary"] == event["summary"]
    assert (one["names"], one["first_name"]) == (event["subject_name"],) * 2
    assert event["summary"].split()[0] in one["discord_text"]


def test_a_hook_is_told_each_event_unless_it_asks_for_bundles_and_can_change_its_mind(here: Script, receiver: Receiver) -> None:
    first = hook(here, receiver)
    swing(here, range(2), 3)
    assert len(arrived(here, receiver)) == 3
    again = hook(here, receiver, bundle=True)
    assert (again["id"], again["bundle"]) == (first["id"], True)
    swing(here, range(2, 3), 3)
    assert [json.loads(body)["count"] for body in arrived(here, receiver)] == [3]
    assert hook(here, receiver)["bundle"] is True
    assert hook(here, receiver, bundle=False)["bundle"] is False


def test_more_than_a_bundle_holds_becomes_several_of_the_same_members_everywhere(
    here: Script, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "MOST", 4)
    monkeypatch.setattr("integration.service.grouping.MOST_BUNDLED", 4)
    hook(here, receiver, bundle=True)
    feed(here)
    swing(here, range(2), 10)
    got = arrived(here, receiver)
    assert sorted(json.loads(body)["count"] for body in got) == [2, 4, 4]
    assert sorted(got) == sorted(feed(here))


def test_pages_of_bundles_lose_and_split_none(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    feed(here)
    swing(here, range(9), 5)
    every = feed(here)
    assert len(every) == 8
    assert feed(here, limit=3) == every[:3]
    monkeypatch.setattr(feeds, "LOOKED_AT", 12)
    assert feed(here) == every[:2]  # the third is cut off: it is left out, not cut
    monkeypatch.setattr(feeds, "LOOKED_AT", 20_000)
    monkeypatch.setattr(feeds, "MOST_TOLD", 11)
    assert feed(here) == every[:2]
    newest = json.loads(every[3])["events"][-1]["id"]
    assert feed(here, after_id=newest, limit=2) == every[1:3]
    oldest = json.loads(every[3])["events"][0]["id"]
    assert feed(here, before_id=oldest, limit=2) == every[4:6]


def test_what_filled_a_feed_is_bundled_by_when_it_became_known(here: Script) -> None:
    swing(here, range(3), 5)
    assert [json.loads(text)["count"] for text in feed(here)] == [5, 5]


def test_a_test_event_comes_as_a_bundle_where_events_do(here: Script, receiver: Receiver) -> None:
    made = hook(here, receiver, bundle=True)
    firing.fire(here.gradewire, here.account, "sharpe_threshold", subscription_id=made["id"])
    (one,) = [json.loads(body) for body in arrived(here, receiver)]
    assert (one["type"], one["count"], one["is_sample"]) == ("bundle", 1, True)


def test_only_webhooks_can_be_told_in_bundles(here: Script) -> None:
    with pytest.raises(InvalidInput, match="grouped or each"):
        manner_of(here.gradewire, "slack", "bundle")
