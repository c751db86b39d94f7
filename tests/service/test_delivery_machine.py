"""The delivery machine under random outcomes, crashes and clocks, against a plain model (delivery_model)."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Table, select, update

from integration.config import load
from integration.domain.errors import GradewireError
from integration.domain.message import HttpRequest, Reply
from integration.domain.retry import DAY, HOUR, MINUTE, SECOND
from integration.service import destinations, subscribe
from integration.service.claiming import LEASE_MS, Batch, Owed, claim
from integration.service.lanes import Job
from integration.service.repeating import retry
from integration.service.sending import Sender
from integration.service.settling import Chunk
from integration.service.ways import Ways
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries.deliveries import DELIVERED, HELD, PENDING
from integration.store.secrets import Vault
from integration.store.tables import delivery, destination, subscription
from tests.market import KEY
from tests.service.delivery_model import FINAL, Debt, Model
from tests.service.given import ACCOUNT, Clock, Given, channel

#: Two destinations that are told one by one, and one whose old notices are told as one.
PLACES = {"a": "webhook", "b": "webhook", "c": "chat"}
STALE = 6 * HOUR
FINE = Reply(200)
REPLIES = (
    FINE,
    FINE,
    Reply(400),
    Reply(403),
    Reply(410),
    Reply(429, retry_after="7"),
    Reply(429, retry_after="100000"),
    Reply(500),
    Reply(503, retry_after="30"),
    Reply(0, error="timeout", ambiguous=True, duration_ms=15_000),
    Reply(0, error="connect", duration_ms=5_000),
)
LEAPS = (1, SECOND, 6 * SECOND, MINUTE, 7 * MINUTE, 3 * HOUR, DAY, 4 * DAY, 15 * DAY)
BACK = (-SECOND, -10 * SECOND)
ENDS = ("writes", "writes", "writes later", "dies while sending", "dies before writing")
#: What was sent, what came back, and when (ms).
Answer = tuple[Owed, Reply, int]


class Scripted:
    """In place of the wire: answers what it is told to, in order; each batch of answers takes as long as its slowest."""

    total_ms, most = 15_000, 8

    def __init__(self, clock: Clock) -> None:
        self._clock, self._under_way = clock, list[Job]()
        self.replies: itertools.cycle[Reply] = itertools.cycle([FINE])
        self.started = self.answered = lambda *_: None

    @property
    def in_flight(self) -> int:
        return len(self._under_way)

    def has_room(self, *, retry: bool = False) -> bool:
        return len(self._under_way) < self.most

    def start(
        self, job: Job, _request: HttpRequest, _headers: Sequence[str] = (), *, retry: bool = False, at_once: bool = True
    ) -> None:
        self._under_way.append(job)
        for one in job.owed:
            self.started(one)

    def finished(self, _timeout: float) -> list[tuple[Job, Reply]]:
        over = [(job, next(self.replies)) for job in self._under_way]
        self._clock.ms += max(reply.duration_ms for _, reply in over)
        self._under_way.clear()
        for job, reply in over:
            self.answered(job.owed, reply)
        return over

    def abandon(self) -> None:
        self._under_way.clear()


class Worker:
    """What a worker keeps between its claims."""

    def __init__(self, here: Gradewire, given: Given) -> None:
        self._here, self._given = here, given
        self.wire = Scripted(given.clock)
        self.start()

    def start(self) -> None:
        """Begin anew, as after its death."""
        self.ways = Ways(self._given.channels, self._here.open_config, self.wire)  # type: ignore[arg-type]


class DeliveryMachine(RuleBasedStateMachine):
    """Claiming, sending and settling are the product's, on SQLite; the wire is scripted; who dies is drawn."""

    template: Path

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="gw-machine-")
        file = Path(self.folder.name) / "gradewire.db"
        shutil.copy(self.template, file)
        self.database = Database(f"sqlite:///{file}")
        chat = channel("chat", stale_after=STALE)
        self.given = Given(self.database, {"webhook": channel(), "chat": chat})
        self.clock = self.given.clock
        self.here = Gradewire(load({}), self.database, Vault([KEY]), now=self.clock)
        for name, kind in PLACES.items():
            self.given.receives(name, f"http://{name}.example/", channel=kind)
            sealed = self.here.vault.seal({"url": f"http://{name}.example/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
            self.given.change(update(destination).where(destination.c.id == f"dst_{name}").values(config=sealed))
        self.workers = [Worker(self.here, self.given) for _ in range(2)]
        self.given.change(update(subscription).where(subscription.c.id == "sub_b").values(origin="hook"))
        self.batches: list[tuple[Worker, Batch]] = []
        self.unwritten: list[tuple[Batch, list[Chunk], list[Answer]]] = []
        self.latest, self.disabled, self.model = self.clock.ms, set[str](), Model()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.end_well()
            self.given.close()
            self.database.close()
            self.folder.cleanup()

    # -- the world -----------------------------------------------------------------------------------------------------

    @rule(names=st.sets(st.sampled_from(sorted(PLACES)), min_size=1), events=st.integers(1, 4))
    def owe(self, names: set[str], events: int) -> None:
        self.given.owes(*sorted(names), events=events, now=self.clock.ms)
        for row in self.rows():
            self.model.debts.setdefault(row.id, Debt(row.created_at, row.created_at))

    @rule(leap=st.sampled_from(LEAPS))
    def time_passes(self, leap: int) -> None:
        self.clock.ms += leap
        self.latest = max(self.latest, self.clock.ms)

    @rule(leap=st.sampled_from(BACK))
    def clock_is_put_right(self, leap: int) -> None:
        self.clock.ms = max(self.clock.ms + leap, self.latest + min(BACK))

    @rule(name=st.sampled_from(sorted(PLACES)), status=st.sampled_from(["paused", "active", "active"]))
    def destination_is_set(self, name: str, status: str) -> None:
        destinations.set_destination(self.here, ACCOUNT, f"dst_{name}", status)
        if status == "active":
            self.wake(lambda row: row.destination_id == f"dst_{name}")

    @rule(name=st.sampled_from(sorted(PLACES)), status=st.sampled_from(["paused", "active", "active"]))
    def subscription_is_set(self, name: str, status: str) -> None:
        with suppress(GradewireError):
            paused = name in self.named(subscription, "paused")
            subscribe.set_subscription(self.here, ACCOUNT, f"sub_{name}", status)
            if paused and status == "active":
                self.wake(lambda row: row.subscription_id == f"sub_{name}")

    @precondition(lambda self: self.model.debts)
    @rule(data=st.data())
    def someone_wants_it_again(self, data: st.DataObject) -> None:
        identity = data.draw(st.sampled_from(sorted(self.model.debts)))
        with suppress(GradewireError):
            retry(self.here, ACCOUNT, identity)
            self.model.wished(identity, self.clock.ms)

    # -- the workers ---------------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 1), most=st.integers(1, 12))
    def claims(self, which: int, most: int) -> None:
        now, before = self.clock.ms, {row.id: row for row in self.rows()}
        batch = claim(self.database, self.workers[which].ways, now, most)
        assert batch.claimed <= most
        for one in mine(batch):
            assert before[one.id].next_attempt_at <= now
            self.model.leased(one.id, one.lease, now, one.until)
        for row in self.rows():
            if row.lease is None:
                self.model.debts[row.id].lease = None
        self.batches.append((self.workers[which], batch))

    @precondition(lambda self: self.batches)
    @rule(data=st.data(), replies=st.lists(st.sampled_from(REPLIES), min_size=1, max_size=6), end=st.sampled_from(ENDS))
    def works(self, data: st.DataObject, replies: list[Reply], end: str) -> None:
        worker, batch = self.batches.pop(data.draw(st.integers(0, len(self.batches) - 1)))
        self.work(worker, batch, replies, end)

    @rule(most=st.integers(4, 40), replies=st.lists(st.sampled_from(REPLIES), min_size=1, max_size=6))
    def delivers(self, most: int, replies: list[Reply]) -> None:
        """A worker does both at once."""
        self.claims(0, most)
        self.database_and_model_agree()
        self.work(*self.batches.pop(), replies, "writes")

    @rule(attempts=st.integers(5, 9))
    def failed_often(self, attempts: int) -> None:
        """What waits freely has so many attempts behind it."""
        c = delivery.c
        free = (c.state == PENDING, c.lease.is_(None), c.lead_id.is_(None))
        for row in self.rows():
            if (row.state, row.lease, row.lead_id) == (PENDING, None, None):
                self.model.debts[row.id].attempts = attempts
        self.given.change(update(delivery).where(*free).values(attempts=attempts))

    @rule(before=st.sampled_from(REPLIES), tried=st.integers(0, 8), events=st.integers(2, 4), reply=st.sampled_from(REPLIES))
    def old_notices_come_due(self, before: Reply, tried: int, events: int, reply: Reply) -> None:
        """They were owed hours ago, and are told now; one was tried before, and may have to wait longer."""
        self.owe({"c"}, 1)
        self.failed_often(tried)
        self.delivers(40, [before])
        self.owe({"c"}, events)
        self.time_passes(STALE + MINUTE)
        self.delivers(40, [reply])

    @rule(first=st.sampled_from(REPLIES), second=st.sampled_from(REPLIES), late=st.booleans())
    def one_worker_is_overtaken(self, first: Reply, second: Reply, late: bool) -> None:
        """It has sent, but could not write that down before its lease was over, and another has taken the same."""
        self.owe({"a", "b"}, 1)
        for which, reply in enumerate((first, second)):
            self.claims(which, 40)
            self.database_and_model_agree()
            self.work(*self.batches.pop(), [reply], "writes later")
            self.time_passes(LEASE_MS)
        for _ in range(2):
            self.write(*self.unwritten.pop(-1 if late else -2 if len(self.unwritten) > 1 else -1))
            self.database_and_model_agree()

    def go_on(self, replies: Sequence[Reply]) -> bool:
        """Wait for what comes due next, and deliver; False where nothing will."""
        due = [row.next_attempt_at for row in self.rows() if row.state == PENDING]
        if due:
            self.time_passes(max(min(due) - self.clock.ms, 0))
            self.claims(0, 50)
            self.database_and_model_agree()
            self.work(*self.batches.pop(), replies, "writes")
            self.database_and_model_agree()
        return bool(due)

    def work(self, worker: Worker, batch: Batch, replies: Sequence[Reply], end: str) -> None:
        """Send a batch; unless the worker dies before, write down what became of it."""
        chunks, answers = list[Chunk](), list[Answer]()
        worker.wire.replies = itertools.cycle(replies)
        worker.wire.started = lambda one: self.model.starts(one.id, one.lease, self.clock.ms, Scripted.total_ms)
        worker.wire.answered = lambda owed, reply: answers.extend((one, reply, self.clock.ms) for one in owed)
        sender = Sender(worker.ways, self.clock, chunks.append)
        sender.take(batch)
        while not sender.idle and not (answers and end == "dies while sending"):
            sender.step(0.01)
        sender.flush()
        worker.wire.abandon()
        self.latest = max(self.latest, self.clock.ms)
        for one, reply, _ in answers:
            self.model.debts[one.id].taken += reply.status == 200
        if end.startswith("dies"):
            worker.start()
        elif end == "writes later":
            self.unwritten.append((batch, chunks, answers))
        else:
            self.write(batch, chunks, answers)

    @precondition(lambda self: self.unwritten)
    @rule()
    def writes_late(self) -> None:
        """What a worker could not write down before, it does now."""
        self.write(*self.unwritten.pop())

    def write(self, batch: Batch, chunks: Sequence[Chunk], answers: Sequence[Answer]) -> None:
        with self.database.write() as connection:
            for chunk in chunks:
                chunk.write(connection)
        for one, reply, at in answers:
            self.model.answered(one.id, one.lease, reply, at)
        for one in mine(batch):
            self.model.given_back(one.id, one.lease)

    # -- what must always be so ----------------------------------------------------------------------------------------

    @invariant()
    def database_and_model_agree(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = self.rows()
        assert {row.id for row in rows} == set(self.model.debts), "a delivery is lost"
        disabled = self.named(destination, "disabled")
        ended = self.named(subscription, "ended")
        for row in sorted(rows, key=lambda row: row.lead_id is not None and row.lead_id != row.id):  # who leads comes first
            name = row.destination_id.removeprefix("dst_")
            why = {"disabled": name in disabled | self.disabled, "ended": name in ended, "groups": PLACES[name] == "chat"}
            self.model.agrees(row, self.clock.ms, why)
        self.disabled = disabled

    def end_well(self) -> None:
        """Whatever happened: once all is well again and the leases are over, all is settled, and what is delivered was taken."""
        self.batches.clear()
        self.unwritten.clear()
        for name in PLACES:
            self.destination_is_set(name, "active")
            self.subscription_is_set(name, "active")
        self.finish()
        for row in self.rows():
            if row.state == HELD:
                with suppress(GradewireError):
                    retry(self.here, ACCOUNT, row.id)
                    self.model.wished(row.id, self.clock.ms)
        self.finish()
        for row in self.rows():
            debt, lead = self.model.debts[row.id], self.model.debts.get(row.lead_id)
            assert debt.state in FINAL, f"{row.id} is stuck"
            assert debt.state != DELIVERED or debt.taken or (lead and lead.taken), f"{row.id} was never taken"

    def finish(self) -> None:
        for _ in range(200):
            if not self.go_on([FINE]):
                return
        raise AssertionError("it does not come to an end")

    # -- looking -------------------------------------------------------------------------------------------------------

    def rows(self) -> list[Any]:
        return self.given.rows()

    def named(self, table: Table, status: str) -> set[str]:
        """The names of what has a status."""
        with self.database.read() as connection:
            return {identity[4:] for identity in connection.scalars(select(table.c.id).where(table.c.status == status))}

    def wake(self, whose: Callable[[Any], bool]) -> None:
        for row in self.rows():
            if whose(row):
                self.model.woken(row.id, self.clock.ms)


def mine(batch: Batch) -> list[Owed]:
    return [one for _, owed, _ in batch.ready for one in owed]


def test_no_order_of_answers_crashes_and_clocks_loses_a_delivery_or_breaks_a_law(sqlite_database: Database) -> None:
    class Here(DeliveryMachine):
        template = Path(str(sqlite_database.url.database))

    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(Here, settings=settings(max_examples=25, stateful_step_count=40, suppress_health_check=slow))
