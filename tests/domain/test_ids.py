"""Canonical text and computed ids."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain import ids

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"), (1.0, "1"), (100, "100"), (1e2, "100"), (0.1, "0.1"), (1.50, "1.5"), (-0.0, "0"), (0, "0"), (-1.0, "-1"),
        (1e-7, "0.0000001"), (1e22, "10000000000000000000000"), (10**30 + 1, "1" + "0" * 29 + "1"), (True, "true"),
        (None, "null"), ("é\n", '"é\\n"'), ({3, 1, 2}, "[1,2,3]"), (("b", "a"), '["b","a"]'), ({}, "{}"), (set(), "[]"),
        ({"b": 1, "a": [True, None]}, '{"a":[true,null],"b":1}'),
    ],
)  # fmt: skip
def test_one_value_has_one_text(value: Any, text: str) -> None:
    assert ids.canonical(value) == text


@given(value=VALUES)
def test_the_text_is_json_that_says_the_same(value: Any) -> None:
    text = ids.canonical(value)
    assert ids.canonical(json.loads(text)) == text


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_exactly(value: float) -> None:
    text = ids.canonical(value)
    assert float(text) == value
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", text)


@given(one=NUMBERS, other=NUMBERS)
def test_numbers_agree_exactly_when_they_are_equal(one: float, other: float) -> None:
    # a float beyond 2**53 is written as the shortest decimal that means it, an integer digit by digit
    if max(abs(one), abs(other)) < 2**53:
        assert (ids.canonical(one) == ids.canonical(other)) == (one == other)


@given(pairs=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), NUMBERS), seed=st.randoms())
def test_the_order_of_keys_does_not_matter(pairs: dict[str, float], seed: Any) -> None:
    shuffled = list(pairs.items())
    seed.shuffle(shuffled)
    assert ids.canonical(dict(shuffled)) == ids.canonical(pairs)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan]])
def test_what_is_not_finite_has_no_text(value: Any) -> None:
    with pytest.raises(ValueError, match="finite"):
        ids.canonical(value)


def test_other_things_have_no_text() -> None:
    with pytest.raises(TypeError, match="bytes"):
        ids.canonical({"a": b"1"})


def test_an_event_id_is_the_first_128_bits_of_sha256_in_base32() -> None:
    text = 'sharpe_threshold\n1\n{"level":1}\ntoken:3375\n1620950400000'
    digest = hashlib.sha256(text.encode()).digest()
    wanted = "evt_" + base64.b32encode(digest[:16]).decode()[:26].lower()
    assert ids.event_id("sharpe_threshold", 1, '{"level":1}', "token:3375", 1_620_950_400_000) == wanted
    assert wanted == "evt_42pmssqm7w7o2taxdancllwjkq"


def test_rule_11_every_part_of_the_triple_makes_another_id() -> None:
    parts = [("t", 1, "{}", "token:1", 5), ("u", 1, "{}", "token:1", 5), ("t", 2, "{}", "token:1", 5),
             ("t", 1, '{"a":1}', "token:1", 5), ("t", 1, "{}", "token:2", 5), ("t", 1, "{}", "token:1", 6),
             ("t", 1, "{}", "token:15", 5), ("t", 1, "{}", "token:1", 55)]  # fmt: skip
    assert len({ids.event_id(*part) for part in parts}) == len(parts)


def test_rules_and_feeds_have_ids_of_their_own_kind() -> None:
    rule = ids.rule_id("t", 1, "{}")
    feed = ids.feed_id(rule, "{}")
    assert re.fullmatch(r"rul_[a-z2-7]{26}", rule)
    assert re.fullmatch(r"fed_[a-z2-7]{26}", feed)
    assert ids.rule_id("t", 2, "{}") != rule
    assert ids.feed_id(rule, '{"top":5}') != feed
