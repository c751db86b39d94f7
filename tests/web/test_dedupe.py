"""A polling feed against Zapier's way of telling new from old: every id that it has not seen fires, whatever its age.

A thousand rounds of a market with quiet days, bursts, late and restated readings, restarts of the server, and Zaps that are
turned off and on. Each event fires once, none is missed, and no old one comes back.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from integration.domain.retry import DAY, HOUR
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.tables import event
from integration.web import create_app
from tests.web.conftest import NOW, Asker, Market, Wall, asker

ID = re.compile(rb'\{"schema":1,"id":"(evt_[a-z2-7]{26})"')
QUERY = {"points": 10, "limit": 1_000}
BURST, TOKENS = 800, 8
GRADES = {"source_key": "trader_grades", "metric": "tm_trader_grade"}


@dataclass
class Zap:
    """What Zapier keeps of one Zap: turned on, it learns all ids there are; then it runs for each that it does not know."""

    ada: Asker
    on: bool = False
    seen: set[bytes] = field(default_factory=set)
    fired: list[bytes] = field(default_factory=list)
    owed: list[bytes] = field(default_factory=list)

    def poll(self) -> list[bytes]:
        """The ids of one poll, newest first."""
        answer = self.ada.get("triggers/grade_changed", **QUERY)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return ID.findall(answer.get_data())

    def turn_on(self) -> None:
        """The first poll fills the list of what is known, and runs nothing."""
        self.on, self.seen = True, set(self.poll())

    def turn_off(self) -> None:
        """The list is forgotten."""
        self.on, self.seen = False, set()

    def round(self) -> None:
        """One poll of a Zap that is on."""
        for identity in reversed(self.poll()):
            if identity not in self.seen:
                self.fired.append(identity)
                self.seen.add(identity)


@dataclass
class World:
    """A market that moves as chance has it."""

    market: Market
    wall: Wall
    chance: random.Random
    day: int = 0
    grades: dict[int, float] = field(default_factory=dict)

    def read(self, day: int, values: dict[int, float]) -> list[bytes]:
        """A poll of Token Metrics; the ids of the events that it made."""
        self.wall.ms = max(self.wall.ms, NOW + self.day * DAY)
        before = self.newest()
        self.market.read(GRADES["source_key"], GRADES["metric"], day, values)
        with self.market.gradewire.database.read() as connection:
            return [each.encode() for each in connection.scalars(select(event.c.id).where(event.c.seq > before))]

    def newest(self) -> int:
        with self.market.gradewire.database.read() as connection:
            return int(connection.scalar(select(event.c.seq).order_by(event.c.seq.desc()).limit(1)) or 0)

    def tick(self) -> list[bytes]:
        """What happens between two polls of Zapier: mostly little, sometimes nothing."""
        kind = self.chance.random()
        if kind < 0.6:
            self.wall.ms += HOUR // 60
            return []
        if kind < 0.66 and self.day > 3:  # a reading of some days ago that comes late
            return self.read(self.day - self.chance.randint(1, 3), {self.chance.randrange(1, TOKENS): self.grade()})
        if kind < 0.72:  # today's, said otherwise
            token = self.chance.randrange(1, TOKENS)
            self.grades[token] = self.grade()
            return self.read(self.day, {token: self.grades[token]})
        self.day += 1
        moved = self.chance.sample(range(1, TOKENS), self.chance.randint(0, 4))
        self.grades |= {token: self.grade() for token in range(1, TOKENS) if token in moved or token not in self.grades}
        return self.read(self.day, {token: self.grades[token] for token in range(1, TOKENS)})

    def burst(self) -> list[bytes]:
        """So many tokens jump at once."""
        many = range(1_000, 1_000 + BURST)
        self.read(self.day, dict.fromkeys(many, 40.0))
        self.day += 1
        made = self.read(self.day, dict.fromkeys(many, 80.0))
        assert len(made) == BURST
        return made

    def grade(self) -> float:
        return float(self.chance.randint(10, 90))


def again(both: Gradewire) -> Gradewire:
    """The server after a restart: all that it kept in memory is gone."""
    database = Database(both.database.url.render_as_string(hide_password=False))
    return Gradewire(both.settings, database, both.vault, now=both.now)


def test_each_event_fires_once_none_is_missed_and_no_old_one_comes_back(both: Gradewire, wall: Wall) -> None:
    rounds = 1_000 if both.database.is_sqlite else 250
    chance = random.Random(5)
    world, zap = World(Market(both, wall), wall, chance), Zap(asker(create_app(both), both, "ada@example.com"))
    zap.turn_on()
    started: list[Gradewire] = []
    for number in range(rounds):
        made = world.burst() if number == rounds // 2 - 60 else world.tick()
        if zap.on:
            zap.owed += made
            zap.round()
        if number % 97 == 96:  # turned off, or on again: what happened meanwhile is not told
            zap.turn_off() if zap.on else zap.turn_on()
        if number % 143 == 142:
            started.append(again(both))
            zap.ada = Asker(create_app(started[-1]), zap.ada.key, zap.ada.email)
    for each in started:
        each.close()
    assert len(zap.owed) > rounds // 8 + BURST
    assert [identity for identity, count in Counter(zap.fired).items() if count > 1] == []
    assert set(zap.owed) - set(zap.fired) == set()
    assert set(zap.fired) - set(zap.owed) == set()


def test_a_burst_beyond_the_usual_page_is_whole_in_the_page_that_zapier_asks_for(both: Gradewire, wall: Wall) -> None:
    world, zap = World(Market(both, wall), wall, random.Random(1)), Zap(asker(create_app(both), both, "ada@example.com"))
    zap.turn_on()
    made = world.burst()
    zap.round()
    zap.round()
    assert sorted(zap.fired) == sorted(made)


@pytest.mark.parametrize("limit", [3, 100, 1_000])
def test_a_page_only_ever_grows_at_its_top(gradewire: Gradewire, wall: Wall, limit: int) -> None:
    world = World(Market(gradewire, wall), wall, random.Random(2))
    ada = asker(create_app(gradewire), gradewire, "ada@example.com")
    page: list[bytes] = []
    for _ in range(80):
        world.tick()
        now = ID.findall(ada.get("triggers/grade_changed", points=10, limit=limit).get_data())
        fresh = [identity for identity in now if identity not in page]
        assert now == (fresh + page)[:limit]
        page = now
