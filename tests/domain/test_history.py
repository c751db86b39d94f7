"""Which versions of the past count, and when: rules 7 and 8."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from integration.domain.history import Epoch, Firing, History, Log, epochs, replay

HOUR = 3_600_000
CADENCE = 10


def log(*arrivals: tuple[int, float]) -> Log:
    """A log of (as_of, value), known one by one in the order given."""
    return Log(
        "token:1",
        ("x",),
        CADENCE,
        np.asarray([as_of for as_of, _ in arrivals], dtype=np.int64),
        np.arange(len(arrivals), dtype=np.int64) + 1000,
        np.asarray([[value] for _, value in arrivals], dtype=np.float64).reshape(len(arrivals), 1),
        tuple(f"{as_of}={value:g}" for as_of, value in arrivals),
    )


def above_one(history: History) -> list[Firing]:
    """A scan that fires where the value rises above 1."""
    x = history.column("x").tolist()
    return [Firing(int(history.as_of[i]), {"x": x[i]}) for i in range(1, len(x)) if x[i] > 1 >= x[i - 1]]


def told(*arrivals: tuple[int, float]) -> list[tuple[int, float, int, bool]]:
    return [(t.firing.as_of, t.firing.fields["x"], t.known_at - 1000, t.restated) for t in replay(log(*arrivals), above_one)]


def contents(epoch: Epoch) -> list[tuple[int, float]]:
    return list(zip(epoch.history.as_of.tolist(), epoch.history.values[:, 0].tolist(), strict=True))


def settled(*arrivals: tuple[int, float]) -> list[tuple[int, float]]:
    """What history holds after all of them, seen by one more reading far ahead."""
    return contents(list(epochs(log(*arrivals, (999, 0))))[-1])[:-1]


def test_infinite_values_are_missing() -> None:
    history = next(epochs(log((0, float("inf")), (1, float("-inf")), (2, float("nan")), (3, 1e308)))).history
    assert np.isnan(history.column("x")).tolist() == [True, True, True, False]
    assert np.isinf(history.values[0, 0])


def test_an_unknown_metric_is_an_error() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        next(epochs(log((0, 1)))).history.column("y")


def test_an_empty_log_has_no_epoch_and_tells_nothing() -> None:
    assert list(epochs(log())) == []
    assert told() == []


def test_readings_in_order_are_one_epoch_without_copies() -> None:
    ordered = log((0, 0), (10, 2), (20, 0))
    (epoch,) = epochs(ordered)
    assert np.shares_memory(epoch.history.values, ordered.values)
    assert (epoch.first, epoch.restated) == (0, False)
    assert epoch.known_at == {0: 1000, 10: 1001, 20: 1002}


def test_texts_follow_their_values() -> None:
    last = list(epochs(log((0, 1), (20, 2), (10, 3), (20, 4), (30, 5))))[-1]
    assert last.history.texts == ("0=1", "10=3", "20=4", "30=5")


# -- rule 7: restatement -------------------------------------------------------------------------------------------------


def test_rule_7_the_last_version_known_before_any_later_as_of_counts() -> None:
    assert settled((0, 1), (0, 2), (10, 3), (0, 9), (10, 4)) == [(0, 2), (10, 4)]


def test_rule_7_a_restated_newest_value_is_evaluated_again() -> None:
    assert told((0, 0), (10, 1), (10, 2)) == [(10, 2, 2, True)]


def test_rule_7_a_restated_older_value_is_not() -> None:
    assert told((0, 0), (10, 1), (20, 1), (10, 2)) == []


def test_rule_7_what_was_told_stays_told_whatever_restates_it() -> None:
    assert told((0, 0), (10, 2), (10, 0), (10, 3)) == [(10, 2, 1, False)]


def test_rule_7_what_follows_is_evaluated_on_the_restated_value() -> None:
    assert told((0, 0), (10, 2), (10, 0), (20, 2)) == [(10, 2, 1, False), (20, 2, 3, False)]
    assert told((0, 0), (10, 0), (10, 2), (20, 2)) == [(10, 2, 2, True)]


def test_rule_7_the_first_reading_restated_is_still_the_first() -> None:
    assert told((0, 0), (0, 2)) == []


def test_rule_7_the_same_value_again_tells_nothing_again() -> None:
    assert told((0, 0), (10, 2), (10, 2), (10, 2)) == [(10, 2, 1, False)]


# -- rule 8: late data ---------------------------------------------------------------------------------------------------


def test_rule_8_a_late_reading_within_one_interval_takes_its_place_for_what_follows() -> None:
    assert settled((0, 0), (20, 1), (10, 2)) == [(0, 0), (10, 2), (20, 1)]


@pytest.mark.parametrize(("late", "counts"), [(11, True), (10, True), (9, False), (-50, False)])
def test_rule_8_exactly_one_interval_late_is_in_time(late: int, counts: bool) -> None:
    assert ((late, 7.0) in settled((0, 0), (20, 1), (late, 7))) is counts


def test_rule_8_a_late_reading_neither_fires_nor_changes_what_was_evaluated() -> None:
    assert told((0, 0), (20, 0), (10, 2)) == []
    assert told((0, 0), (20, 2), (10, 2)) == [(20, 2, 1, False)]


def test_rule_8_the_next_reading_is_judged_with_the_late_one_in_place() -> None:
    assert told((0, 0), (20, 1), (15, 2), (30, 2)) == [(30, 2, 3, False)]
    assert told((10, 2), (5, 0), (20, 2)) == []


def test_rule_8_a_late_reading_before_the_first_sets_what_the_next_is_compared_with() -> None:
    assert told((10, 2), (5, 0), (10, 3)) == [(10, 3, 2, True)]


def test_rule_8_a_late_reading_restated_stays_as_it_came() -> None:
    assert settled((0, 0), (20, 1), (10, 2), (10, 3)) == [(0, 0), (10, 2), (20, 1)]


def test_rule_8_one_that_was_too_late_stays_out_for_good() -> None:
    assert settled((0, 0), (30, 1), (10, 2), (10, 3)) == [(0, 0), (30, 1)]


def test_several_readings_of_one_poll_are_known_together_and_told_in_order() -> None:
    poll = log((0, 0), (10, 2), (20, 0), (30, 2))
    together = Log(
        poll.subject, poll.metrics, poll.cadence, poll.as_of, np.full(4, 7, dtype=np.int64), poll.values, poll.texts
    )  # fmt: skip
    assert [(t.firing.as_of, t.known_at) for t in replay(together, above_one)] == [(10, 7), (30, 7)]


def scans(arrivals: Sequence[tuple[int, float]]) -> int:
    calls = 0

    def scan(history: History) -> list[Firing]:
        nonlocal calls
        calls += 1
        return []

    replay(log(*arrivals), scan)
    return calls


def test_a_replay_scans_once_for_each_change_of_the_past_not_for_each_reading() -> None:
    assert scans([(i * 10, 0) for i in range(500)]) == 1
    assert scans([(0, 0), (10, 0), (10, 1), (20, 0), (30, 0), (25, 0), (40, 0)]) == 3
