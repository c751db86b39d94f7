"""How snapshots of an index differ, against a plain comparison; and its share of stablecoins as a level."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.index_rebalanced import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded
from tests.triggers.reference import HOUR, side_above, side_below, told, turn_at

#: Percent by symbol; None is a snapshot of which rows are missing.
Weights = Mapping[str, int]
STABLE = ("USDC", "DAI")


def text(weights: Weights) -> str:
    rows = [
        {"token_id": sum(map(ord, symbol)), "name": symbol, "symbol": symbol, "weight": percent / 100, "market_cap": None}
        for symbol, percent in weights.items()
    ]
    return json.dumps({"holdings": rows})


def history(snapshots: Sequence[tuple[int, Weights | None]]) -> History:
    return history_of(SOURCES["indices_holdings"], TRIGGER, [(time, text(w) if w else {}) for time, w in snapshots])


def fired(asked: Mapping[str, Any], *snapshots: Weights | None) -> dict[int, dict[str, Any]]:
    """Firings by day, of one snapshot a day."""
    options = loaded(TRIGGER, asked)
    firings = TRIGGER.scan(history([(day * DAY, w) for day, w in enumerate(snapshots)]), options)
    return {firing.as_of // DAY: dict(firing.fields) for firing in firings}


def whole(parts: Sequence[tuple[str, int]]) -> dict[str, int]:
    """Weights that sum to 100."""
    weights = dict(parts)
    first = next(iter(weights))
    weights[first] += 100 - sum(weights.values())
    return weights


@st.composite
def pasts(draw: st.DrawFn) -> list[tuple[int, Weights | None]]:
    part = st.tuples(st.sampled_from(["A", "B", "C", *STABLE]), st.integers(1, 20))
    some = st.lists(part, min_size=1, max_size=4, unique_by=lambda p: p[0]).map(whole)
    palette = [*draw(st.lists(some, min_size=2, max_size=5)), None]
    time, snapshots = 0, []
    for step in draw(st.lists(st.sampled_from([DAY] * 6 + [DAY // 4, 2 * DAY, 3 * DAY, 4 * DAY, 31 * DAY]), max_size=16)):
        time += step
        snapshots.append((time, draw(st.sampled_from(palette))))
    return snapshots


@examples(300)
@given(past=pasts(), least=st.sampled_from([1.0, 5.0, 20.0, 100.0]), hours=st.sampled_from([0.0, 6.0, 24.0, 30.0]))
def test_rebalances_are_those_of_a_plain_comparison(past: list[tuple[int, Weights | None]], least: float, hours: float) -> None:
    options = loaded(TRIGGER, {"min_weight_change": least, "cooldown_hours": hours})
    complete = [(time, weights) for time, weights in past if weights]
    seen = [(time, 0.0) for time, _ in complete]
    items: dict[int, tuple[Any, ...]] = {}
    for at in range(1, len(complete)):
        (before, old), (now, new) = complete[at - 1], complete[at]
        added, removed = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
        changed = sorted(symbol for symbol in new.keys() & old.keys() if abs(new[symbol] - old[symbol]) >= least)
        turnover = sum(abs(new.get(s, 0) - old.get(s, 0)) for s in {*new, *old}) / 200
        if now - before <= 3 * DAY and (added or removed or changed):
            items[at] = (added, removed, changed, turnover)
    firings = TRIGGER.scan(history(past), options)
    assert [
        (
            f.as_of,
            *(sorted(row["symbol"] for row in f.fields[name]) for name in ("added", "removed", "changed")),
            pytest.approx(f.fields["turnover"]),
            f.fields["suppressed_count"],
        )
        for f in firings
    ] == [
        (seen[at][0], *items[at], suppressed) for at, suppressed in told(seen, list(items), round(hours * HOUR), lambda _: True)
    ]


@examples(200)
@given(
    past=pasts(),
    level=st.sampled_from([10.0, 20.0, 50.0, 100.0]),
    band=st.sampled_from([0.0, 1.0, 10.0]),
    direction=st.sampled_from(["up", "down", "either"]),
    confirm=st.sampled_from([1, 1, 2]),
)
def test_the_stablecoin_share_is_a_level(
    past: list[tuple[int, Weights | None]], level: float, band: float, direction: str, confirm: int
) -> None:
    asked = {"kind": "stablecoin_share", "stablecoin_share": level, "hysteresis": band, "direction": direction}
    try:
        options = loaded(TRIGGER, {**asked, "min_observations": confirm, "cooldown_hours": 0})
    except ValidationError:
        assert level >= 100 or (direction == "down" and level + band > 100)
        return
    seen = [(time, float(sum(w.get(symbol, 0) for symbol in STABLE))) for time, w in past if w]
    side = (side_below if direction == "down" else side_above)(level, band)
    wanted = {"up": [1], "down": [-1], "either": [1, -1]}[direction]
    turns = {at: turn for at in range(len(seen)) if (turn := turn_at(seen, at, DAY, confirm, side)) and turn.side in wanted}
    firings = TRIGGER.scan(history(past), options)
    assert [
        (f.as_of, round(100 * f.fields["previous_stablecoin_share"], 6), round(100 * f.fields["stablecoin_share"], 6))
        for f in firings
    ] == [(seen[at][0], seen[turn.before][1], seen[at][1]) for at, turn in turns.items()]
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(past), options)


def test_line_items_say_what_was_held_before_and_after_the_largest_change_first() -> None:
    fields = fired({}, {"A": 50, "B": 30, "C": 20}, {"A": 45, "B": 40, "D": 15})[1]
    assert fields["added"] == [
        {"token_id": 68, "name": "D", "symbol": "D", "weight": 0.15, "previous_weight": None, "change": 0.15}
    ]
    assert fields["removed"] == [
        {"token_id": 67, "name": "C", "symbol": "C", "weight": None, "previous_weight": 0.2, "change": -0.2}
    ]
    assert [(row["symbol"], row["change"]) for row in fields["changed"]] == [("B", 0.1), ("A", -0.05)]
    assert (fields["changed_symbols"], fields["turnover"], fields["previous_as_of"]) == ("B, A", 0.25, "1970-01-01T00:00:00Z")


def test_exactly_the_smallest_change_counts_in_decimals() -> None:
    assert list(fired({"min_weight_change": 1}, {"A": 31, "B": 69}, {"A": 30, "B": 70})) == [1]
    assert list(fired({"min_weight_change": 1.01}, {"A": 31, "B": 69}, {"A": 30, "B": 70})) == []


def test_what_is_compared_is_the_last_complete_snapshot() -> None:
    fields = fired({}, {"A": 50, "B": 50}, None, {"A": 60, "B": 40})[2]
    assert fields["previous_as_of"] == "1970-01-01T00:00:00Z"


def test_a_share_of_stablecoins_is_compared_with_the_last_snapshot_of_the_other_side() -> None:
    asked = {"kind": "stablecoin_share", "min_observations": 2}
    fields = fired(asked, {"A": 95, "USDC": 5}, {"A": 70, "USDC": 30}, {"A": 60, "USDC": 30, "DAI": 10})[2]
    assert (fields["previous_stablecoin_share"], fields["stablecoin_share"]) == (0.05, 0.4)
    assert (fields["crossed_at"], fields["added_symbols"], fields["changed_symbols"]) == (
        "1970-01-02T00:00:00Z",
        "DAI",
        "A, USDC",
    )


def test_whether_the_share_lies_above_its_level_is_known_a_rebalance_only_happens() -> None:
    past = history([(0, {"A": 95, "USDC": 5}), (DAY, None), (2 * DAY, {"A": 70, "USDC": 30})])
    assert TRIGGER.holds is not None
    states = TRIGGER.holds(past, loaded(TRIGGER, {"kind": "stablecoin_share"}))
    assert states is not None
    assert states.tolist() == [0, -1, 1]
    assert TRIGGER.holds(past, loaded(TRIGGER, {})) is None


@pytest.mark.parametrize(
    ("asked", "field", "text"),
    [
        ({"stablecoin_share": 20}, "stablecoin_share", "choose kind stablecoin_share"),
        ({"hysteresis": 2}, "hysteresis", "choose kind stablecoin_share"),
        ({"kind": "stablecoin_share", "min_weight_change": 2}, "min_weight_change", "choose kind rebalance"),
        ({"min_observations": 2}, "min_observations", "is what it is at once"),
        ({"kind": "stablecoin_share", "stablecoin_share": 5, "hysteresis": 6}, "hysteresis", "5 at most"),
        (
            {"kind": "stablecoin_share", "stablecoin_share": 100, "hysteresis": 0, "direction": "down"},
            "stablecoin_share",
            "never be crossed at 100: choose from 0, less than 100.",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(asked: Mapping[str, Any], field: str, text: str) -> None:
    with pytest.raises(ValidationError, match=text) as caught:
        loaded(TRIGGER, asked)
    assert list(caught.value.messages_dict) == [field]


def test_many_line_items_are_a_short_sentence() -> None:
    fields = fired({}, {"A": 100}, dict.fromkeys("BCDEFGHIJK", 10))[1]
    said = TRIGGER.summary({**TRIGGER.sample, **fields})
    assert said == (
        "Layer-1 Index was rebalanced: 10 added (B, C, D, E, F and 5 more), 1 removed (A); turnover 100.0 % on 10 June 2025."
    )
