"""New readings: the sources and fields there are, and what counts as new."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.derive.describe import possible_sources
from integration.triggers.new_reading import SOURCES as OFFERED
from integration.triggers.new_reading import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, history_of, loaded

READABLE = {
    key: source
    for key, source in SOURCES.items()
    if source.subject == "token" and source.derivation is None and source.metrics and not source.gone
}


def test_every_polled_source_about_tokens_with_numbers_is_offered_with_its_fields_and_label() -> None:
    """Rooms of one floor do not import each other: what the trigger says of the sources is compared with them here."""
    said = {key: (watched.label, watched.fields) for key, watched in OFFERED.items()}
    assert said == {key: (source.label, tuple(m.name for m in source.metrics)) for key, source in READABLE.items()}


def test_each_offered_source_is_its_clock() -> None:
    for key in OFFERED:
        assert TRIGGER.sources(loaded(TRIGGER, {"source": key})) == (key,)
    assert set(possible_sources(TRIGGER)) == set(OFFERED)


@pytest.mark.parametrize("key", OFFERED)
def test_any_field_of_any_source_can_be_watched(key: str) -> None:
    for field in OFFERED[key].fields:
        options = loaded(TRIGGER, {"source": key, "field": field})
        past = history_of(SOURCES[key], TRIGGER, [(DAY, {field: 1.0}), (DAY + SOURCES[key].cadence, {field: 2.0})])
        fired = TRIGGER.scan(past, options)
        assert [(firing.fields["old_value"], firing.fields["new_value"]) for firing in fired] == [(1.0, 2.0)]
        assert set(fired[0].fields["values"]) == set(OFFERED[key].fields)
        assert json.dumps(dict(fired[0].fields), allow_nan=False)


@pytest.mark.parametrize(
    ("source", "field", "remedy"),
    [
        ("quantmetrics", "sharp", "Quant metrics have no field 'sharp'. Did you mean sharpe"),
        ("quantmetrics", "tm_trader_grade", "There are: volatility, all_time_return"),
        ("trader_grades", "trader_grade", "Did you mean tm_trader_grade"),
        ("prices", "x" * 200, "There are: price."),
    ],
)
def test_a_field_that_the_source_does_not_have_is_refused_with_the_nearest(source: str, field: str, remedy: str) -> None:
    with pytest.raises(ValidationError) as caught:
        loaded(TRIGGER, {"source": source, "field": field})
    assert remedy in caught.value.messages_dict["field"][0]
    assert len(caught.value.messages_dict["field"][0]) < 400


def test_a_source_that_is_not_offered_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValidationError, match="Must be one of: ai_reports, daily_ohlcv"):
        loaded(TRIGGER, {"source": "risk_90d"})


Row = tuple[int, float | None, float | None]  # (day, sharpe, sortino)


def expected(rows: Sequence[Row], field: str) -> list[tuple[int, dict[str, tuple[float, float]]]]:
    """Each row's fields whose last known value, at most three days old, is another one."""
    found = []
    for at, (day, *values) in enumerate(rows):
        changes = {}
        for name, place, value in (("sharpe", 1, values[0]), ("sortino", 2, values[1])):
            known = [row for row in rows[:at] if row[place] is not None]
            if value is not None and known and day - known[-1][0] <= 3 and known[-1][place] != value:
                changes[name] = (float(known[-1][place] or 0.0), float(value))
        if field in changes or (changes and not field):
            found.append((day * DAY, changes))
    return found


@examples(300)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([1, 1, 1, 1, 2, 3, 4]), *[st.sampled_from([0.0, 0.7, 0.7, 1.2, None])] * 2), max_size=20
    ),
    field=st.sampled_from(["", "sharpe", "sortino"]),
)
def test_what_is_new_is_compared_field_by_field_with_the_last_known(steps: list[Any], field: str) -> None:
    day, rows = 0, []
    for step, sharpe, sortino in steps:
        day += step
        rows.append((day, sharpe, sortino))
    past = history_of(SOURCES["quantmetrics"], TRIGGER, [(d * DAY, {"sharpe": a, "sortino": b}) for d, a, b in rows])
    fired = TRIGGER.scan(past, loaded(TRIGGER, {"field": field}))
    changed = [(f.as_of, {each["field"]: (each["old"], each["new"]) for each in f.fields["changed"]}) for f in fired]
    assert changed == expected(rows, field)
    for firing, (_, changes) in zip(fired, changed, strict=True):
        assert changes[firing.fields["field"]] == (firing.fields["old_value"], firing.fields["new_value"])
        assert firing.fields["field"] == (field or next(iter(changes)))
        assert (firing.fields["changed_count"], firing.fields["changed_fields"]) == (len(changes), ", ".join(changes))
