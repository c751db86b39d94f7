"""A market that goes on, polled as it comes due."""

from __future__ import annotations

from integration.domain.retry import DAY, HOUR
from integration.service import scheduling, wishing
from integration.service.agenda import Agenda, agenda
from tests.market import Here, Town


def next_due(plan: Agenda) -> int:
    """The market time at which the next poll comes due."""
    dues = [entry.watch.next(entry.interval) or 0 for entry in plan.entries if entry.interval is not None]
    return min([*(due for due in dues if due > plan.now), plan.until])


def live(here: Here, days: float, most: int = HOUR) -> None:
    """Let the market go on, polling whatever comes due when it does; at least each `most` ms someone looks."""
    clock = here.gradewire.clock
    end = clock.at(here.wall()) + round(days * DAY)
    while (now := clock.at(here.wall())) < end:
        wait = min(next_due(agenda(here.gradewire)) - now, most, end - now)
        if isinstance(here, Town):
            here.pass_days(wait / DAY)
        else:
            here.wall.ms += wait  # type: ignore[attr-defined]
        scheduling.run(here.gradewire)


def at_work(here: Town, days: float, most: int = HOUR, *, fetch_first: bool = False) -> None:
    """As `live`, with the past that is needed or wished for fetched too, after or before each look."""
    work = [scheduling.run, wishing.run]
    end = here.gradewire.clock.at(here.wall()) + round(days * DAY)
    while True:
        for each in reversed(work) if fetch_first else work:
            each(here.gradewire)
        now = here.gradewire.clock.at(here.wall())
        if now >= end:
            return
        here.pass_days(min(max(next_due(agenda(here.gradewire)) - now, 1), most, end - now) / DAY)
