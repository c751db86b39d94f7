"""Who joins and leaves the moonshot list, and with which return."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.triggers.moonshot_listed import PAST, TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, history_of, loaded
from tests.triggers.reference import HOUR, quiet, turn_at

AT = "2025-08-01T00:00:00Z"


def moonshot(symbol: str, **more: Any) -> dict[str, Any]:
    figures = {"market_cap": 5e7, "volume_24h": 1e6, "trader_grade": 90.0, "price_7d_pct_change": 3.0, "roi_pct": 12.0}
    return {"name": f"Coin {symbol}", "symbol": symbol, "moonshot_at": AT, "ended_at": None, **figures, **more}


def text(*rows: dict[str, Any]) -> str:
    return json.dumps({"moonshots": list(rows)})


def fired(asked: Mapping[str, Any], *days: tuple[str, str | None]) -> dict[int, dict[str, Any]]:
    """Firings by day, of an active and a past list a day."""
    options = loaded(TRIGGER, asked)
    both = PAST in TRIGGER.sources(options)
    readings = [
        (day * DAY, {"text": active, **({f"{PAST}.text": past} if both and past else {})})
        for day, (active, past) in enumerate(days)
    ]
    past = history_of(SOURCES["moonshots"], TRIGGER, readings, others={PAST: SOURCES[PAST]} if both else {})
    return {firing.as_of // DAY: dict(firing.fields) for firing in TRIGGER.scan(past, options)}


def active(*lists: str) -> list[tuple[str, None]]:
    return [(text(*(moonshot(symbol) for symbol in symbols)), None) for symbols in lists]


def test_leaving_is_told_with_the_return_and_the_end_that_the_past_list_gives() -> None:
    gone = moonshot("B", roi_pct=-7.5, ended_at="2025-08-15T00:00:00Z", market_cap=1.0)
    before, after = text(moonshot("A"), moonshot("B")), text(moonshot("A"))
    (row,) = fired({"moves": "leave"}, (before, None), (after, text(gone)))[1]["left"]
    assert (row["roi_pct"], row["roi_is_final"], row["ended_at"]) == (-7.5, True, "2025-08-15T00:00:00Z")
    assert row["market_cap"] == 5e7, "what it was worth while it was listed"


@pytest.mark.parametrize(
    "past",
    [
        None,
        text(moonshot("C", roi_pct=1)),
        text(moonshot("B", roi_pct=1, moonshot_at="2024-01-01T00:00:00Z")),
        text(moonshot("B", roi_pct=1, name="Another")),
    ],
    ids=["no past list", "others", "an earlier moonshot of its own", "a namesake"],
)
def test_without_its_own_entry_among_the_past_the_last_return_seen_is_told(past: str | None) -> None:
    before, after = text(moonshot("A"), moonshot("B", roi_pct=40)), text(moonshot("A"))
    (row,) = fired({"moves": "leave"}, (before, None), (after, past))[1]["left"]
    assert (row["roi_pct"], row["roi_is_final"], row["ended_at"]) == (40, False, None)


def test_the_mean_return_is_of_those_that_have_one() -> None:
    before = text(moonshot("A"), moonshot("B", roi_pct=10), moonshot("C", roi_pct=-4), moonshot("D", roi_pct=None))
    fields = fired({"moves": "both"}, (before, None), (text(moonshot("A")), None))[1]
    assert (fields["left_count"], fields["left_mean_roi_pct"]) == (3, 3.0)
    assert "B, C, D left with +3.0 % on average the moonshot list" in TRIGGER.summary({**TRIGGER.sample, **fields})


def test_a_market_cap_range_is_in_millions_and_includes_its_ends() -> None:
    days = [(text(moonshot("A")), None), (text(moonshot("A"), moonshot("B", market_cap=2.5e7)), None)]
    for low, high, told in ((25, 25, True), (None, 25, True), (25, None, True), (26, None, False), (None, 24, False)):
        assert bool(fired({"min_market_cap": low, "max_market_cap": high}, *days)) is told


def test_a_range_that_no_token_fits_is_refused() -> None:
    with pytest.raises(ValidationError, match="Must be 50 or more") as caught:
        loaded(TRIGGER, {"min_market_cap": 50, "max_market_cap": 40})
    assert set(caught.value.messages_dict) == {"max_market_cap"}


def test_the_past_list_is_polled_only_where_leaving_is_told() -> None:
    assert TRIGGER.sources(loaded(TRIGGER, {})) == ("moonshots",)
    for moves in ("leave", "both"):
        assert TRIGGER.sources(loaded(TRIGGER, {"moves": moves})) == ("moonshots", PAST)


@examples(200)
@given(data=st.data())
def test_who_joins_and_leaves_is_what_the_rules_read_plainly_say(data: st.DataObject) -> None:
    asked = {
        "moves": data.draw(st.sampled_from(["join", "leave", "both"])),
        "min_observations": data.draw(st.sampled_from([1, 1, 2, 3])),
        "cooldown_hours": data.draw(st.sampled_from([0.0, 6.0, 25.0, 100.0])),
    }
    lists = data.draw(st.lists(st.sets(st.sampled_from("ABCD"), min_size=1).map(sorted).map("".join), max_size=12))
    options, wanted = loaded(TRIGGER, asked), {"join": [1], "leave": [-1], "both": [1, -1]}[asked["moves"]]
    happened: dict[int, tuple[str, str]] = {}
    for symbol in "ABCD":
        seen = [(day * DAY, 1.0 if symbol in listed else -1.0) for day, listed in enumerate(lists)]
        turns = [turn_at(seen, at, DAY, options["min_observations"], int) for at in range(len(seen))]
        changes = [at for at, turn in enumerate(turns) if turn]
        for turn in filter(None, turns):
            if turn.side in wanted and not quiet(seen, changes, turn.at, round(options["cooldown_hours"] * HOUR)):
                joined, left = happened.get(turn.at, ("", ""))
                happened[turn.at] = (joined + symbol, left) if turn.side > 0 else (joined, left + symbol)
    found = fired(asked, *active(*lists))
    assert {
        day: (f["joined_symbols"].replace(", ", ""), f["left_symbols"].replace(", ", "")) for day, f in found.items()
    } == happened
