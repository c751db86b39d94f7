"""A search for a history, within what its metrics can be, that makes a rule fire.

Histories are a few stretches, each of one reading that stays as it is (or wobbles a little): metrics at the ends of their
ranges, near the numbers that the options name, or anywhere. A new trigger needs nothing here, unless its source tells
texts of a new kind.
"""

from __future__ import annotations

import json
import math
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from integration.domain.catalogue import Metric, Source, Trigger, rules_in
from integration.domain.history import Floats, Ints, Log
from integration.triggers._checklist import CLOCK, ITEMS, MILLION
from integration.triggers.market_regime_changed import TRILLION
from integration.triggers.momentum_changed import LEVELS as MOMENTA
from integration.triggers.report_published import KINDS
from tests.triggers.logs import DAY, log_of, others_of, source_of

Options = Mapping[str, Any]
#: Ends of ranges that no value reaches: a price is never nothing, what is worth something never loses all of it, and no
#: token moves just as Bitcoin does.
PRICES = {"open", "high", "low", "close", "price", "current_price", "base_price", "bear_price", "moon_price"}
NEVER_LOWEST = PRICES | {"volatility", "value_at_risk_95", "value_at_risk_99", "daily_value_at_risk", "drawdown", "max_drawdown"}
NEVER_LOWEST |= {"return", "return_over_btc", "all_time_return", "cagr", "correlation"}
NEVER_HIGHEST = {"correlation"}
#: Options that say for how many readings or days something must go on, or what is compared with.
LENGTHS = {"min_observations", "window", "days", "look_back_days", "flat_days", "held_days"}
MOST_TRIES = 600


def numbers_in(value: Any) -> Iterator[float]:
    """Every number that options hold, at any depth."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield float(value)
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from numbers_in(each)


def longest_in(value: Any) -> float:
    """The longest that something must go on."""
    if isinstance(value, list):
        return max(map(longest_in, value), default=0)
    if not isinstance(value, Mapping):
        return 0
    own = [float(each) for name, each in value.items() if name in LENGTHS and isinstance(each, int | float)]
    return max([0, *own, *map(longest_in, value.values())])


def possible(metric: Metric, value: float) -> bool:
    """Whether a metric can have a value."""
    low, high = -math.inf if metric.low is None else metric.low, math.inf if metric.high is None else metric.high
    above = low < value if metric.name in NEVER_LOWEST else low <= value
    return above and (value < high if metric.name in NEVER_HIGHEST else value <= high)


def pool_of(metric: Metric, options: Options) -> list[float]:
    """Values that a metric can have, the lowest first: its ends, what the options name in any unit, and what lies between."""
    asked = sorted({*numbers_in(options)})
    near = {a + sign * b for a in asked for b in asked for sign in (-1, 0, 1)} | {-a for a in asked}
    scaled = {v * unit for v in near for unit in (1, 0.01, -0.01, MILLION, TRILLION)}
    ends = {0.0, 1.0, -1.0, 1e-6, -1e6, 1e6, 1e13, 1e16}
    ends |= {end + hair for end in (metric.low, metric.high) if end is not None for hair in (0, 1e-9, -1e-9, 1e-12, -1e-12)}
    return sorted(value for value in ends | scaled if possible(metric, value))


class Search:
    """The readings of a rule's clock and of what stands beside it, drawn at random."""

    def __init__(self, trigger: Trigger, options: Options, random: Random) -> None:
        self.trigger, self.options, self.random = trigger, options, random
        self.clock, self.others = source_of(trigger, options), others_of(trigger, options)
        *self.rules, _ = [(other, asked) for _, other, asked in rules_in(trigger, options)]
        self.all = ChainMap(*(dict(asked) for _, asked in self.rules), dict(options))
        self.need = 2 + math.ceil(longest_in(options) * max(1, DAY / self.clock.cadence if "held_days" in options else 1))
        named: list[tuple[str, Source]] = [("", self.clock), *((f"{name}.", source) for name, source in self.others.items())]
        self.pools = {f"{prefix}{m.name}": pool_of(m, options) for prefix, source in named for m in source.metrics}
        self.texts = {f"{prefix}text": TEXTS[source.key] for prefix, source in named if source.key in TEXTS}

    def fires(self) -> bool:
        """Whether any of many histories makes it fire."""
        return any(self._told(number) for number in range(MOST_TRIES))

    def _told(self, number: int) -> bool:
        known = next((key for key in (self.trigger.key, *(other.key for other, _ in self.rules)) if key in STORIES), None)
        readings, rows = self._story(STORIES[known]) if known and number % 10 == 0 else self._stretches()
        times = 1_500_000_000 + np.arange(len(rows)) * self.clock.cadence
        few = log_of(self.clock, self.trigger, [(at, at, each) for at, each in enumerate(readings)], others=self.others)
        wobbles = self.random.random() < 0.3
        log = _drawn_out(few, rows, times, wobbles=wobbles)
        if self.trigger.tell is None:
            return bool(self.trigger.scan(log.history(slice(None)), self.options))
        trigger, options = self.rules[-1]
        told = trigger.scan(log.history(slice(None)), options)
        if not told:
            return False
        # what was told last is corrected: its reading turns out to have been as the first one
        log = _drawn_out(few, np.append(rows, 0), np.append(times, told[-1].as_of), wobbles=wobbles)
        log.known_at[-1] = times[-1] + 1
        return bool(self.trigger.tell(log, self.options))

    def _story(self, story: Callable[[Search], Story]) -> tuple[list[dict[str, Any]], Ints]:
        """Readings that are thought out: what they do not say is said anyhow."""
        told, anyhow = story(self), self._reading()
        readings = [anyhow | {name: value for name, value in reading.items() if name in anyhow} for reading, _ in told]
        return readings, np.repeat(np.arange(len(told)), [length for _, length in told])

    def _stretches(self) -> tuple[list[dict[str, Any]], Ints]:
        """Some readings, each for a while, or to and fro between it and the one before."""
        readings = [self._reading()]
        for _ in range(self.random.choice((1, 1, 2, 3))):
            readings.append(self._changed(readings[-1]) if self.random.random() < 0.5 else self._reading())
        rows = []
        for at in range(len(readings)):
            stretch = np.full(self._length(), at, dtype=np.int64)
            if at and self.random.random() < 0.2:
                stretch[:: self.random.choice((2, 5))] = at - 1
            rows.append(stretch)
        return readings, np.concatenate(rows)

    def _length(self) -> int:
        return self.random.choice((1, self.need, self.need, self.need, 2 * self.need, 2 * self.need, max(65, self.need)))

    def _reading(self) -> dict[str, Any]:
        """Mostly all metrics lie at the same end, or near what is asked; some anywhere, or nowhere."""
        mode = self.random.choice((0, -1, None))
        said: dict[str, Any] = {}
        for name, pool in self.pools.items():
            own = mode if mode is not None and self.random.random() < 0.7 else self.random.randrange(len(pool))
            said[name] = pool[own] if self.random.random() < 0.97 else None
        return said | {name: text(self.random, self.all) for name, text in self.texts.items()}

    def _changed(self, reading: Mapping[str, Any]) -> dict[str, Any]:
        """A reading of which most is as before."""
        new = self._reading()
        return {name: new[name] if self.random.random() < 0.3 else value for name, value in reading.items()}


def _drawn_out(few: Log, rows: Ints, times: Ints, *, wobbles: bool) -> Log:
    """A log of some of a log's readings, at other times (ms); a little off, to and fro, where it wobbles."""
    much = 1 + (0.001 * (-1.0) ** np.arange(len(rows)) if wobbles else np.zeros(len(rows)))
    joined = {}
    for name, other in few.joined.items():
        taken = other.take(rows)
        joined[name] = replace(taken, as_of=times, values=_off(taken.metrics, taken.values, much))
    values, texts = _off(few.metrics, few.values[rows], much), tuple(few.texts[row] for row in rows.tolist())
    return Log(few.subject, few.metrics, few.cadence, times, times.copy(), values, texts, joined)


def _off(metrics: Sequence[str], values: Floats, much: Floats) -> Floats:
    prices = np.asarray([name in PRICES for name in metrics])
    return np.where(prices, values * much[:, None], values)


# -- what sources say in texts ---------------------------------------------------------------------------------------


def _tokens(random: Random, count: int) -> list[int]:
    """Ids of tokens, some of which take turns with others."""
    among = list(range(1, count + 1 + random.choice((0, 1, count))))
    random.shuffle(among)
    return among[:count]


def _row(token: int, **more: Any) -> dict[str, Any]:
    return {"token_id": token, "name": f"Token {token}", "symbol": f"T{token}", **more}


def _momentum(random: Random, _: Options) -> str:
    return json.dumps({"momentum": random.choice(list(MOMENTA.values())), "signal": "Buy"})


def _levels(random: Random, options: Options) -> str:
    return json.dumps({"levels": [{"level": level, "date": None} for level in sorted({1.0, *numbers_in(options)}) if level > 0]})


def _predictions(random: Random, options: Options) -> str:
    price = random.choice((1e-6, 0.001, 1.0, 1.5, 1e3, 1e9))
    scenarios = {options.get("scenario", 1.0), 1.0}
    cases = dict.fromkeys(("base", "bear", "moon"), price)
    return json.dumps({"predicted_date": None, "scenarios": [{"scenario": each, **cases} for each in sorted(scenarios)]})


def _sectors(random: Random, options: Options) -> str:
    count = 110
    grades = [random.choice((0.0, 100.0))] * count
    said: dict[str, Any] = {
        "token_ids": list(range(1, count + 1)),
        "names": [f"Token {token}" for token in range(count)],
        "symbols": [f"T{token}" for token in range(count)],
        "ranks": list(range(1, count + 1)),
        "trader_grades": grades,
        "investor_grades": grades,
        "sectors": {options.get("category") or "layer-1": list(range(1, count + 1))},
    }
    return json.dumps(said)


def _clusters(random: Random, _: Options) -> str:
    parts = random.choice(([], [list(range(1, 121))]))
    tokens = {str(token): [f"Token {token}", f"T{token}"] for token in range(1, 121)}
    return json.dumps({"compared": 200, "tokens": tokens, "clusters": dict.fromkeys(("0.7", "0.8", "0.9"), parts)})


def _ranking(*metrics: str, shown: int) -> Callable[[Random, Options], str]:
    def text(random: Random, _: Options) -> str:
        rows = [_row(token, value=100.0, stablecoin=False, wrapped=False) for token in _tokens(random, shown)]
        return json.dumps({metric: {"ranked": 1_000, "rows": rows} for metric in metrics})

    return text


def _holdings(random: Random, _: Options) -> str:
    tokens = [_row(token, market_cap=1e9, trader_grade=50.0, roi=random.random()) for token in _tokens(random, 205)]
    stable = tokens[0] | {"symbol": "USDT", "name": "Tether"}
    share = random.choice((0.0, 0.5, 1.0))
    weights = [share, *([(1 - share) / (len(tokens) - 1)] * (len(tokens) - 1))]
    holdings = [row | {"weight": weight} for row, weight in zip([stable, *tokens[1:]], weights, strict=True)]
    return json.dumps({"holdings": sorted(holdings, key=lambda row: -float(row["weight"]))})


def _moonshots(random: Random, options: Options) -> str:
    caps = [v * MILLION for v in sorted(numbers_in({k: v for k, v in options.items() if k.endswith("market_cap")}))] or [1e8]
    rows = [
        {"name": name, "symbol": name, "moonshot_at": None, "ended_at": None, "roi_pct": 1.0, "market_cap": random.choice(caps),
         "volume_24h": None, "trader_grade": None, "price_7d_pct_change": None}
        for name in random.choice(("ab", "abc", "bcd"))
    ]  # fmt: skip
    return json.dumps({"moonshots": rows})


def _covered(random: Random, _: Options) -> str:
    return json.dumps({"tokens": {str(token): f"T{token}" for token in range(1, random.choice((100, 101)))}})


def _reports(random: Random, _: Options) -> str:
    told = {"sha256": random.choice("ab") * 64, "length": 5, "title": "Title"}
    return json.dumps({kind: random.choice((told, None)) for kind in KINDS})


TEXTS: dict[str, Callable[[Random, Options], str]] = {
    "ai_reports": _reports,
    "clusters": _clusters,
    "gain_ranking": _ranking("gain_1d", "gain_7d", "gain_30d", shown=150),
    "indices_holdings": _holdings,
    "investor_ranking": _ranking("investor_grade", "valuation_grade", shown=150),
    "levels": _levels,
    "market_cap_ranking": _ranking("market_cap", shown=300),
    "moonshots": _moonshots,
    "past_moonshots": _moonshots,
    "price_predictions": _predictions,
    "sectors": _sectors,
    "sentiments": lambda random, _: json.dumps({"market": "positive"}),
    "tm_grade": _momentum,
    "tokens": _covered,
    "trader_ranking": _ranking("trader_grade", shown=150),
}


# -- what chance would not find ----------------------------------------------------------------------------------------

Story = list[tuple[dict[str, Any], int]]
LOW, HIGH = 0, 1


def _all_signs(search: Search) -> Story:
    """A token that was well turns bearish, nothing is heard for two months, and then its grades and volume fall."""
    signals, grades = ("trading_signals.token_trend", "trading_signals.trading_signal"), "investor_grades.fundamental_grade"
    well = {"tm_trader_grade": 90.0, grades: 90.0, "risk_30d.volume_ratio": 1.0, "daily_ohlcv.close": 100.0}
    well |= dict.fromkeys(signals, 1.0)
    turned = well | {signals[0]: -1.0, signals[1]: 0.0, "daily_ohlcv.close": 50.0}
    worse = turned | {"tm_trader_grade": 10.0, grades: 10.0, "risk_30d.volume_ratio": 0.1}
    return [(well, search.need), (turned, 61), (worse, search.need)]


def _trends(search: Search) -> Story:
    """An index that earns or loses more than is asked for day after day, or nothing, and then another of these."""
    options = search.all
    level, band = options["level"] or 0.0, options["hysteresis"] or 0.0
    lost = min(level + band, 99.9) if options["kind"] == "drawdown" else max(band - level, 0)
    down = 0.99 * max(1 - lost / 100, 1e-4)
    days = search.need + math.ceil(options["cooldown_hours"] / 24) + 90
    worth, told = 1e100, []
    beside = {name: 1.0 for name in search.pools if "." in name}
    for rate in search.random.sample((1 / down + (level + band) / 100, 1.0, down), 2):
        for _ in range(days):
            told.append(({"cumulative_roi": worth - 1, **beside}, 1))
            worth = min(max(worth * rate, 1e-3), 1e250)
    return told


def _none_then_all(search: Search) -> Story:
    """A token of which no item holds but what must, and then every one, each by no more than is asked."""
    options, need = search.all, search.need
    wanted = options["items"].split(",")
    least = {name: options[item.least] * (MILLION if name == "volume" else 1) for name, item in ITEMS.items()}
    place = {name: item.metric if item.source == CLOCK else f"{item.source}.{item.metric}" for name, item in ITEMS.items()}
    none: dict[str, Any] = {place[name]: 0.0 if least[name] > 0 or name not in wanted else None for name in ITEMS}
    none[place["size"]] = None
    if all(none[place[name]] is None for name, item in ITEMS.items() if item.source == CLOCK):
        none[place["security"]] = 0.0  # or nothing would be said at all
    return [(none, need), ({place[name]: float(least[name]) for name in ITEMS}, need)]


def _by_turns(search: Search) -> Story:
    """After some quiet days, three groups of tokens by turns: one has low grades for as many days, then high ones, then none."""
    options, days, size = search.all, search.all["days"], search.all["min_tokens"]
    ids = list(range(1, 3 * size + 1))
    group, place = [token % 3 for token in ids], [(token - 1) // 3 + 1 for token in ids]

    def snapshot(day: int) -> dict[str, Any]:
        quiet, block = day <= days, (day - 1) // days
        phases = [LOW if quiet else (block - each) % 3 for each in group]
        grades = [{LOW: 0.0, HIGH: 100.0}.get(phase) for phase in phases]
        said = {
            "token_ids": ids,
            "names": [f"Token {token}" for token in ids],
            "symbols": [f"T{token}" for token in ids],
            "ranks": [rank if quiet or phase == HIGH else 1_000 for rank, phase in zip(place, phases, strict=True)],
            "trader_grades": grades,
            "investor_grades": grades,
            "sectors": {options["category"] or "layer-1": ids},
        }
        return {"text": json.dumps(said)}

    return [(snapshot(day), 1) for day in range(3 * days + search.need)]


STORIES: dict[str, Callable[[Search], Story]] = {
    "bearish_warning": _all_signs,
    "index_performance": _trends,
    "moonshot_checklist": _none_then_all,
    "sector_breakout": _by_turns,
}
