"""Commands about events as they happen: bring them to this machine, make one to try things with."""

from __future__ import annotations

import json

import click
from rich.console import Console

console = Console()


@click.command()
@click.argument("trigger")
@click.option("--subject", help="token:<id>, index:<id>, a symbol or a name; the sample's where it is left out.")
@click.option("--destination", "destination_id", help="Deliver it to this destination (dst_…).")
@click.option("--subscription", "subscription_id", help="Deliver it as this subscription's (sub_…).")
@click.option("--account", help="E-mail address of the account whose test it is; needed where there are several.")
def fire(trigger: str, subject: str | None, destination_id: str | None, subscription_id: str | None, account: str | None) -> None:
    """Make a test event of TRIGGER, marked as one, and deliver it as a real one.

    Without destination and subscription it reaches `gradewire listen` and readers of the event list alone.
    """
    from integration.cli_common import opened
    from integration.service.firing import fire as make
    from integration.service.firing import owner_of

    with opened() as gradewire:
        owner = owner_of(gradewire, account, destination_id, subscription_id)
        where = {"destination_id": destination_id, "subscription_id": subscription_id}
        made = make(gradewire, owner, trigger, subject=subject, **where)
    console.print_json(json.dumps(made))
