"""What the operator is told before it hurts: how far the plan goes, what stands still, what was believed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from integration.domain.catalogue import Source
from integration.domain.retry import DAY, HOUR, MINUTE
from integration.service.agenda import Agenda, Entry
from integration.service.wiring import Gradewire
from integration.store.queries import notices

PLAN, DROPPED, LAG = "plan", "dropped", "lag"
STALE, RECOVERED, BASELINE = "data.stale", "data.recovered", "baseline"
#: A source stands still when nothing new came for so many of the times that one should have.
STILL = 3
#: A source lags when it misses so many of its intervals, and is told to when it has for so long (ms): not while a process that
#: was down makes up for it.
MISSED, LAGGING = 2, MINUTE
#: Sources that one notice names, and how long notices are kept (ms).
NAMED, KEPT = 4, 90 * DAY


def keep_notices(gradewire: Gradewire, plan: Agenda) -> None:
    """Tell what holds now and was not told, and take back what no longer does."""
    withheld = gradewire.settings.withheld_days
    with gradewire.database.read() as connection:
        of_plan = notices.of_kinds(connection, PLAN, DROPPED, LAG)
        of_data = notices.of_kinds(connection, STALE, RECOVERED)
    lagging = _of_lag(gradewire, plan, LAG in of_plan)
    hold = {key: (kind, text) for key, kind, text in (*_of_plan(plan), *lagging, *_of_data(plan, withheld, set(of_data)))}
    fresh = {key: told for key, told in hold.items() if {**of_plan, **of_data}.get(key) != told[1]}
    gone = of_plan.keys() - hold.keys()
    if not fresh and not gone:
        return
    now = gradewire.now()
    with gradewire.database.write() as connection:
        for key, (kind, text) in fresh.items():
            notices.put(connection, key, kind, now, text)
        for key in gone:
            notices.drop(connection, key)
        notices.prune(connection, now - KEPT)


def baseline(connection: Connection, source: Source, slot: int, rows: int, now: int) -> None:
    """Tell that a short answer was believed."""
    text = f"{source.label}: {rows} rows, far fewer than before, are taken for all there are, as three polls in a row agree."
    notices.put(connection, f"{BASELINE}:{source.key}:{slot}", BASELINE, now, text)


def latest(gradewire: Gradewire, limit: int = 5) -> list[Any]:
    """What was told in the last 30 days, the newest first: rows of key, kind, at (ms) and text."""
    with gradewire.database.read() as connection:
        return notices.newest(connection, since=gradewire.now() - 30 * DAY, limit=limit)


Notice = tuple[str, str, str]


def _of_plan(plan: Agenda) -> Iterator[Notice]:
    """(key, kind, text) of what the plan's calls are not enough for."""
    if plan.shared.wished <= plan.allowed:
        return
    month, reset = plan.usage.month_ends, day(plan.until)
    ends = plan.now + round((plan.until - plan.now) * plan.allowed / plan.shared.wished)
    moved = {entry.source.label: entry.interval for entry in plan.entries if entry.interval and entry.interval > entry.freely}
    moves = [f"{label} every {span(interval)}" for label, interval in moved.items()]
    more = f" and {len(moves) - NAMED} more" if len(moves) > NAMED else ""
    told = f" Polled less often: {', '.join(moves[:NAMED])}{more}." if moves else ""
    yield f"{PLAN}:{month}", PLAN, f"At this rate the plan's calls would end on {day(ends)}, before their reset on {reset}.{told}"
    for source in {entry.source.key: entry.source for entry in plan.entries if entry.interval is None}.values():
        yield (
            f"{DROPPED}:{month}:{source.key}",
            DROPPED,
            f"{source.label}: not polled until the plan's calls are reset on {reset}.",
        )


def lags(plan: Agenda) -> dict[str, int]:
    """By how much (ms of market time) each source is polled later than it came due, where that is some of its intervals, by
    label, the longest first. What was tried since, and failed, does not lag."""
    found: dict[str, int] = {}
    for entry in plan.entries:
        due = None if entry.interval is None else entry.watch.next(entry.interval)
        if due is None or (entry.tried or 0) >= due:
            continue
        if plan.now - due >= MISSED * max(entry.interval or 0, entry.watch.cadence):
            found[entry.source.label] = max(plan.now - due, found.get(entry.source.label, 0))
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def lag_text(behind: dict[str, int], most: int = NAMED) -> str:
    """What lags and what helps."""
    named = [f"{label} by {span(rounded(late))}" for label, late in list(behind.items())[:most]]
    more = f" and {len(behind) - most} more" if len(behind) > most else ""
    return (
        f"Evaluation lags behind the market's clock: {', '.join(named)}{more}. What happens between two polls may not be told. "
        "A slower market (--day), fewer triggers or tokens, or a plan with more calls a minute lets it keep up."
    )


def rounded(milliseconds: int) -> int:
    """A length in hours or days with one digit that counts, so that what is told does not change all the time."""
    unit = DAY if milliseconds >= DAY else HOUR
    count = max(1, milliseconds // unit)
    scale = 10 ** (len(str(count)) - 1)
    return int(count // scale * scale * unit)


def _of_lag(gradewire: Gradewire, plan: Agenda, is_told: bool) -> Iterator[Notice]:
    """(key, kind, text) of polling that cannot keep up: where it lasts, and until nothing lags."""
    behind, now = lags(plan), gradewire.now()
    since: int = gradewire.memory.setdefault("lags since", now) if behind else now
    if not behind:
        gradewire.memory.pop("lags since", None)
    elif is_told or now - since >= LAGGING:
        yield LAG, LAG, lag_text(behind)


def _of_data(plan: Agenda, withheld_days: int, told: set[str]) -> Iterator[Notice]:
    """(key, kind, text) of sources that stand still, and of those that go on."""
    by_source: dict[str, list[Entry]] = {}
    for entry in plan.entries:
        if entry.interval is not None:
            by_source.setdefault(entry.source.key, []).append(entry)
    for key, entries in by_source.items():
        source, newest = entries[0].source, max(entry.watch.newest for entry in entries)
        by = should_have_come(entries[0], newest, withheld_days)
        still = f"{STALE}:{key}:{newest}"
        if newest and max(entry.tried or 0 for entry in entries) >= by and still not in told:
            text = f"{source.label}: nothing newer than {day(newest)} has come, though it should have by {day(by)}."
            yield still, STALE, text
        for before in (each for each in told if each.startswith(f"{STALE}:{key}:")):
            again = before.replace(STALE, RECOVERED)
            if int(before.rpartition(":")[2]) < newest and again not in told:
                yield again, RECOVERED, f"{source.label}: there is something new again, up to {day(newest)}."


def should_have_come(entry: Entry, newest: int, withheld_days: int) -> int:
    """The time by which several as_of after the newest one should have been there."""
    source, habit = entry.source, entry.watch.habit
    step = max(source.cadence, entry.interval or 0, habit.step if habit else 0)
    late = habit.late if habit else (source.lag + (withheld_days if source.by_plan else 0)) * DAY if source.dated else 0
    return newest + late + (STILL + 1) * step


def day(milliseconds: int) -> str:
    """A date as people write it."""
    date = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{date.day} {date:%B %Y}"


def span(milliseconds: int) -> str:
    """A length of time as people say it: 3 days, 36 h, 15 min."""
    hours = milliseconds / HOUR
    if milliseconds >= 2 * DAY and not milliseconds % DAY:
        return f"{milliseconds // DAY} days"
    return f"{hours:g} h" if milliseconds >= HOUR else f"{milliseconds // MINUTE} min"
