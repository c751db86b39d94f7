"""Times, sentences and the fields every event carries."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.payload import EventPayload, day_and_month, described, iso, sample

#: The contract with every receiver: a key may be added here, none may go or change its type.
KEYS = {
    "schema": "Integer", "id": "String", "trigger": "String", "label": "String", "is_sample": "Boolean", "sandbox": "Boolean",
    "restated": "Boolean", "subject": "String", "subject_id": "Integer", "subject_name": "String", "subject_symbol": "String",
    "as_of": "String", "known_at": "String", "summary": "String", "snapshot": "Dict",
}  # fmt: skip


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_620_950_400_000, "2021-05-14T00:00:00Z"),
        (1_620_950_400_001, "2021-05-14T00:00:00.001Z"),
        (1_620_950_400_999, "2021-05-14T00:00:00.999Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00Z"),
    ],
)
def test_times_are_utc_with_milliseconds_only_where_there_are_any(milliseconds: int, text: str) -> None:
    assert iso(milliseconds) == text


@given(milliseconds=st.integers(0, 4_102_444_800_000))
def test_a_time_comes_back_to_the_millisecond(milliseconds: int) -> None:
    since = datetime.fromisoformat(iso(milliseconds)) - datetime(1970, 1, 1, tzinfo=UTC)
    assert since.days * 86_400_000 + since.seconds * 1000 + since.microseconds / 1000 == milliseconds


def test_a_sentence_says_a_date_without_a_leading_zero() -> None:
    assert day_and_month("2021-05-04T23:59:59.999Z") == "4 May 2021"


def test_a_field_without_help_is_helped_by_its_label() -> None:
    assert described("Level") == {"label": "Level", "description": "Level"}
    assert described("Level", "To watch", unit="points") == {"label": "Level", "description": "To watch", "unit": "points"}


def test_no_key_is_removed_or_retyped() -> None:
    fields = EventPayload().fields
    assert {name: type(fields[name]).__name__ for name in KEYS} == KEYS
    assert [name for name in KEYS if fields[name].allow_none] == ["subject_id"]


def test_a_sample_is_marked_as_made_up_and_keeps_the_triggers_own_fields() -> None:
    event = sample("t", "New T", ("token:1", 1, "One", "ONE"), {"x": 1.5}, "One did.", "2021-05-14T00:00:00Z")
    assert set(event) == {*KEYS, "x"}
    assert (event["is_sample"], event["sandbox"], event["restated"]) == (True, False, False)
    assert event["known_at"] > event["as_of"]
    assert not EventPayload(only=list(KEYS)).validate({name: event[name] for name in KEYS})
