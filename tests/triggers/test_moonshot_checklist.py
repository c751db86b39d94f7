"""What each item of the checklist asks, what is not known, and when a token is a candidate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.moonshot_checklist import CLOCK, ITEMS, TRIGGER, UNANSWERED
from tests.triggers.logs import DAY, SOURCES, history_of, loaded

GOOD = {
    "size": 400.0,
    "volume": 5e6,
    "trader_grade": 90.0,
    **dict.fromkeys(("investor_grade", "fundamental", "technology", "valuation"), 75.0),
    **dict.fromkeys(("exchanges", "security", "community", "tokenomics", "backers", "development"), 8.0),
}
WEAK = {name: 0.0 for name in GOOD if name not in ("size", "volume")}
Day = Mapping[str, Any] | None


def history(options: Mapping[str, Any], *days: Day) -> History:
    """A reading a day: figures by item, changed from good ones; a source named as absent says nothing; None = all null."""
    inputs = TRIGGER.sources(options)
    readings = []
    for day, changed in enumerate(days):
        figures = {**(dict.fromkeys(GOOD) if changed is None else GOOD), **(changed or {})}
        absent = figures.pop("absent", None)
        reading = {}
        for name, item in ITEMS.items():
            if item.source == CLOCK:
                reading[item.metric] = figures[name]
            elif item.source in inputs and item.source != absent:
                reading[f"{item.source}.{item.metric}"] = figures[name]
        readings.append((day * DAY, reading))
    return history_of(SOURCES[CLOCK], TRIGGER, readings, others={name: SOURCES[name] for name in inputs[1:]})


def fired(asked: Mapping[str, Any], *days: Day) -> dict[int, dict[str, Any]]:
    options = loaded(TRIGGER, asked)
    return {f.as_of // DAY: dict(f.fields) for f in TRIGGER.scan(history(options, *days), options)}


def states(asked: Mapping[str, Any], *days: Day) -> list[int]:
    options = loaded(TRIGGER, asked)
    assert TRIGGER.holds is not None
    found = TRIGGER.holds(history(options, *days), options)
    assert found is not None
    return [int(state) for state in found]


@pytest.mark.parametrize(
    ("item", "asked", "holds", "fails"),
    [
        ("size", {"rank_from": 101, "rank_to": 500}, [101, 500], [100, 501]),
        ("volume", {"min_volume": 2.5}, [2.5e6, 1e9], [2.4e6, 0]),
        ("trader_grade", {}, [85, 100], [84.9]),
        ("valuation", {"grades_at": 55}, [55, 80], [54.9]),
        ("backers", {"scores_at": 7}, [7, 10], [6.9]),
    ],
)
def test_an_item_holds_from_its_limit_on(item: str, asked: dict[str, Any], holds: list[float], fails: list[float]) -> None:
    bad = {"size": 1.0}.get(item, 0.0)
    for figure in holds + fails:
        found = fired({"items": item, "required": 1, **asked}, {item: bad}, {item: float(figure)})
        assert bool(found) is (figure in holds), figure


@pytest.mark.parametrize("item", ITEMS)
def test_every_item_is_answered_by_a_metric_and_counts_alone(item: str) -> None:
    source, metric = ITEMS[item].source, ITEMS[item].metric
    assert metric in {each.name for each in SOURCES[source].metrics}
    found = fired({"items": item, "required": 1}, {item: 0.0}, {})
    assert found[1]["held_items"] == item
    assert TRIGGER.sources(loaded(TRIGGER, {"items": item, "required": 1})) == tuple(dict.fromkeys((CLOCK, source)))


def test_an_event_names_what_holds_what_does_not_and_what_nobody_knows() -> None:
    fields = fired({"required": 10}, WEAK, {"security": 2.0, "backers": None, "size": None})[1]
    assert (fields["items_held"], fields["items_checked"]) == (10, 13)
    assert (fields["missed_items"], fields["unknown_items"]) == ("security", "size, backers")
    assert fields["unanswered"] == UNANSWERED
    lines = {line["item"]: line for line in fields["checklist"]}
    assert (lines["security"]["holds"], lines["security"]["value"]) == (False, 2.0)
    assert (lines["backers"]["holds"], lines["backers"]["value"]) == (None, None)
    assert lines["volume"] == {"item": "volume", "label": "Daily volume", "holds": True, "value": 5e6}


def test_a_figure_that_a_token_never_has_does_not_keep_it_from_becoming_a_candidate() -> None:
    nobody = {"backers": None, "development": None, "tokenomics": None}
    assert list(fired({}, {**WEAK, **nobody}, nobody)) == [1]


def test_what_a_source_did_not_say_yet_was_neither_so_nor_not_so() -> None:
    asked = {"required": 13}
    assert fired(asked, {"absent": "trader_grades"}, {}) == {}
    assert fired(asked, {"absent": "trader_grades", "security": 0.0}, {}) == {}
    # without two others it was none, whatever its trader grade
    assert list(fired(asked, {"absent": "trader_grades", "security": 0.0, "valuation": 0.0}, {})) == [1]


def test_a_reading_of_nulls_alone_changes_nothing() -> None:
    assert fired({}, {}, None, {}) == {}
    assert list(fired({}, WEAK, None, {})) == [2]
    assert states({}, None, {}, None, WEAK) == [-1, 1, -1, 0]


def test_a_candidate_stays_one_until_it_has_lost_as_many_items_as_the_band_says() -> None:
    lost_two, lost_three = {"volume": 0.0, "security": 0.0}, {"volume": 0.0, "security": 0.0, "size": 1.0}
    assert list(fired({"required": 13, "hysteresis": 3}, WEAK, {}, lost_two, {}, lost_three, {})) == [1, 5]
    assert states({"required": 13, "hysteresis": 3}, {}, lost_two, lost_three, lost_two, {}) == [1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("asked", "field", "text"),
    [
        ({"items": "size,volume", "required": 3}, "required", "Only 2 items"),
        ({"items": "size,price"}, "items", "There is no 'price'"),
        ({"required": 1, "hysteresis": 2}, "hysteresis", "use 1 at most"),
        ({"rank_from": 500, "rank_to": 400}, "rank_to", "Must be 500 or more"),
        ({"required": 1, "grades_at": 0, "scores_at": 0}, "grades_at", "some item always holds: use more than 0"),
    ],
)
def test_what_can_never_hold_is_refused_with_the_remedy(asked: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(ValidationError, match=text) as caught:
        loaded(TRIGGER, asked)
    assert set(caught.value.messages_dict) == {field}


def test_the_band_is_two_items_unless_fewer_are_required() -> None:
    assert loaded(TRIGGER, {})["hysteresis"] == 2
    assert loaded(TRIGGER, {"required": 1})["hysteresis"] == 1
