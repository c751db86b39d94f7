"""How people read an event."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integration.channels._event import change, clean, cut, facts, moment, notes, shown, snapshot, spelled, title
from tests.channels.samples import event


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (1.0625, "1.0625"),
        (-0.0314159265, "-0.0314159"),
        (0.0000123456, "0.0000123456"),
        (999.987654, "999.988"),
        (1234567890.5, "1,234,567,890.50"),
        (0.0, "0"),
        (3375, "3375"),
        (True, "yes"),
        (False, "no"),
        (None, "–"),
        ("bullish", "bullish"),
        ("2021-05-14T00:00:00Z", "14 May 2021"),
        ("2021-05-14T13:05:00Z", "14 May 2021 13:05 UTC"),
    ],
)
def test_values_are_shown_for_people(value: object, text: str) -> None:
    assert shown(value) == text


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_never_come_as_powers_of_ten(value: float) -> None:
    assert set(shown(value)) <= set("-0123456789.,")


@settings(deadline=None)
@given(st.text())
def test_clean_text_is_one_line_that_can_be_encoded(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert len(cleaned.splitlines()) <= 1
    assert not set(cleaned) & set("\x00\r\n\u202e\u2066")


@settings(deadline=None)
@given(st.text(), st.integers(1, 50))
def test_cut_text_fits(text: str, limit: int) -> None:
    assert len(cut(text, limit)) <= limit
    assert len(text) > limit or cut(text, limit) == text


def test_facts_are_the_triggers_own_fields_that_say_something() -> None:
    assert facts(event()) == [
        ("Direction", "up"),
        ("Level", "1"),
        ("Ratio", "1.0625"),
        ("Previous Ratio", "0.94"),
        ("Tiny", "0.0000123456"),
        ("Huge", "1,234,567,890.50"),
        ("Confirmed", "yes"),
        ("Crossed At", "14 May 2021 13:05 UTC"),
    ]


def test_a_count_is_shown_unless_it_is_zero() -> None:
    assert ("Suppressed Count", "2") in facts(event(suppressed_count=2))


@pytest.mark.parametrize(
    ("own", "pair"),
    [
        ({"previous_x": 1, "x": 2}, (1, 2)),
        ({"new_x": 2, "old_x": 1}, (1, 2)),
        ({"previous_x": 1}, (None, None)),
        ({"old_x": 1, "x": 2}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_before_and_after_are_found_by_name(own: dict[str, int], pair: tuple[object, object]) -> None:
    assert change({**own, "subject_name": "Bitcoin"}) == pair


def test_a_title_names_what_happened_and_to_whom() -> None:
    assert title(event()) == "Sharpe Ratio Crossing: Bitcoin (BTC)"
    assert title(event(subject_symbol="")) == "Sharpe Ratio Crossing: Bitcoin"


def test_notes_say_what_to_beware_of() -> None:
    assert notes(event()) == []
    assert notes(event(sandbox=True, is_sample=True, restated=True)) == ["sandbox data", "made-up sample", "corrected data"]


def test_metrics_are_shown_with_their_own_dates() -> None:
    day = "2021-05-18T00:00:00Z"
    shot = {"tm_trader_grade": {"value": 84.16, "as_of": day}, "sharpe": {"value": None, "as_of": day}}
    assert snapshot(event(snapshot=shot)) == [("TM Trader Grade", "84.16", "18 May 2021")]


def test_words_are_spelled_as_the_field_spells_them() -> None:
    assert [spelled(key) for key in ("daily_value_at_risk", "max_roi", "tm_grade")] == [
        "Daily Value At Risk",
        "Max ROI",
        "TM Grade",
    ]
    assert moment("1970-01-01T00:00:00Z") == "1 January 1970"
