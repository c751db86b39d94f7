"""The crash matrix: every fault at every point on every database that it concerns."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

import redis
from sqlalchemy import select

from integration.domain.retry import DAY, SECOND
from integration.service.claiming import LEASE_MS
from integration.store.tables import attempt, delivery
from tests.chaos import points
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.scene import Pair, Scene, count, told
from tests.chaos.stage import Stage

#: How long the clock may have to go on: for deliveries to the end of their leases, also where it was put back; for a poll
#: until one that did not end well is repeated, which is half a day for a daily source where it was late already.
MOST_MS = {"deliveries": LEASE_MS + 30 * SECOND, "polls": DAY}


@dataclass(frozen=True)
class Case:
    """A fault at a point on a kind of database."""

    fault: Fault
    point: str
    kind: str

    @property
    def name(self) -> str:
        """As a test is named."""
        return f"{self.fault.name}, {self.point}, {self.kind}"


def matrix() -> list[Case]:
    """Every case."""
    return [Case(fault, point, kind) for fault in FAULTS for point in points.POINTS for kind in fault.kinds]


@dataclass(frozen=True)
class Result:
    """What became of a case: deliveries owed and arrived, those that came twice or more, how many were in flight at most when
    it was struck, deliveries not settled at the end, seconds."""

    owed: int
    arrived: int
    twice: int
    in_flight: int
    stuck: int
    seconds: float


def after(point: str, owed: int) -> int:
    """At which passing a process stops: about a quarter of the way."""
    quarter = owed // 4
    return {points.CLAIM: quarter // 625, points.SENDING: quarter, points.SENT: quarter // 3}.get(point, quarter // 1_500) or 1


def run(scene: Scene, case: Case, patience_s: float) -> Result:
    """Run a case; raises AssertionError where anything is lost, false, sent twice without need, or stuck."""
    started = time.monotonic()
    number = 1 if case.point == points.POLL else after(case.point, len(scene.expected))
    scene.recorder.clear(hold=number if case.point == points.SENDING else None)
    redis.Redis.from_url(scene.redis_url).flushall()
    with case.fault.folder() as folder, scene.database(case.kind, folder) as url:
        stage = Stage(scene, case.kind, url, folder, patience_s)
        try:
            for name in case.fault.processes:
                stage.start(name, case.point, number)
            case.fault.begin(stage)
            stage.wake()
            stage.reach(case.point)
            stage.note_leased()
            case.fault.strike(stage)
            stage.go()
            case.fault.heal(stage)
            stage.settle()
            return judged(stage, case, time.monotonic() - started)
        except AssertionError as error:
            error.add_note(stage.logs())
            raise
        finally:
            stage.close()


def judged(stage: Stage, case: Case, seconds: float) -> Result:
    """The result, if it is as it must be."""
    expected = stage.scene.expected
    came: Counter[Pair] = Counter(pair for pair in stage.scene.recorder.came if not pair[0].startswith("/late/"))
    twice = {pair for pair, times in came.items() if times > 1}
    stuck = count(stage.database, delivery, delivery.c.state == 0)
    assert not expected - set(came), f"{len(expected - set(came))} never came"
    assert not set(came) - expected, f"{len(set(came) - expected)} came that nobody was owed"
    assert told(stage.database) == {identity for _, identity in expected}, "other events than without the fault"
    assert twice <= stage.orphans, f"{len(twice - stage.orphans)} came twice that were not in flight"
    assert case.fault.repeats or not twice, f"{len(twice)} came twice, and there was no need"
    assert stuck == 0, f"{stuck} are not settled"
    for what, wait in stage.waited_ms.items():
        assert wait <= MOST_MS[what], f"the clock had to go on by {wait} ms for {what}"
    with stage.database.read() as connection:
        tried = set(connection.scalars(select(attempt.c.delivery_id).where(attempt.c.outcome == "delivered")))
        made = set(connection.scalars(select(delivery.c.id).where(delivery.c.state == 1)))
    assert made == tried, "the deliveries made are not those of which an attempt says so"
    return Result(len(expected), len(expected & set(came)), len(twice), len(stage.orphans), stuck, seconds)
