"""The operator's commands: what became of an event, what is let go of, whose account ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import click
from rich.console import Console

Open = Callable[[], AbstractContextManager[Any]]


def add_commands(main: click.Group, gradewire: Open, console: Console) -> None:
    """Hang the commands in; `gradewire` opens one as the environment says."""

    @main.command()
    @click.argument("event")
    @click.option("--json", "as_json", is_flag=True, help="One JSON object.")
    def trace(event: str, as_json: bool) -> None:
        """Follow EVENT from the poll that found it to every attempt to tell of it."""
        from integration.service.tracing import trace as follow

        with gradewire() as here:
            found = follow(here, event)
        if as_json:
            click.echo(json.dumps(found))
            return
        for line in _told(found):
            console.print(line, highlight=False, soft_wrap=True, markup=False)

    @main.command()
    @click.option("--seconds", default=3600.0, show_default=True, type=click.FloatRange(1), help="How long it may take.")
    def tidy(seconds: float) -> None:
        """Let go of what is older than the settings GRADEWIRE_KEEP_… say, now; workers do so all the time."""
        from integration.service.retention import tidy as let_go

        with gradewire() as here:
            for kind, count in let_go(here, seconds=seconds).items():
                console.print(f"{kind.replace('_', ' ')}: {count:,}")

    @main.group()
    def accounts() -> None:
        """Accounts."""

    @accounts.command("delete")
    @click.argument("email")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    def delete_account(email: str, yes: bool) -> None:
        """Delete the account of EMAIL with all that is its own; events and rules stay."""
        from integration.service.closing import belongings
        from integration.service.closing import delete_account as delete

        with gradewire() as here:
            has = ", ".join(f"{count:,} {kind}" for kind, count in belongings(here, email).items())
            if not yes:
                click.confirm(f"{email} has {has}. Delete all of it, for good?", abort=True)
            with console.status("Deleting …"):
                gone = delete(here, email)
        told = ", ".join(f"{count:,} {kind}" for kind, count in gone.items()) or "nothing else"
        console.print(f"Deleted {email}, and with it: {told}.")


def _told(found: dict[str, Any]) -> list[str]:
    """A trace as lines."""
    event, poll = found["event"], found["poll"]
    lines = [f"{event['id']}: {event['trigger']} of {event['subject']} at {event['as_of']}, found at {event['created_at']}"]
    if poll is None:
        lines.append("  No poll is known that found it.")
    else:
        what = f"{poll['source']} ({poll['selection']}), {poll['status']}, {poll['rows']} rows"
        lines.append(f"  Poll {poll['id']}: {what}, {poll['started_at']} to {poll['finished_at'] or 'now'}")
    lines += [
        f"    Call at {call['at']}: {call['endpoint']}, {call['status']}, {call['rows']} rows, {call['took_ms']} ms"
        for call in found["calls"]
    ]
    for owed in found["deliveries"]:
        reason = f" ({owed['reason']})" if owed["reason"] else ""
        who = f"{owed['channel']} {owed['destination_id']} for {owed['subscription_id']}"
        lines.append(f"  Delivery {owed['id']}: {who}, {owed['state']}{reason}")
        for made in owed["made"]:
            answer = made["status"] or made["error"]
            lines.append(f"    Attempt at {made['at']}: {made['outcome']}, {answer}, {made['took_ms']} ms")
    return lines if found["deliveries"] else [*lines, "  Nothing was owed to anyone, or it is no longer kept."]
