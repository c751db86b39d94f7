"""A cursor is a place among events, and knows the event it stands behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.cursors import cursor, mark, parse
from integration.domain.errors import BadCursor


@given(st.integers(0, 2**48 - 1), st.text(max_size=40))
def test_it_says_where_and_behind_what(seq: int, event: str):
    text = cursor(seq, event)
    assert parse(text) == (seq, mark(event))
    assert len(text) == 16
    assert text.isascii()
    assert not set(text) & set("+/=&?#% ")


@given(st.text(max_size=40))
def test_any_other_text_is_refused_with_the_remedy(text: str):
    if len(text) == 16 and text.isascii():
        return  # it may be one
    with pytest.raises(BadCursor, match="leave it out") as refused:
        parse(text)
    assert refused.value.field == "cursor"


@pytest.mark.parametrize("text", ["", "1", "A" * 15, "A" * 15 + "=", "A" * 16 + "=", "Ä" + "A" * 15, "A" * 8 + " " + "A" * 7])
def test_what_is_nearly_one_is_none(text: str):
    with pytest.raises(BadCursor):
        parse(text)


def test_another_event_has_another_mark():
    assert mark("evt_a") != mark("evt_b")
    assert mark("") == bytes(6)
