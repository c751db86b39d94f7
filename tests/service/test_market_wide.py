"""What is about the market as a whole, from poll to event: coverage, lists, and what is derived from every token."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from integration.domain.catalogue import MARKET
from integration.domain.errors import InvalidInput
from integration.service import filling
from integration.store.database import Database
from integration.store.tables import reading
from tests.market import Town, quiet, town

TOKENS = 60


@pytest.fixture
def market(sqlite_database: Database, tmp_path: Path) -> Iterator[Town]:
    with town(sqlite_database, tmp_path, sandbox=quiet(tokens=TOKENS)) as made:
        yield made


def days(market: Town, count: int, *sources: str) -> list[str]:
    """Poll these sources on so many days; how the polls ended."""
    ended = []
    for _ in range(count):
        ended += [market.poll_one(source).status for source in sources]
        market.pass_days()
    return ended


def texts(market: Town, source: str) -> list[Any]:
    rows = market.rows(reading, reading.c.source == source)
    assert {row.subject for row in rows} <= {MARKET}
    return [json.loads(row.text) for row in sorted(rows, key=lambda row: (row.as_of, row.version))]


def test_the_token_list_is_one_reading_and_whole_by_its_tokens(market: Town) -> None:
    assert market.poll_one("tokens").rows == TOKENS
    (said,) = texts(market, "tokens")
    assert len(said["tokens"]) == TOKENS
    market.pass_days()
    market.fault("short_page", "tokens", value=0.5)
    assert market.poll_one("tokens").status == "partial"
    assert len(texts(market, "tokens")) == 1


def test_tokens_that_disappear_and_come_back_are_told_as_events_about_the_market(market: Town) -> None:
    for trigger in ("token_listed", "token_delisted"):
        assert market.feed(trigger) == []
    days(market, 2, "tokens")
    market.fault("missing_tokens", "tokens", value=0.1)
    assert days(market, 3, "tokens") == ["done"] * 3
    (gone,) = market.feed("token_delisted")
    market.mend()
    days(market, 2, "tokens")
    (back,) = market.feed("token_listed")
    assert (gone["subject"], gone["subject_id"], gone["subject_name"]) == (MARKET, None, "The crypto market")
    assert gone["delisted_count"] == back["listed_count"] >= 1
    assert (gone["tokens"], back["tokens"]) == (TOKENS - gone["delisted_count"], TOKENS)
    assert len(market.feed("token_delisted")) == 1


def test_a_new_listing_of_the_sandbox_is_told(sqlite_database: Database, tmp_path: Path) -> None:
    with town(sqlite_database, tmp_path, sandbox=quiet(tokens=TOKENS, coming=2)) as market:
        assert market.feed("token_listed") == []
        for _ in range(12):
            market.poll("tokens")
            market.pass_days()
        (told,) = market.feed("token_listed")
        assert (told["listed_count"], told["as_of"][:10]) == (1, "2024-01-11")


def test_half_of_the_tokens_missing_is_believed_after_three_polls_and_still_delists_nobody(market: Town) -> None:
    for trigger in ("token_listed", "token_delisted"):
        assert market.feed(trigger) == []
    days(market, 2, "tokens")
    market.fault("missing_tokens", "tokens", value=0.5)
    assert days(market, 6, "tokens") == ["partial", "partial", "done", "done", "done", "done"]
    market.mend()
    days(market, 4, "tokens")
    assert [json.loads(row.payload) for row in market.events()] == []


def test_rankings_are_computed_only_where_somebody_wants_them_and_then_tell(market: Town) -> None:
    market.poll_all()
    market.feed("grade_changed")
    days(market, 2, "trader_grades")
    assert texts(market, "trader_ranking") == []
    assert market.feed("token_ranking", top=5, exit_buffer=0, cooldown_hours=0) == []
    days(market, 12, "trader_grades")
    events = market.feed("token_ranking", top=5, exit_buffer=0, cooldown_hours=0)
    assert events
    boards = {
        row.as_of: json.loads(row.text)["trader_grade"] for row in market.rows(reading, reading.c.source == "trader_ranking")
    }
    best = [{row["token_id"] for row in board["rows"][:5]} for _, board in sorted(boards.items())]
    moves = [(now - before, before - now) for before, now in pairwise(best) if now != before]
    told = [({row["token_id"] for row in e["entered"]}, {row["token_id"] for row in e["left"]}) for e in reversed(events)]
    assert told == moves[-len(told) :]
    assert {event["subject"] for event in events} == {MARKET}


def test_a_subscription_to_what_is_derived_from_the_market_polls_what_it_is_derived_from(market: Town) -> None:
    market.poll_all()
    market.subscribed("sector_breakout")
    market.pass_days()
    filling.fill_due(market.gradewire)
    market.poll_all()
    assert {"trader-grades", "investor-grades"} <= set(market.calls)
    (*_, said) = texts(market, "sectors")
    assert len(said["token_ids"]) == TOKENS
    assert None not in said["trader_grades"]
    assert {"layer-1", "defi"} <= set(said["sectors"])


def test_market_triggers_take_no_scope(market: Town) -> None:
    market.poll_all()
    with pytest.raises(InvalidInput, match="use no scope"):
        market.feed("market_regime_changed", {"tokens": [3375]})
