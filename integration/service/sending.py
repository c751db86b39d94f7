"""The sending loop: each destination in its own lane, so that one that is slow or broken never stops its neighbours."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count
from operator import attrgetter

from integration.domain.message import Delivered, HttpRequest, Mail, Reply, Retry, Verdict
from integration.domain.retry import SCHEDULE
from integration.service.claiming import EXACT_MS, Batch, Owed
from integration.service.helping import Helpers
from integration.service.lanes import Job, Lane
from integration.service.settling import Chunk, Ledger
from integration.service.ways import Ways
from integration.store.queries import outbox
from integration.wire.google import TokenRefused

#: What a destination cannot get through in this time goes back, for others to be taken instead.
HORIZON_MS = 5_000
#: Outcomes written together.
CHUNK = 500
#: What is settled waits no longer than this to be written down: a crash repeats what is not.
FLUSH_MS = 250
#: A receiver that answers within this time does so at once: more requests under way would only wait for us.
AT_ONCE_MS = 20
#: Messages that may wait in lanes before no more are claimed.
BACKLOG = 2_000
#: Where fewer wait, more are claimed: while others write, there is something to send.
RESERVE = 100

_ATTEMPTS, _MESSAGE = attrgetter("attempts"), attrgetter("message")


class Sender:
    """Sends what it is given and hands on what became of it, in chunks."""

    def __init__(self, ways: Ways, now: Callable[[], int], record: Callable[[Chunk], None]) -> None:
        self._ways, self._now, self._record = ways, now, record
        self._transport = ways.transport
        self._ledger = Ledger()
        self._helpers = Helpers()
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._timed: list[tuple[float, int, Lane]] = []
        self._numbers = count()
        self._waiting = 0
        self._settled_since: int | None = None
        self.counts = self._ledger.counts

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not (self._waiting or self._transport.in_flight or self._helpers.busy)

    @property
    def hungry(self) -> bool:
        """Whether few messages wait, or there is room that none of them can use."""
        return self._waiting < RESERVE or (not self._ready and self._waiting < BACKLOG and self._transport.has_room())

    def take(self, batch: Batch) -> None:
        """Add what a claim brought."""
        self.counts.dead += batch.ended
        self.counts.held += batch.held
        for target, owed, start in batch.ready:
            target.free_at = max(target.free_at, time.monotonic() + (start - batch.at) / 1000)
            lane = self._lanes.get(target.id)
            if lane is None:
                lane = self._lanes[target.id] = Lane(target)
            else:
                lane.target = target
            lane.waiting.extend(owed)
            self._waiting += len(owed)
            self._queue(lane)

    def begin(self) -> None:
        """Start what can start: receivers have it while something else is done here."""
        self._start_ready(self._now())
        self._transport.push()

    def step(self, timeout: float) -> None:
        """Start what can start and take in what is over, waiting up to `timeout` seconds for something to be."""
        now = self._now()
        timeout = self._turn_up(timeout)
        self._start_ready(now)
        if self._transport.in_flight:
            over = self._transport.finished(min(timeout, 0.02) if self._helpers.busy else timeout)
            now = self._now()
            for job, reply in over:
                self._over(job, reply, now)
                if len(self._ledger.chunk.outcomes) >= CHUNK:
                    self.flush()
            timeout = 0
        if self._helpers.busy:
            self._helpers.run(timeout)
        elif self._timed and not self._ready and timeout > 0:
            time.sleep(timeout)
        if self._settled_since is None and self._ledger.chunk:
            self._settled_since = now
        waited = now - self._settled_since if self._settled_since is not None else 0
        if self.idle or not 0 <= waited < FLUSH_MS:
            self.flush()

    def flush(self) -> None:
        """Hand on what is settled."""
        self._settled_since = None
        if self._ledger.chunk:
            self._record(self._ledger.take())

    def give_back(self) -> None:
        """Put back all that waits, for others to take at once."""
        for lane in self._lanes.values():
            self._put_back(lane, self._now())

    def close(self) -> None:
        """Let go of helper threads."""
        self._helpers.close()

    # -- starting ----------------------------------------------------------------------------------------------------

    def _queue(self, lane: Lane) -> None:
        """Let a lane in which something waits start again as soon as it may."""
        if not lane.queued and lane.in_flight < lane.width(self._ways.peers):
            lane.queued = True
            if lane.target.free_at > time.monotonic():
                heappush(self._timed, (lane.target.free_at, next(self._numbers), lane))
            else:
                self._ready.append(lane)

    def _turn_up(self, timeout: float) -> float:
        """Take up lanes whose time has come; how long (seconds, `timeout` at most) until the next one's does."""
        now = time.monotonic()
        while self._timed and self._timed[0][0] <= now:
            self._ready.append(heappop(self._timed)[2])
        return min(timeout, self._timed[0][0] - now) if self._timed else timeout

    def _start_ready(self, now: int) -> None:
        while self._ready and self._transport.has_room():
            lane = self._ready.popleft()
            lane.queued = False
            if lane.waiting and lane.waiting[0].attempts and not self._transport.has_room(retry=True):
                self._put_retries_back(lane, now + HORIZON_MS)
            else:
                self._start(lane, now)
            if lane.waiting:
                self._queue(lane)

    def _start(self, lane: Lane, now: int) -> None:
        owed: list[Owed] = []
        while lane.waiting and len(owed) < lane.target.channel.limits.batch:
            one = lane.waiting.popleft()
            self._waiting -= 1
            if lane.target.id in self._ledger.closed:
                self._ledger.hold(one, now + SCHEDULE[0])
            elif self._in_time(one, now):
                owed.append(one)
        if owed:
            self._begin(lane, owed, now)

    def _in_time(self, one: Owed, now: int) -> bool:
        """Whether an attempt that starts now ends before the lease; if not, the delivery goes back."""
        if now + self._transport.total_ms <= one.until:
            return True
        self._ledger.hold(one, now)
        return False

    def _begin(self, lane: Lane, owed: list[Owed], now: int) -> None:
        """Render what has to be sent next for these messages, and send it; the next request of the lane has its own time."""
        target = lane.target
        peers = self._ways.peers if target.step < EXACT_MS else 1
        target.free_at = max(target.free_at, time.monotonic()) + target.step * peers / 1000
        job = Job(lane, owed, any(map(_ATTEMPTS, owed)))
        try:
            request = self._request(job)
            headers = () if isinstance(request, Mail) else target.signature(request, owed[0].message.id, now)
        except Exception as error:
            self._unrendered(lane, owed, error, now)
            return
        lane.in_flight += 1
        if isinstance(request, Mail):
            self._helpers.do(partial(self._ways.mail, request), partial(self._mailed, job))
        elif request.auth is not None:
            job.tokened = True
            work = partial(self._ways.authorization, lane.target.config, request)
            self._helpers.do(work, partial(self._authorized, job, request, headers))
        else:
            self._transport.start(job, request, headers, retry=job.retry, at_once=lane.pace_ms < AT_ONCE_MS)

    def _request(self, job: Job) -> HttpRequest | Mail:
        channel, config = job.lane.target.channel, job.lane.target.config
        if channel.prepare is not None and not job.lane.target.prepared:
            job.stage = "prepare"
            return channel.prepare(config)
        if channel.probe is not None and (unsure := [one.message for one in job.owed if one.ambiguous]):
            job.stage = "probe"
            return channel.probe(unsure, config)
        return channel.render(list(map(_MESSAGE, job.owed)), config)

    def _unrendered(self, lane: Lane, owed: list[Owed], error: Exception, now: int) -> None:
        """A channel's mistake ends the message it is about, never the batch: find the one, go on with the others."""
        good = []
        for one in owed if len(owed) > 1 else ():
            try:
                lane.target.channel.render([one.message], lane.target.config)
                good.append(one)
            except Exception as own:
                self._ledger.unrendered(lane.target, one, own, now)
        if good and len(good) < len(owed):
            self._begin(lane, good, now)
        else:
            for one in good or owed:
                self._ledger.unrendered(lane.target, one, error, now)

    # -- what came back ----------------------------------------------------------------------------------------------

    def _mailed(self, job: Job, reply: Reply | Exception) -> None:
        if isinstance(reply, Exception):
            reply = Reply(0, error="failed", detail=type(reply).__name__)
        self._over(job, reply, self._now())

    def _authorized(self, job: Job, request: HttpRequest, headers: tuple[str, ...], line: tuple[str, ...] | Exception) -> None:
        if isinstance(line, tuple):
            self._transport.start(job, request, (*headers, *line), retry=job.retry)
        elif isinstance(line, TokenRefused):
            self._over(job, line.reply, self._now())
        else:
            self._over(job, Reply(0, error="failed", detail=type(line).__name__), self._now())

    def _over(self, job: Job, reply: Reply, now: int) -> None:
        lane = job.lane
        lane.in_flight -= 1
        lane.pace_ms += (reply.duration_ms - lane.pace_ms) / 4
        if job.tokened and reply.status == 401:
            self._ways.forget_token(lane.target.config)
        try:
            verdict = lane.target.channel.verdict(reply)
            arrived = self._arrived(job, reply) if job.stage == "probe" and isinstance(verdict, Delivered) else []
        except Exception as error:
            verdict, arrived = Retry(reason=f"the answer was not understood: {type(error).__name__}"), []
        if job.stage == "send" or not isinstance(verdict, Delivered):
            self._settle(job, job.owed, reply, verdict, now)
        elif job.stage == "prepare":
            lane.target.prepared = True
            self._ledger.change(partial(outbox.prepared, destination_id=lane.target.id))
            self._go_on(lane, job.owed, now)
        else:
            self._settle(job, arrived, reply, verdict, now)
            there = {one.id for one in arrived}
            rest = [one for one in job.owed if one.id not in there]
            for one in rest:
                one.ambiguous = False
            self._go_on(lane, rest, now)
        if lane.waiting:
            self._queue(lane)

    def _arrived(self, job: Job, reply: Reply) -> list[Owed]:
        """Of the messages whose arrival was in doubt, those that a probe found."""
        absent = job.lane.target.channel.absent
        unsure = [one for one in job.owed if one.ambiguous]
        missing = absent(reply, [one.message for one in unsure]) if absent else []
        ids = {message.id for message in missing}
        return [one for one in unsure if one.message.id not in ids]

    def _go_on(self, lane: Lane, owed: list[Owed], now: int) -> None:
        rest = [one for one in owed if self._in_time(one, now)]
        if rest:
            self._begin(lane, rest, now)

    def _settle(self, job: Job, owed: Sequence[Owed], reply: Reply, verdict: Verdict, now: int) -> None:
        lane, alone = job.lane, 0
        if job.stage == "send" and lane.target.channel.probe is not None and (reply.ambiguous or reply.status >= 500):
            for one in owed:
                one.ambiguous = True
        for one in owed:
            alone = self._ledger.settle(lane.target, one, reply, verdict, now)
        if alone:
            self._put_back(lane, alone)
        elif lane.waiting and len(lane.waiting) * lane.pace_ms > HORIZON_MS * (width := lane.width(self._ways.peers)):
            keep = int(HORIZON_MS * width / lane.pace_ms)
            self._put_back(lane, now + HORIZON_MS, lane.pace_ms / width, keep)

    def _put_retries_back(self, lane: Lane, at: int) -> None:
        """Give back repeated attempts, for which there is no place: half of all places are kept for first ones."""
        for one in lane.waiting:
            if one.attempts:
                self._ledger.hold(one, at)
        left = deque(one for one in lane.waiting if not one.attempts)
        self._waiting -= len(lane.waiting) - len(left)
        lane.waiting = left

    def _put_back(self, lane: Lane, at: int, step_ms: float = 0, keep: int = 0) -> None:
        """Give back what a destination cannot get through now, spread over the time that it will need."""
        back = [lane.waiting.pop() for _ in range(max(len(lane.waiting) - keep, 0))]
        self._waiting -= len(back)
        for place, one in enumerate(reversed(back)):
            self._ledger.hold(one, at + int(place * step_ms))
