"""Stops of bullish signals against a plain reference that looks backwards from each bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from integration.domain.history import History
from integration.domain.payload import iso
from integration.triggers.signal_stop import TRIGGER, holds
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, cut, history_of, loaded, others_of

GAP = 3 * DAY  # longer silences are not bridged; three days are the longest of a daily source


class Bar(NamedTuple):
    day: int
    close: float | None
    trend: int | None
    signal: int


def history(bars: Sequence[Bar], options: dict[str, Any]) -> History:
    said = [
        (
            bar.day * DAY,
            {
                "close": bar.close,
                "trading_signals.token_trend": bar.trend,
                "trading_signals.trading_signal": None if bar.trend is None else bar.signal,
            },
        )
        for bar in bars
    ]
    return history_of(SOURCES["daily_ohlcv"], TRIGGER, said, others=others_of(TRIGGER, options))


def signal_of(bars: Sequence[Bar], at: int) -> int | None:
    """The bar of the bullish signal that stands at a bar, found backwards; None where none is known to."""
    heard = bars[at].day
    for p in range(at, -1, -1):
        bar = bars[p]
        if bar.trend is not None:
            if heard - bar.day > 3 or bar.trend < 0:
                return None
            heard = bar.day
        given_anew = bar.trend == 1 and (bar.signal == 1 or turned(bars, p))
        if given_anew:
            return p if bars[at].day - bar.day <= 360 else None
        if p and bar.day - bars[p - 1].day > 3:
            return None
    return None


def turned(bars: Sequence[Bar], at: int) -> bool:
    """Whether the last trend that was known before a bar, without too long a silence, is bearish."""
    for p in range(at - 1, -1, -1):
        if bars[p + 1].day - bars[p].day > 3 or bars[at].day - bars[p].day > 3:
            return False
        if bars[p].trend is not None:
            return bars[p].trend == -1
    return False


def expected(bars: Sequence[Bar], percent: float) -> list[tuple[int, float, float, str]]:
    traded = [bar for bar in bars if bar.close is not None]
    hit: set[int] = set()
    found = []
    for at, bar in enumerate(traded):
        signal = signal_of(traded, at)
        if signal is None or bar.close is None or signal in hit:
            continue
        price = traded[signal].close or 0.0
        if bar.close <= price * (1 - percent / 100):
            hit.add(signal)
            found.append((bar.day * DAY, bar.close, price, iso(traded[signal].day * DAY)))
    return found


@st.composite
def markets(draw: st.DrawFn) -> list[Bar]:
    day, bars = 0, []
    steps = st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 4])
    for step, stays, close, trend, signal in draw(
        st.lists(
            st.tuples(
                steps, st.sampled_from([1, 1, 1, 2, 130]), st.sampled_from([100.0, 100.0, 95.0, 90.0, 80.0, 120.0, None]),
                st.sampled_from([1, 1, 1, -1, None]), st.sampled_from([0, 0, 0, 1]),
            ),
            max_size=20,
        )
    ):  # fmt: skip
        for again in range(stays):
            day += 1 if again else step
            bars.append(Bar(day, close, trend, signal if trend == 1 and not again else 0))
    return bars


@examples(300)
@given(bars=markets(), percent=st.sampled_from([5.0, 10.0, 20.0]))
def test_hits_are_those_of_the_rules_read_plainly(bars: list[Bar], percent: float) -> None:
    options = loaded(TRIGGER, {"percent": percent, "cooldown_hours": 0})
    names = ("price", "signal_price", "signal_at")
    past = history(bars, options)
    firings = TRIGGER.scan(past, options)
    assert [(f.as_of, *(f.fields[name] for name in names)) for f in firings] == expected(bars, percent)
    assert len({firing.fields["signal_at"] for firing in firings}) == len(firings)
    if len(bars) < 120:
        assert_nothing_older_than_the_lookback_matters(TRIGGER, past, options)


def test_a_signal_is_forgotten_after_360_days() -> None:
    options = loaded(TRIGGER, {})
    for days, hits in ((360, 1), (361, 0)):
        bars = [
            Bar(0, 90, -1, 0),
            Bar(1, 100, 1, 1),
            *(Bar(day, 95, 1, 0) for day in range(2, days + 1)),
            Bar(days + 1, 80, 1, 0),
        ]
        past = history(bars, options)
        assert len(TRIGGER.scan(past, options)) == hits
        assert holds(past, options).tolist()[-1] == (1 if hits else -1)


def test_a_stale_signal_beside_later_bars_is_the_same_signal() -> None:
    """While signals are late, the last row stands beside each bar; its price is that of the first."""
    options = loaded(TRIGGER, {})
    beside = {"trading_signals.token_trend": 1, "trading_signals.trading_signal": 1, "trading_signals.as_of": 0}
    said = [(day * DAY, {"close": close, **beside}) for day, close in enumerate([100, 130, 90])]
    past = history_of(SOURCES["daily_ohlcv"], TRIGGER, said, others=others_of(TRIGGER, options))
    assert [f.fields["signal_price"] for f in TRIGGER.scan(past, options)] == [100]


def test_quiet_time_counts_hits_of_other_signals() -> None:
    bars = [Bar(0, 90, -1, 0), Bar(1, 100, 1, 1), Bar(2, 80, 1, 0), Bar(3, 80, 1, 1), Bar(4, 60, 1, 0), Bar(5, 60, 1, 1)]
    bars += [Bar(day, 55, 1, 0) for day in (6, 7, 8)] + [Bar(9, 40, 1, 0)]
    options = loaded(TRIGGER, {"cooldown_hours": 60})
    told = [(f.as_of // DAY, f.fields["suppressed_count"]) for f in TRIGGER.scan(history(bars, options), options)]
    assert told == [(2, 0), (9, 1)]


def test_it_holds_while_the_close_is_under_the_stop_of_a_standing_signal() -> None:
    options = loaded(TRIGGER, {})
    bars = [Bar(0, 100, 1, 0), Bar(1, 90, -1, 0), Bar(2, 100, 1, 1), Bar(3, 80, 1, 0), Bar(4, None, 1, 0), Bar(5, 95, 1, 0)]
    bars += [Bar(6, 70, 1, 0), Bar(7, 70, -1, 0)]
    past = history(bars, options)
    states = holds(past, options).tolist()
    assert states == [-1, 0, 0, 1, -1, 0, 1, 0]
    for stop in range(len(bars)):
        assert holds(cut(past, 0, stop), options).tolist() == states[:stop]
