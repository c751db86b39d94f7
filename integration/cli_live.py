"""Commands about events as they happen: bring them to this machine, make one to try things with."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from integration.cli_common import settings_here
from integration.domain.errors import InvalidInput

if TYPE_CHECKING:
    from integration.config import Settings
    from integration.service.listening import Told

console = Console(highlight=False, markup=False, soft_wrap=True)


@click.command()
@click.option("--forward", required=True, help="Where each event is posted, such as http://localhost:3000/hook.")
@click.option("--events", "trigger", help="Only these triggers: keys, comma separated.")
@click.option("--subject", help="Only events about it: token:<id>, index:<id> or market.")
@click.option("--subscription", "subscription_id", help="Only what is owed to this subscription (sub_…).")
@click.option("--all", is_flag=True, help="Every event there is, not only those owed to your subscriptions.")
@click.option("--since", help="Where it is started for the first time: also events known since this time.")
@click.option("--server", envvar="GRADEWIRE_SERVER", help="Gradewire's address; the one that runs here where it is left out.")
@click.option("--key", envvar="GRADEWIRE_KEY", help="API key (GRADEWIRE_KEY); that of the Gradewire here where it is left out.")
@click.option("--secret", envvar="GRADEWIRE_LISTEN_SECRET", help="Signing secret (whsec_…); one is made where it is left out.")
@click.option("--state", type=click.Path(dir_okay=False, path_type=Path), help="File that remembers how far it came.")
def listen(forward: str, server: str | None, key: str | None, secret: str | None, state: Path | None, **view: Any) -> None:
    """Bring events to this machine: each is signed as a webhook is and posted to an address here, in order.

    It needs no inbound port. It can be killed and started again: none is lost, and one that was under way comes again
    under its id. Ctrl-C ends it.
    """
    from integration.service.listening import Listener, State, held

    settings = settings_here()
    server, key = (server or _server(settings)).rstrip("/"), key or _key(settings)
    query = {name: "true" if value is True else value for name, value in view.items() if value}
    file = state or _state(settings, server, key, forward, query)
    with held(file):
        kept = State.load(file, secret or "")
        listener = Listener(server, key, forward, kept, query, _tell)
        _end_with(listener.stop)
        console.print(f"Listening to {server}, posting to {forward}.")
        console.print(f"Signing secret  {kept.secret}  (Standard Webhooks)")
        console.print("It goes on where it was." if kept.cursor else "Ctrl-C ends it; started again, it goes on where it was.")
        listener.run()
        console.print("Stopped.")


def _end_with(stop: threading.Event) -> None:
    """End at Ctrl-C or SIGTERM, after what is under way; at the second one, at once."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()  # and no more: an exception raised inside a callback of libcurl would be lost
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        signal.signal(number, end)


def _server(settings: Settings) -> str:
    return str(settings["public_url"] or f"http://127.0.0.1:{settings['port']}")


def _key(settings: Settings) -> str:
    """The key that a Gradewire on this machine made for whoever tries it."""
    for name in ("sandbox.key", "demo.key"):
        file = Path(settings["data"]) / name
        if file.exists():
            return file.read_text(encoding="ascii").strip()
    raise InvalidInput("key: Give an API key with --key or GRADEWIRE_KEY; `gradewire keys create` makes one.", field="key")


def _state(settings: Settings, server: str, key: str, forward: str, query: dict[str, str]) -> Path:
    """A file of its own for each thing that can be listened to, from here to there."""
    what = {name: value for name, value in query.items() if name != "since"}
    identity = json.dumps([server, hashlib.sha256(key.encode()).hexdigest(), forward, what], sort_keys=True)
    return Path(settings["data"]) / "listen" / f"{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"


def _tell(told: Told) -> None:
    at = f"{datetime.now().astimezone():%H:%M:%S}"
    if told.reply is None:
        console.print(f"{at}  {told.trouble}")
        return
    answer = str(told.reply.status) if told.reply.status else f"{told.reply.error} {told.reply.detail}".strip()
    again = f" (try {told.tries + 1})" if told.tries else ""
    summary = told.event.get("summary", "")
    line = f"{at}  {told.event['id']}  {told.event.get('trigger', '')}  {answer}{again}  {told.reply.duration_ms} ms  {summary}"
    console.print("".join(sign if sign.isprintable() else "\ufffd" for sign in line))


@click.command()
@click.argument("trigger")
@click.option("--subject", help="token:<id>, index:<id>, a symbol or a name; the sample's where it is left out.")
@click.option("--destination", "destination_id", help="Deliver it to this destination (dst_…).")
@click.option("--subscription", "subscription_id", help="Deliver it as this subscription's (sub_…).")
@click.option("--account", help="E-mail address of the account whose test it is; needed where there are several.")
def fire(trigger: str, account: str | None, destination_id: str | None, subscription_id: str | None, **what: Any) -> None:
    """Make a test event of TRIGGER, marked as one, and deliver it as a real one.

    Without destination and subscription it reaches `gradewire listen` and readers of the event list alone.
    """
    from integration.cli_common import opened
    from integration.service.firing import fire as make
    from integration.service.firing import owner_of

    with opened() as gradewire:
        owner = owner_of(gradewire, account, destination_id, subscription_id)
        made = make(gradewire, owner, trigger, destination_id=destination_id, subscription_id=subscription_id, **what)
    click.echo(json.dumps(made, indent=2, ensure_ascii=False))
