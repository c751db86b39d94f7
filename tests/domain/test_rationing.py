"""The plan's calls, shared out until its reset."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from integration.domain.rationing import Need, ration


@st.composite
def needs(draw: st.DrawFn) -> list[Need]:
    found = []
    for key in range(draw(st.integers(0, 8))):
        calls = draw(st.lists(st.integers(0, 200), min_size=1, max_size=6))
        rungs = tuple((number + 1, each) for number, each in enumerate(calls))
        found.append(Need(key, rungs, draw(st.sampled_from([0.5, 1.0, 3.0])), draw(st.booleans())))
    return found


def cost(all_: list[Need], intervals: object) -> int:
    return sum(dict(need.rungs)[intervals[need.key]] for need in all_ if need.key in intervals)  # type: ignore[index, operator]


@given(needs(), st.integers(0, 1_000))
def test_never_more_calls_than_are_allowed(all_: list[Need], allowed: int) -> None:
    found = ration(all_, allowed)
    assert found.calls == cost(all_, found.intervals) <= allowed
    assert {*found.intervals, *found.dropped} == {need.key for need in all_}
    assert not {*found.intervals} & {*found.dropped}


@given(needs(), st.integers(0, 1_000))
def test_nothing_is_dropped_where_all_fit_at_their_cheapest(all_: list[Need], allowed: int) -> None:
    found = ration(all_, allowed)
    assert bool(found.dropped) == (sum(need.least for need in all_) > allowed)


@given(needs(), st.integers(0, 1_000), st.integers(0, 300))
def test_more_calls_never_mean_a_longer_interval_while_the_same_is_polled(all_: list[Need], allowed: int, more: int) -> None:
    few, many = ration(all_, allowed), ration(all_, allowed + more)
    if few.dropped == many.dropped:
        assert all(many.intervals[key] <= interval for key, interval in few.intervals.items())


@given(needs(), st.integers(0, 1_000))
def test_nothing_is_stretched_that_saves_no_call_nor_where_all_fit(all_: list[Need], allowed: int) -> None:
    found = ration(all_, allowed)
    if found.wished <= allowed:
        assert found.intervals == {need.key: need.rungs[0][0] for need in all_}
    for need in all_:
        shorter = [calls for interval, calls in need.rungs if interval < found.intervals.get(need.key, 0)]
        assert all(calls > dict(need.rungs)[found.intervals[need.key]] for calls in shorter)


@given(needs(), st.integers(0, 1_000))
def test_what_is_dropped_is_what_matters_least(all_: list[Need], allowed: int) -> None:
    found = ration(all_, allowed)
    by_key = {need.key: need for need in all_}
    for gone in (by_key[key] for key in found.dropped):
        lesser = [by_key[key] for key in found.intervals if (by_key[key].always, by_key[key].weight) < (gone.always, gone.weight)]
        more_important = [n for n in all_ if n.key in found.intervals and n not in lesser]
        assert sum(need.least for need in more_important) + gone.least > allowed


@given(needs(), st.integers(0, 1_000))
def test_the_order_they_are_told_in_does_not_matter(all_: list[Need], allowed: int) -> None:
    there, back = ration(all_, allowed), ration(all_[::-1], allowed)
    assert (there.intervals, set(there.dropped)) == (back.intervals, set(back.dropped))


def test_what_takes_most_is_stretched_first_and_weight_holds_it_back() -> None:
    dear = Need("prices", ((1, 4_000), (2, 2_000), (4, 1_000)))
    cheap = Need("grades", ((10, 150), (15, 100)))
    assert ration([dear, cheap], 3_000).intervals == {"prices": 2, "grades": 10}
    assert ration([dear, cheap], 1_150).intervals == {"prices": 4, "grades": 10}
    assert ration([dear, cheap], 1_100).intervals == {"prices": 4, "grades": 15}
    assert ration([replace(dear, weight=100.0), cheap], 4_100).intervals == {"prices": 1, "grades": 15}


def test_names_are_dropped_last_and_what_is_small_still_fits() -> None:
    names, grades, reports = Need("names", ((1, 90),), always=True), Need("grades", ((1, 900),), 2.0), Need("reports", ((1, 60),))
    assert ration([reports, grades, names], 1_000).dropped == ("reports",)
    assert ration([reports, grades, names], 200).dropped == ("grades",)
    assert ration([reports, grades, names], 100).dropped == ("grades", "reports")
    assert ration([reports, grades, names], 10).dropped == ("names", "grades", "reports")
