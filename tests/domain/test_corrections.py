"""Rule 7 over a rule so small that its reach can be seen: a value above one is told, with the value before it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.corrections import Correction, corrections, last_versions, revisions
from integration.domain.history import Firing, History, Log

#: What is told of a time looks back no further.
REACH = 10
CADENCE = 10


def log(*arrivals: tuple[int, float, int]) -> Log:
    """(as_of, value, known_at), in the order of arrival."""
    as_of, values, known_at = zip(*arrivals, strict=True) if arrivals else ((), (), ())
    return Log(
        "token:1",
        ("x",),
        CADENCE,
        np.asarray(as_of, dtype=np.int64),
        np.asarray(known_at, dtype=np.int64),
        np.asarray(values, dtype=np.float64).reshape(-1, 1),
        (None,) * len(arrivals),
    )


def above_one(history: History) -> list[Firing]:
    times, values = history.as_of.tolist(), history.column("x").tolist()
    before = dict(zip(times, values, strict=True))
    return [
        Firing(time, {"x": value, "before": before.get(time - REACH)})
        for time, value in zip(times, values, strict=True)
        if value > 1
    ]


def found(of: Log) -> list[tuple[int, int, object]]:
    """(as_of, when it became known, what is said now)."""
    return [
        (c.told.firing.as_of, c.known_at, None if c.now is None else dict(c.now.fields))
        for c in corrections(of, above_one, REACH)
    ]


def test_nothing_arrived_nothing_is_corrected() -> None:
    assert found(log()) == []
    assert found(log((0, 2, 0))) == []
    assert found(log((0, 2, 0), (10, 2, 1), (20, 0, 2))) == []


def test_what_is_told_no_longer_is_corrected_at_the_moment_that_is_known() -> None:
    assert found(log((0, 2, 0), (10, 0, 1), (0, 1, 7))) == [(0, 7, None)]


def test_what_would_be_told_with_other_fields_is_corrected() -> None:
    assert found(log((0, 0, 0), (10, 2, 1), (0, 1, 7))) == [(10, 7, {"x": 2.0, "before": 1.0})]
    assert found(log((10, 2, 1), (5, 1, 7))) == []
    assert found(log((10, 2, 1), (0, 1, 7))) == [(10, 7, {"x": 2.0, "before": 1.0})]


def test_what_would_be_told_only_now_is_no_correction() -> None:
    assert found(log((0, 0, 0), (10, 0, 1), (0, 2, 7))) == []


def test_an_as_of_is_corrected_once() -> None:
    assert found(log((0, 2, 0), (10, 0, 1), (0, 1, 7), (0, 2, 8), (0, 3, 9))) == [(0, 7, None)]


def test_the_same_value_again_corrects_nothing() -> None:
    assert found(log((0, 2, 0), (0, 2, 1), (10, 2, 2), (0, 2, 3))) == []


def test_only_times_within_reach_of_a_change_are_doubted() -> None:
    """A rule that says more than its reach allows is not looked at again for what lies beyond it."""
    assert found(log((0, 0, 0), (10, 2, 1), (20, 2, 2), (30, 2, 3), (0, 1, 7))) == [(10, 7, {"x": 2.0, "before": 1.0})]


def test_one_moment_is_one_revision_whatever_came_in_it() -> None:
    several = log((0, 0, 0), (10, 2, 1), (5, 0, 7), (10, 0, 7), (20, 2, 7), (20, 0, 8))
    assert [(r.known_at, r.end, r.changed, r.restated) for r in revisions(several)] == [
        (7, 5, (5, 10), True),
        (8, 6, (20,), True),
    ]
    assert [(r.changed, r.restated) for r in revisions(log((0, 0, 0), (10, 2, 1), (5, 0, 7)))] == [((5,), False)]
    assert list(revisions(log((0, 0, 0), (10, 2, 0), (20, 2, 1)))) == []


def test_the_last_version_of_each_as_of_counts_however_late_it_came() -> None:
    history = last_versions(log((0, 1, 0), (20, 2, 1), (0, 3, 2), (10, 4, 3), (0, 5, 4)), 4)
    assert history.as_of.tolist() == [0, 10, 20]
    assert history.column("x").tolist() == [3, 4, 2]


@given(
    arrivals=st.lists(st.tuples(st.integers(0, 8), st.sampled_from([0.0, 2.0, 3.0]), st.integers(0, 2)), max_size=12),
    since=st.integers(0, 80),
)
def test_a_log_cut_off_before_the_look_back_of_what_changed_last_corrects_the_same_then(
    arrivals: list[tuple[int, float, int]], since: int
) -> None:
    now, rows = 0, []
    for as_of, value, later in arrivals:
        now += later
        rows.append((10 * as_of, value, now))
    rows.sort(key=lambda row: (row[2], row[0]))
    whole = log(*rows)
    changed = [r.changed for r in revisions(whole) if r.known_at == now]
    oldest = min((min(each) for each in changed), default=since)
    part = log(*(row for row in rows if row[0] >= oldest - REACH))

    def then(of: Log) -> list[Correction]:
        return [each for each in corrections(of, above_one, REACH) if each.known_at == now]

    assert then(part) == then(whole)
