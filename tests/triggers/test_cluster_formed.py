"""When a cluster is new, against the definition read plainly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.sources.clusters import LEVELS
from integration.triggers.cluster_formed import CORRELATIONS, TRIGGER, WINDOW
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded
from tests.triggers.reference import HOUR, told

#: (time, clusters as words, how many tokens were compared); None where there is no snapshot.
Snapshots = Sequence[tuple[int, str | None, int]]


def history(snapshots: Snapshots, cadence: int = DAY) -> History:
    readings: list[tuple[int, Any]] = []
    for time, words, compared in snapshots:
        parts = [[ord(c) for c in part] for part in (words or "").split()]
        names = {str(token): [f"Coin {chr(token)}", chr(token)] for part in parts for token in part}
        text = json.dumps({"compared": compared, "tokens": names, "clusters": {"0.8": parts}})
        readings.append((time, {"text": None if words is None else text}))
    return history_of(SOURCES["clusters"], TRIGGER, readings, cadence)


def expected(snapshots: Snapshots, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, list[str], int]]:
    seen = [
        (time, [set(p) for p in words.split() if len(p) >= options["min_size"]], n)
        for time, words, n in snapshots
        if words is not None
    ]
    confirm, span = options["min_observations"], options["look_back_days"] * DAY

    def comparable(at: int) -> list[int]:
        """The positions before the run that confirms, as far back as nothing parts them from now."""
        found = []
        for before in range(at - 1, -1, -1):
            (time, _, n), (later, _, m) = seen[before], seen[before + 1]
            if later - time > max(48 * HOUR, 3 * cadence) or 10 * min(n, m) < 7 * max(n, m) or seen[at][0] - time > span:
                break
            found.append(before)
        return found

    def had(position: int, cluster: set[str]) -> bool:
        return any(len(cluster & other) > len(cluster) / 2 for other in seen[position][1])

    def formed(at: int) -> list[str]:
        back = comparable(at)
        run, before = back[: confirm - 1], back[confirm - 1 :]
        if len(run) < confirm - 1 or not before:
            return []
        fresh = [c for c in seen[at][1] if all(had(p, c) for p in run) and not any(had(p, c) for p in before)]
        return ["".join(sorted(cluster)) for cluster in fresh]

    happened = [at for at in range(len(seen)) if formed(at)]
    plain = [(time, 0.0) for time, _, _ in seen]
    return [
        (seen[at][0], formed(at), n) for at, n in told(plain, happened, round(options["cooldown_hours"] * HOUR), lambda _: True)
    ]


def found(snapshots: Snapshots, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, list[str], int]]:
    return [
        (f.as_of, [line["symbols"].replace(", ", "") for line in f.fields["clusters"]], f.fields["suppressed_count"])
        for f in TRIGGER.scan(history(snapshots, cadence), options)
    ]


@st.composite
def questions(draw: st.DrawFn) -> tuple[Snapshots, int, dict[str, Any]]:
    asked = {
        "min_size": draw(st.sampled_from([3, 3, 4])),
        "look_back_days": draw(st.sampled_from([7, 8, 30])),
        "min_observations": draw(st.sampled_from([1, 1, 2, 3])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 25.0, 100.0])),
    }
    tokens = st.permutations("abcdefgh").map("".join)
    split = st.tuples(tokens, st.integers(0, 8), st.integers(0, 8))
    words = split.map(lambda each: f"{each[0][: each[1]]} {each[0][each[1] : each[1] + each[2]]}")
    seen = st.sampled_from([*draw(st.lists(words, min_size=2, max_size=6)), "", None])
    step = st.sampled_from([10] * 8 + [1, 20, 29, 30, 31, 60])
    compared = st.sampled_from([100] * 8 + [70, 69])
    cadence, time, snapshots = draw(st.sampled_from([DAY, DAY, 3 * DAY])), 0, []
    for tenths, clusters, count in draw(st.lists(st.tuples(step, seen, compared), max_size=25)):
        time += tenths * cadence // 10
        snapshots.append((time, clusters, count))
    return snapshots, cadence, loaded(TRIGGER, asked)


@examples(500)
@given(question=questions())
def test_what_forms_is_what_the_definition_read_plainly_says(question: tuple[Snapshots, int, dict[str, Any]]) -> None:
    snapshots, cadence, options = question
    assert found(snapshots, cadence, options) == expected(snapshots, cadence, options)


@examples(200)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: tuple[Snapshots, int, dict[str, Any]]) -> None:
    snapshots, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(snapshots, cadence), options)


def days(*snapshots: str) -> Snapshots:
    return [(day * DAY, words, 100) for day, words in enumerate(snapshots)]


def test_a_cluster_that_was_away_for_longer_than_the_look_back_is_new_again() -> None:
    options = loaded(TRIGGER, {"min_size": 3, "look_back_days": 7})
    assert found(days("", "abc", *[""] * 6, "abc"), DAY, options) == [(DAY, ["abc"], 0)]
    assert found(days("", "abc", *[""] * 7, "abc"), DAY, options) == [(DAY, ["abc"], 0), (9 * DAY, ["abc"], 0)]


def test_members_are_told_with_their_cluster_and_their_names() -> None:
    (firing,) = TRIGGER.scan(history(days("", "abcd xyz")), loaded(TRIGGER, {"min_size": 3}))
    assert [(m["cluster"], m["token_id"], m["name"]) for m in firing.fields["members"]][3:5] == [
        (1, 100, "Coin d"),
        (2, 120, "Coin x"),
    ]
    text = TRIGGER.summary({**TRIGGER.sample, **firing.fields})
    assert text.startswith(
        "2 groups of tokens, the largest of 4, began to move together (correlation from 0.8 over 30 days): a, b, c, d"
    )


def test_it_knows_the_levels_and_the_window_of_its_source() -> None:
    assert tuple(f"{level:g}" for level in CORRELATIONS) == LEVELS
    derivation = SOURCES["clusters"].derivation
    assert derivation is not None
    assert derivation.inputs[0].days == WINDOW


def test_a_confirmation_longer_than_what_it_is_compared_with_is_refused() -> None:
    with pytest.raises(ValidationError, match="use 6 at most"):
        loaded(TRIGGER, {"look_back_days": 7, "min_observations": 7})
