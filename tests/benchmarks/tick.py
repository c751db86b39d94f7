"""One poll at scale: `python -m tests.benchmarks.tick --json`.

1,000,000 subscriptions on 100,000 rules; 6,000 tokens × 40 metrics change at once and some 21,000 firings follow, of a fixed
seed. The last line of output is one JSON object: milliseconds of each step (screen: decoded arrays to what can have come
true; detect: whether it did, past read from the database; fan out: who is told; write: events composed, events and
deliveries inserted), of the screen with a tenth of the subscriptions, memory, and how many times as long the tests' plain
loop takes: each rule's `scan` over each subject it is asked about. Both find the same events, or this fails.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from marshmallow import fields, post_load, validate
from sqlalchemy import Connection, insert

from integration import sources
from integration.domain.catalogue import Lookback, Metric, Options, Source, SubjectRow, Trigger
from integration.domain.delta import level_sides, observed
from integration.domain.history import Firing, History, epochs
from integration.domain.ids import canonical, rule_id
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.retry import DAY, HOUR
from integration.domain.scope import Scope
from integration.domain.screen import Watch
from integration.service.asked import Asked
from integration.service.audience import Audience
from integration.service.crowd import Crowd
from integration.service.evaluate import Catalogue, Found, Shelf, identified, store_events
from integration.service.newest import New, Newest, look
from integration.service.tick import detect, evaluate, named, screen
from integration.store import migrate
from integration.store.database import Database
from integration.store.queries import events, readings, revisions, subjects
from integration.store.tables import account, destination, rule, subscription
from integration.triggers._levels import WANTED, crossed, crossing_fields, level_lookback, suppressed_field, watch_level
from integration.triggers._options import TriggerOptions, band, direction, filled_band

SUBSCRIPTIONS, RULES, TOKENS, METRICS = 1_000_000, 100_000, 6_000, 40
#: Days of past that are stored: what a level with default options looks back to, but for a side older than that.
DAYS = 46
#: How far a metric moves in a day, whose own spread is 1: some 2 % of levels are passed.
STEP = 0.135
FIRST = 1_700_006_400_000
NAMES = tuple(f"metric_{number:02d}" for number in range(METRICS))
#: Of a thousand subscriptions: to one token, to five, to the largest 100; the rest to all.
SINGLE, FEW, LARGEST = 985.0, 13.0, 1.95


class LevelOptions(TriggerOptions):
    """Which metric crosses which level."""

    metric = fields.String(load_default=NAMES[0], validate=validate.OneOf(NAMES), metadata=described("Metric"))
    level = fields.Float(load_default=0.0, validate=validate.Range(-10, 10), metadata=described("Level"))
    direction = direction("Up, down or either")
    hysteresis = band(0.05, 10)

    @post_load
    def _band(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        return filled_band(options, 0.05)


class LevelPayload(EventPayload):
    """A crossing."""

    metric = fields.String(required=True, metadata=described("Metric"))
    direction = fields.String(required=True, metadata=described("Direction"))
    level = fields.Float(required=True, metadata=described("Level"))
    value = fields.Float(required=True, metadata=described("Value"))
    previous_value = fields.Float(required=True, metadata=described("Previous Value"))
    crossed_at = fields.String(required=True, metadata=described("Crossed At"))
    suppressed_count = suppressed_field()


def scan(history: History, options: Options) -> list[Firing]:
    """Crossings of the level, as every trigger over a level finds them."""
    as_of, values = observed(history.as_of, history.column(options["metric"]))
    sides = level_sides(values, options["level"], options["hysteresis"], below=options["direction"] == "down")
    return [
        Firing(
            int(as_of[crossing.at]),
            {
                "metric": options["metric"],
                "level": options["level"],
                "value": float(values[crossing.at]),
                "previous_value": float(values[crossing.before]),
                **crossing_fields(crossing, as_of),
            },
        )
        for crossing in crossed(history, as_of, sides, options, WANTED[options["direction"]])
    ]


def watch(options: Options) -> tuple[Watch]:
    """The level."""
    below, tells = options["direction"] == "down", WANTED[options["direction"]]
    return (watch_level(options["metric"], options["level"], options["hysteresis"], options, below=below, tells=tells),)


def lookback(options: Options) -> Lookback:
    """That of a level."""
    return level_lookback(options)


def summary(fields_: Mapping[str, Any]) -> str:
    """One sentence."""
    return f"{fields_['subject_name']}'s {fields_['metric']} crossed {fields_['level']:g} on {day_and_month(fields_['as_of'])}."


WIDE = Source(
    key="wide", label="Wide", path="wide", subject="token", cadence=DAY, selection="all_pages",
    metrics=tuple(Metric(name, name, name) for name in NAMES),
)  # fmt: skip
LEVEL = Trigger(
    key="level", noun="Crossing", label="New Crossing", description="Triggers when a metric crosses a level.", semantics=1,
    subject="token", options=LevelOptions, payload=LevelPayload, sources=lambda _: ("wide",), lookback=lookback, scan=scan,
    summary=summary, sample=sample("level", "New Crossing", ("token:1", 1, "One", "ONE"), {}, "", "2021-01-01T00:00:00Z"),
    fires=(), silent=(), watch=watch,
)  # fmt: skip


@dataclass
class Bench:
    """A database with subscriptions and readings, and the steps of a tick with their times in ms."""

    database: Database
    subscriptions: int
    rules: int
    tokens: int
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    took: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.catalogue = Catalogue({"level": LEVEL}, {**sources.load(), "wide": WIDE}, True)
        self.asked = Asked(self.catalogue)
        self.names = [f"token:{number}" for number in range(1, self.tokens + 1)]

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.took[step] = self.took.get(step, 0.0) + (time.perf_counter() - began) * 1000

    # -- what is there before --------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Tokens, rules, subscriptions and the past."""
        with self.database.write() as connection:
            subjects.keep(connection, [self._token(number) for number in range(1, self.tokens + 1)], FIRST)
            connection.execute(insert(account).values(id="acc_1", email="a@example.com", created_at=FIRST))
            place = {"id": "dst_1", "account_id": "acc_1", "channel": "webhook", "label": "", "hint": "", "config": b""}
            connection.execute(insert(destination).values(**place, status="active", created_at=FIRST, changed_at=FIRST))
            self._wishes(connection, self._rules(connection))
        values = self.random.normal(0, 1, (self.tokens, METRICS))
        for day in range(DAYS):
            with self.database.write() as connection:
                readings.add(connection, self._rows(values, day))
            values = self._next(values)
        self.values = values

    def _token(self, number: int) -> SubjectRow:
        return SubjectRow(f"token:{number}", "token", f"Token {number}", f"T{number}", market_rank=number)

    def _next(self, values: Any) -> Any:
        """A day on: the spread stays 1."""
        return values * np.sqrt(1 - STEP**2) + self.random.normal(0, STEP, values.shape)

    def _rows(self, values: Any, day: int) -> list[readings.Row]:
        when = FIRST + day * DAY
        return [
            readings.Row("wide", name, when, 0, when + 1, "live", None, values[place].tobytes(), None)
            for place, name in enumerate(self.names)
        ]

    def _rules(self, connection: Connection) -> list[str]:
        rows = []
        for number in range(self.rules):
            raw = {
                "metric": NAMES[number % METRICS],
                "level": float(self.random.normal(0, 1)),
                "direction": ("up", "down", "either")[int(self.random.integers(3))],
            }
            text = canonical(LevelOptions().load(raw))
            rows.append(
                {"id": rule_id("level", 1, text), "trigger": "level", "semantics": 1, "options": text, "created_at": FIRST}
            )
        connection.execute(insert(rule), rows)
        return [str(row["id"]) for row in rows]

    def _wishes(self, connection: Connection, rule_ids: list[str]) -> None:
        kinds = self.random.random(self.subscriptions) * 1000
        tokens = self.random.integers(1, self.tokens + 1, (self.subscriptions, 5))
        common = {"account_id": "acc_1", "destination_id": "dst_1", "origin": "api", "status": "active", "revision": 1}
        common |= {"created_at": FIRST, "changed_at": FIRST}
        for start in range(0, self.subscriptions, 50_000):
            rows = [
                {"id": f"sub_{n:08d}", "rule_id": rule_ids[n % len(rule_ids)], "scope": _scope(kinds[n], tokens[n]), **common}
                for n in range(start, min(start + 50_000, self.subscriptions))
            ]
            connection.execute(insert(subscription), rows)
        revisions.bump(connection)

    # -- the tick --------------------------------------------------------------------------------------------------

    def poll(self) -> New:
        """A day's readings, stored."""
        with self.database.write() as connection:
            readings.add(connection, self._rows(self.values, DAYS))
        return New(WIDE, self.names, FIRST + DAYS * DAY, FIRST + DAYS * DAY + 1)

    def screened(self, connection: Connection, new: New) -> tuple[Any, Any, Crowd, Newest]:
        """The screen alone, its arrays decoded and its rules at hand: the best of five."""
        self.asked.refresh(connection)
        circle = self.asked.circle("wide")
        assert circle is not None
        crowd = Crowd(connection, new.names)
        newest = look(connection, new, circle.depth)
        screen(circle, crowd, newest)
        best = 1e9
        for _ in range(5):
            began = time.perf_counter()
            found = screen(circle, crowd, newest)
            best = min(best, (time.perf_counter() - began) * 1000)
        self.took["screen_ms"] = best
        return circle, found, crowd, newest

    def tick(self, new: New) -> set[tuple[str, str, int, str]]:
        """Every step of `evaluate`, in its order, timed; the firings."""
        with self.database.write() as connection:
            events.lock(connection)
            circle, (proposed, others), crowd, newest = self.screened(connection, new)
            with self.timed("detect_ms"):
                found = detect(connection, self.catalogue, newest, named(circle, crowd, proposed), named(circle, crowd, others))
            with self.timed("fanout_ms"):
                audience = Audience(connection, self.asked, [(rule, subject) for rule, subject, _ in found], new.now)
                wanted = [one for one in found if audience.wants(one)]
            with self.timed("write_ms"):
                numbered = store_events(connection, self.catalogue, identified(wanted), now=new.now)
                self.owed = audience.tell(connection, numbered, new.now, new.now, HOUR)
        self.proposed = len(proposed.rules)
        return _firings(found)

    def again(self, new: New) -> int:
        """`evaluate` itself over the same readings: it finds nothing that is not there yet."""
        with self.database.write() as connection:
            events.lock(connection)
            return evaluate(connection, self.catalogue, self.asked, new, clock=lambda: new.now)[0]

    def plain_loop(self, new: New) -> set[tuple[str, str, int, str]]:
        """Each rule's scan over each subject it is asked about."""
        found: list[Found] = []
        with self.database.read() as connection, self.timed("plain_ms"):
            circle = self.asked.circle("wide")
            assert circle is not None
            crowd, everyone = Crowd(connection, new.names), np.ones(len(new.names), dtype=bool)
            by_subject = named(circle, crowd, circle.unscreened(crowd, everyone, everyone, all_rules=True))
            for start in range(0, len(self.names), 500):
                part = self.names[start : start + 500]
                for log in Shelf(connection, self.catalogue.sources, part, FIRST).logs(("wide",)):
                    stretches = list(epochs(log))
                    for one in by_subject.get(log.subject, ()):
                        found += [(one, log.subject, t) for t in one.told(log, stretches) if t.known_at == new.now]
        return _firings(found)


def _scope(kind: float, tokens: Any) -> str:
    if kind < SINGLE:
        return Scope("tokens", (int(tokens[0]),)).text
    if kind < SINGLE + FEW:
        return Scope("tokens", tuple(sorted({int(token) for token in tokens}))).text
    return Scope("top", n=100).text if kind < SINGLE + FEW + LARGEST else Scope().text


def _firings(found: list[Found]) -> set[tuple[str, str, int, str]]:
    return {(one.id, subject, told.firing.as_of, json.dumps(told.firing.fields, sort_keys=True)) for one, subject, told in found}


@contextmanager
def bench(subscriptions: int, rules: int, tokens: int) -> Iterator[Bench]:
    """A filled bench on a database of its own."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'tick.db'}")
        migrate.upgrade(database)
        made = Bench(database, subscriptions, rules, tokens)
        made.fill()
        yield made
        database.close()


def measure(subscriptions: int, rules: int, tokens: int, *, plain: bool = True) -> dict[str, Any]:
    """The figures of one run; raises AssertionError where the plain loop finds other events."""
    say = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    say(f"{subscriptions // 10} subscriptions …")
    with bench(subscriptions // 10, rules, tokens) as small, small.database.write() as connection:
        new = New(WIDE, small.names, FIRST + DAYS * DAY, FIRST + DAYS * DAY + 1)
        readings.add(connection, small._rows(small.values, DAYS))
        small.screened(connection, new)
    say(f"{subscriptions} subscriptions …")
    with bench(subscriptions, rules, tokens) as whole:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        new = whole.poll()
        found = whole.tick(new)
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        assert whole.again(new) == 0
        say(f"{len(found)} firings of {whole.proposed} proposed, {whole.owed} deliveries owed")
        steps = {name: round(whole.took[name], 1) for name in ("screen_ms", "detect_ms", "fanout_ms", "write_ms")}
        total = sum(steps.values())
        figures = {**steps, "total_ms": round(total, 1), "screen_ms_100k_subs": round(small.took["screen_ms"], 1)}
        figures |= {"memory_mb": round(memory), "firings": len(found)}
        if plain:
            say("the plain loop …")
            assert whole.plain_loop(new) == found, "the plain loop finds other events"
            figures["ratio_to_plain_loop"] = round(whole.took["plain_ms"] / total, 1)
    return figures


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the figures alone, as one JSON object")
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the whole, to try it out")
    given = parser.parse_args()
    figures = measure(*(max(1, round(size * given.scale)) for size in (SUBSCRIPTIONS, RULES, TOKENS)))
    print(json.dumps(figures) if given.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
