"""What the doctor looks at: what Gradewire needs, whether it has it, and what to mend."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from integration.config import Settings
from integration.domain.errors import GradewireError
from integration.domain.payload import iso
from integration.domain.retry import DAY
from integration.service.agenda import agenda
from integration.service.evaluate import active
from integration.service.needing import shortfalls
from integration.service.noticing import LAG, lag_text, lags, latest
from integration.service.readiness import SKEW, Finding, broker, readiness
from integration.service.wiring import Gradewire, build
from integration.store import schema
from integration.store.queries import polls, rules, spoilt


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, in the order in which things depend on each other."""
    try:
        gradewire = build(settings)
    except GradewireError as error:
        yield from (broker(settings), Finding("bad", "Database", error.message))
        return
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", error)).splitlines()[0]
        told = f"It cannot be opened: {reason}. Check DATABASE_URL, or the folder that GRADEWIRE_DATA names."
        yield from (broker(settings), Finding("bad", "Database", told))
        return
    try:
        yield _database(gradewire)
        yield from readiness(gradewire)
        yield from _upstream(gradewire)
        yield _polls(gradewire)
        yield from _data(gradewire)
        yield from _ways_out(settings)
    finally:
        gradewire.close()


def _database(gradewire: Gradewire) -> Finding:
    kind = "SQLite" if gradewire.database.is_sqlite else "PostgreSQL"
    return Finding(
        "good",
        "Database",
        f"{kind}, schema {schema.revision(gradewire.database)}, holds readings of {gradewire.settings.upstream}.",
    )


def _upstream(gradewire: Gradewire) -> Iterator[Finding]:
    settings = gradewire.settings
    name = "Sandbox" if settings.sandbox else "Token Metrics"
    try:
        gradewire.client.check()
        yield Finding("good", name, f"It answers, and takes the key ({settings['tokenmetrics_version']}).")
    except GradewireError as error:
        remedy = " Start it with `gradewire up`, or set TOKENMETRICS_API_KEY to poll the real API." if settings.sandbox else ""
        yield Finding("bad", name, error.message + remedy)
    yield _clock(gradewire)
    used = gradewire.budget.used(gradewire.now())
    level: Literal["good", "note", "bad"] = "good" if used.month < 0.8 * used.per_month else "note"
    until = iso(used.month_ends)
    yield Finding(
        level,
        "Plan",
        f"{settings['plan']}: {used.month} of {used.per_month} calls taken until {until}, {used.per_minute} a minute.",
    )
    if settings.withheld_days:
        days = settings.withheld_days
        old = "a month" if days >= 28 else f"{days} days"
        yield Finding(
            "note",
            "Plan",
            f"On the {settings['plan'].capitalize()} plan the newest {days} days are withheld: alerts would be {old} old. "
            "If you have another plan, set GRADEWIRE_PLAN.",
        )


def _clock(gradewire: Gradewire) -> Finding:
    theirs = gradewire.client.server_time()
    if theirs is None:
        return Finding("note", "Clock", "The upstream does not tell the time, so it could not be compared.")
    apart = abs(gradewire.now() - theirs)
    if apart > SKEW:
        return Finding(
            "bad", "Clock", f"This machine and the upstream are {timedelta(seconds=apart // 1000)} apart. Set the clock (NTP)."
        )
    return Finding("good", "Clock", f"Within {max(1, round(apart / 1000))} s of the upstream's.")


def _polls(gradewire: Gradewire) -> Finding:
    with gradewire.database.read() as connection:
        troubled = polls.troubled(connection, gradewire.now() - DAY)
    if troubled:
        last = troubled[0]
        told = f"{len(troubled)} in the last day did not end well; the last: {last.source}: {last.error}"
        return Finding("note", "Polls", told)
    return Finding("good", "Polls", "None failed in the last day.")


def _data(gradewire: Gradewire) -> Iterator[Finding]:
    """What polling will take, what the operator was told, what could not be read."""
    plan = agenda(gradewire)
    shared, count = plan.shared, len(plan.entries)
    if shared.wished <= plan.allowed:
        told = f"{count} polls are wanted, which take about {shared.calls:,} of the {plan.allowed:,} calls left to them."
        yield Finding("good", "Polling", told)
    else:
        told = f"{count} polls are wanted, which would take about {shared.wished:,} calls, and {plan.allowed:,} are left to them."
        yield Finding("note", "Polling", f"{told} Some are made less often.")
    for source, calls in shortfalls(gradewire):
        told = f"{source.label}: what is derived from them needs their past, which would take {calls:,} calls."
        yield Finding("note", "Past", f"{told} Name fewer tokens, or take a larger plan; else it grows with the days.")
    yield from _rules(gradewire)
    notices, behind = latest(gradewire), lags(plan)
    if behind and any(notice.kind == LAG for notice in notices):
        yield Finding("bad", "Lag", lag_text(behind, most=len(behind)))
    for notice in notices:
        if notice.kind != LAG:
            yield Finding("note", "Notice", f"{iso(notice.at)[:10]}: {notice.text}")
    with gradewire.database.read() as connection:
        unread, last = spoilt.count(connection), spoilt.newest(connection, limit=1)
    if last:
        told = f"{unread} could not be read; the last: {last[0].endpoint}: {last[0].error}. `gradewire spoilt` shows them."
        yield Finding("note", "Answers", told)


def _rules(gradewire: Gradewire) -> Iterator[Finding]:
    """Rules that an earlier version took and this one does not."""
    with gradewire.database.read() as connection:
        lost = [row for row in rules.live_rules(connection, gradewire.now()) if active(gradewire.catalogue, row) is None]
    if lost:
        told = f"{len(lost)} of those asked for mean something else since this version, or could never fire, and tell nothing"
        yield Finding("bad", "Rules", f"{told}; the first: {lost[0].trigger} {lost[0].options[:120]}. Subscribe to them anew.")


def _ways_out(settings: Settings) -> Iterator[Finding]:
    if not settings["smtp_host"]:
        yield Finding("note", "E-mail", "No mail server is set: e-mail cannot be sent. Set GRADEWIRE_SMTP_HOST.")
    if not settings["public_url"]:
        yield Finding(
            "note", "Links", "GRADEWIRE_PUBLIC_URL is not set: messages carry no link, and Zapier has no address to call."
        )
    if settings["allow_private"]:
        yield Finding(
            "note", "Addresses", "Deliveries may reach private addresses (GRADEWIRE_ALLOW_PRIVATE): only for trying out."
        )
    key = Path(settings["data"]) / "secret.key"
    if not settings["secret_key"] and key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Finding("bad", "Secrets", f"Others can read {key.name} in the data folder: chmod 600 it.")
