"""When a source is looked at, played against upstreams that publish at times of their own."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.history import max_gap
from integration.domain.pacing import FINEST, KEPT, Bracket, Habit, Look, Watch, brackets, ladder, learn, longest
from integration.domain.retry import DAY, HOUR, MINUTE

START = 19_723 * DAY


@dataclass
class Play:
    """A source looked at as it decides, by an upstream whose as_of n is published at `published(n)`."""

    published: Callable[[int], int]
    cadence: int = DAY
    interval: int = HOUR
    begins: int = START
    looks: list[Look] = field(default_factory=list)

    def run(self, periods: int) -> Play:
        end = self.begins + periods * self.cadence
        while (at := self.next()) < end:
            shown = max(n for n in range(-40, periods + 3) if self.published(n) <= at)
            self.looks.append(Look(at, START + shown * self.cadence))
        return self

    def next(self) -> int:
        if not self.looks:
            return self.begins
        found = self.watch().next(self.interval)
        assert found is not None
        return found

    def watch(self) -> Watch:
        newest = self.looks[-1].newest
        since = next(look.at for look in self.looks if look.newest == newest)
        grain = min(ladder(self.cadence, dated=True)[0], self.cadence)
        habit = learn(brackets(self.looks))
        return Watch(self.cadence, True, grain, habit, self.looks[-1].at, newest, since)

    def lateness(self, after: int = 0) -> list[int]:
        """How long each as_of had been there when it was seen."""
        found = [b.seen - self.published((b.as_of - START) // self.cadence) for b in brackets(self.looks)]
        return found[after:]

    def a_period(self, first: int, last: int) -> float:
        at = [self.begins + number * self.cadence for number in (first, last)]
        return sum(at[0] <= look.at < at[1] for look in self.looks) / (last - first)


def daily(offset: int) -> Callable[[int], int]:
    return lambda n: START + n * DAY + offset


# -- how often --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cadence", [10 * MINUTE, HOUR, DAY, 7 * DAY])
@pytest.mark.parametrize("dated", [True, False])
def test_a_ladder_rises_and_never_reaches_past_half_of_what_a_crossing_survives(cadence: int, dated: bool) -> None:
    rungs = ladder(cadence, dated=dated)
    assert list(rungs) == sorted(set(rungs))
    assert rungs[-1] <= max_gap(cadence) / 2
    assert cadence in rungs
    assert all(each >= min(FINEST, cadence) for each in rungs)
    assert dated or rungs[0] == cadence


def test_a_floor_takes_the_short_intervals_away_but_never_all() -> None:
    assert ladder(DAY, dated=True, floor=5 * HOUR)[0] == 6 * HOUR
    assert ladder(HOUR, dated=True, floor=5 * HOUR) == (6 * HOUR, 8 * HOUR, 12 * HOUR, 24 * HOUR)
    assert ladder(DAY, dated=True, floor=5 * DAY) == (longest(DAY),)


# -- around a change --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, HOUR, 5 * HOUR + 20 * MINUTE, 16 * HOUR, 23 * HOUR, 30 * HOUR, -3 * HOUR, 31 * DAY])
@pytest.mark.parametrize("begins", [0, 7 * HOUR, 14 * HOUR + 3 * MINUTE])
def test_after_two_weeks_each_change_is_found_within_the_interval_by_little_more_than_a_look(offset: int, begins: int) -> None:
    play = Play(daily(offset), begins=START + begins).run(60)
    assert max(play.lateness(after=12)) <= HOUR
    assert play.a_period(14, 60) <= 1.15
    assert len(play.looks) <= 60 * 1.3


def test_what_comes_at_the_start_of_the_slot_takes_one_look_more_in_a_month() -> None:
    play = Play(daily(0)).run(30)
    assert len(play.looks) == 31
    assert max(play.lateness()) == 0


def test_an_hourly_source_is_soon_found_a_quarter_of_an_hour_after_it_changes() -> None:
    stamped = 25 * MINUTE + 40_000

    def published(n: int) -> int:
        return START + n * HOUR + stamped

    play = Play(published, cadence=HOUR, interval=15 * MINUTE).run(100)
    assert max(play.lateness(after=5)) <= 15 * MINUTE
    assert play.a_period(6, 100) <= 1.1


def test_a_longer_interval_neither_probes_nor_tries_again_before_the_next_slot() -> None:
    play = Play(daily(0), interval=DAY).run(30)
    assert [look.at for look in play.looks] == [START + day * DAY for day in range(30)]
    assert len(Play(daily(0), interval=36 * HOUR).run(30).looks) == 20


@pytest.mark.parametrize("seed", range(5))
def test_one_that_comes_at_changing_times_is_found_soon_all_the_same(seed: int) -> None:
    chance = random.Random(seed)
    offsets = [chance.randrange(4 * HOUR, 8 * HOUR) for _ in range(200)]
    play = Play(lambda n: START + n * DAY + offsets[n]).run(60)
    late = sorted(play.lateness(after=14))
    assert late[len(late) // 2] <= 2 * HOUR
    assert late[-1] <= 5 * HOUR
    assert play.a_period(14, 60) <= 2.2


def test_one_that_is_late_for_once_is_looked_for_at_growing_waits_and_changes_no_habit() -> None:
    def published(n: int) -> int:
        return START + n * DAY + (9 * HOUR + 30 * MINUTE if n == 20 else 0)

    play = Play(published).run(40)
    day = [(look.at - START) / HOUR - 480 for look in play.looks if START + 20 * DAY <= look.at < START + 21 * DAY]
    assert day[:5] == [0, 1, 2, 4, 8]
    assert day[5] == 16
    assert play.a_period(21, 40) <= 1.1
    assert max(play.lateness(after=21)) == 0


@pytest.mark.parametrize(("before", "after"), [(0, 3 * HOUR), (3 * HOUR, 0), (16 * HOUR, 4 * HOUR)])
def test_a_habit_that_changes_is_learnt_anew(before: int, after: int) -> None:
    play = Play(lambda n: START + n * DAY + (before if n < 30 else after)).run(120)
    assert max(play.lateness(after=75)) <= HOUR
    assert play.a_period(75, 120) <= 1.15


def test_one_that_changes_weekly_is_not_looked_at_much_more_than_daily() -> None:
    play = Play(lambda n: START + (n + (-n) % 7) * DAY).run(70)
    assert play.a_period(14, 70) <= 2


def test_one_that_has_died_is_looked_at_about_once_in_its_cadence() -> None:
    play = Play(lambda n: START + n * DAY if n < 20 else START + 10_000 * DAY).run(60)
    assert 0.9 <= play.a_period(25, 60) <= 1.1


def test_a_freak_does_not_become_a_habit() -> None:
    play = Play(lambda n: START + n * DAY - (5 * HOUR if n == 20 else 0)).run(60)
    assert play.a_period(22, 60) <= 1.2
    assert max(play.lateness(after=22)) <= HOUR


@given(
    st.sampled_from([HOUR, DAY]),
    st.integers(0, len(ladder(DAY, dated=True)) - 1),
    st.lists(st.integers(-DAY, 2 * DAY), min_size=40, max_size=40),
    st.booleans(),
)
def test_looks_rise_on_their_grid_and_no_two_are_further_apart_than_the_longest_interval(
    cadence: int, rung: int, offsets: Sequence[int], begins_late: bool
) -> None:
    rungs = ladder(cadence, dated=True)
    interval = rungs[min(rung, len(rungs) - 1)]

    def published(n: int) -> int:
        return START + n * cadence + offsets[n % 40]

    play = Play(published, cadence=cadence, interval=interval, begins=START + 7 * MINUTE * begins_late).run(40)
    grain = min(rungs[0], cadence)
    times = [look.at for look in play.looks]
    assert all(at % grain == 0 for at in times[1:])
    assert all(0 < b - a <= longest(cadence) + grain for a, b in pairwise(times))
    if interval > cadence:
        assert all(b - a >= min(interval, longest(cadence)) for a, b in pairwise(times))
    assert len(times) <= 40 * 7 + 2


# -- without dates ----------------------------------------------------------------------------------------------------


def test_an_undated_source_is_looked_at_once_a_slot_whatever_is_known() -> None:
    watch = Watch(DAY, False, DAY, None, START + 7 * HOUR, START, START)
    assert watch.next(DAY) == START + DAY
    assert watch.next(HOUR) == START + DAY
    assert replace(watch, habit=Habit(0, HOUR, 0, 9)).next(DAY) == START + DAY
    assert watch.gap(DAY) == DAY


def test_what_was_never_looked_at_is_due_at_once() -> None:
    watch = Watch(DAY, True, HOUR)
    assert watch.next(HOUR) is None
    assert watch.looks(DAY, START, START + 10 * DAY) == 10


@pytest.mark.parametrize(("interval", "expected"), [(HOUR, 31), (DAY, 30), (36 * HOUR, 20)])
def test_looks_to_come_are_counted(interval: int, expected: int) -> None:
    assert Watch(DAY, True, HOUR).looks(interval, START, START + 30 * DAY) == expected


def test_no_look_is_expected_where_the_next_is_due_later() -> None:
    watch = Watch(DAY, True, HOUR, None, START, START, START)
    assert watch.looks(DAY, START + HOUR, START + DAY) == 0
    assert watch.looks(DAY, START + HOUR, START + DAY + 1) == 1


# -- what is learnt ---------------------------------------------------------------------------------------------------


def test_brackets_are_of_new_dates_alone() -> None:
    looks = [Look(0, 5), Look(10, 5), Look(20, 9), Look(25, 5), Look(30, 9), Look(40, 12), Look(40, 13)]
    assert list(brackets(looks)) == [Bracket(9, 10, 20), Bracket(12, 30, 40)]


def test_nothing_is_learnt_from_nothing() -> None:
    assert learn([]) is None


@given(st.lists(st.tuples(st.integers(-100, 100), st.integers(1, 100)), min_size=1, max_size=60))
def test_what_is_learnt_lies_between_what_was_seen(found: list[tuple[int, int]]) -> None:
    habit = learn(Bracket(1_000 * n, 1_000 * n + unseen, 1_000 * n + unseen + more) for n, (unseen, more) in enumerate(found))
    assert habit is not None
    kept = found[-KEPT:]
    assert habit.early < habit.late
    assert habit.late in [unseen + more for unseen, more in kept]
    assert habit.count == len(kept)


def test_selections_of_a_source_that_have_the_same_date_count_once() -> None:
    alike = [Bracket(n * DAY, n * DAY - HOUR, n * DAY + minute) for n in range(40) for minute in (0, 5, 3)]
    habit = learn(alike)
    assert habit is not None
    assert (habit.early, habit.late, habit.count, habit.step) == (-HOUR, 5, KEPT, DAY)


@given(st.integers(0, DAY), st.lists(st.tuples(st.integers(0, DAY), st.integers(0, DAY)), min_size=1, max_size=KEPT))
def test_where_all_agree_the_narrowest_bracket_holds(truth: int, around: list[tuple[int, int]]) -> None:
    found = [Bracket(n * DAY, n * DAY + truth - below - 1, n * DAY + truth + above) for n, (below, above) in enumerate(around)]
    habit = learn(found)
    assert habit is not None
    assert habit.late == truth + min(above for _, above in around)
    assert habit.early == truth - 1 - min(below for below, _ in around)
