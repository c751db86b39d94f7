"""Ways out of an account: set up once, looked at, tried, paused, removed."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from marshmallow import RAISE, ValidationError
from sqlalchemy import Connection

from integration.channels._settings import Operator
from integration.domain.catalogue import Channel
from integration.domain.errors import InvalidInput, NotFound
from integration.domain.payload import iso
from integration.service.asking import first_problem
from integration.service.trying import send_test
from integration.service.wiring import Gradewire
from integration.store.queries import deliveries, subscriptions
from integration.store.secrets import new_id
from integration.wire.addresses import may_dial

Shown = dict[str, Any]


def channel_of(gradewire: Gradewire, key: str) -> Channel:
    """A channel of the catalogue."""
    if key not in gradewire.channels:
        raise InvalidInput(f"Unknown channel {key[:40]!r}. There are: {', '.join(gradewire.channels)}.", field="channel")
    return gradewire.channels[key]


def create_destination(gradewire: Gradewire, account_id: str, channel_key: str, raw: Mapping[str, Any], label: str = "") -> Shown:
    """A new way out. A webhook's signing secret is in the answer, and never shown again."""
    channel = channel_of(gradewire, channel_key)
    config = check_config(gradewire, channel, raw)
    with gradewire.database.write() as connection:
        identity = store_destination(gradewire, connection, account_id, channel, config, label)
        shown = show_destination(subscriptions.destination_of(connection, account_id, identity))
    return {**shown, "secret": config["secret"]} if "secret" in config and channel.key == "webhook" else shown


def check_config(gradewire: Gradewire, channel: Channel, raw: Mapping[str, Any]) -> dict[str, Any]:
    """A destination's settings, loaded; InvalidInput names the field and the remedy."""
    try:
        with Operator({"allow_private": gradewire.settings["allow_private"], "ports": gradewire.settings["allow_ports"]}):
            config: dict[str, Any] = channel.config(unknown=RAISE).load(dict(raw))
    except ValidationError as error:
        name, text = first_problem(error)
        raise InvalidInput(f"{name}: {text}", field=name) from error
    if "url" in config and not gradewire.settings["allow_private"]:
        refuse_private(config["url"])
    return config


def refuse_private(url: str) -> None:
    """Raise InvalidInput for an address that leads somewhere private now. The socket is checked again when it opens: a
    name may lead elsewhere by then, and one that leads nowhere yet is let pass here."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 443, type=socket.SOCK_STREAM)
    except OSError:
        return
    if not any(may_dial(str(address[4][0])) for address in found):
        raise InvalidInput("url: This address is private; use one that can be reached from the internet.", field="url")


def store_destination(
    gradewire: Gradewire, connection: Connection, account_id: str, channel: Channel, config: Mapping[str, Any], label: str
) -> str:
    """A new destination's id; its settings are kept sealed."""
    now, identity = gradewire.now(), new_id("dst_")
    subscriptions.add_destination(
        connection,
        id=identity,
        account_id=account_id,
        channel=channel.key,
        label=label or channel.label,
        hint=channel.hint(config),
        config=gradewire.vault.seal(config),
        status="active",
        created_at=now,
        changed_at=now,
    )
    return identity


def destination_row(connection: Connection, account_id: str, identity: str) -> Any:
    """One of the account's destinations; NotFound where it is another's or none."""
    row = subscriptions.destination_of(connection, account_id, identity)
    if row is None or row.status == "ended":
        raise NotFound(f"There is no destination {identity[:40]!r}.")
    return row


def show_destination(row: Any) -> Shown:
    """A destination as its owner sees it; settings stay hidden but for a hint."""
    return {
        "id": row.id,
        "channel": row.channel,
        "label": row.label,
        "hint": row.hint,
        "status": row.status,
        "reason": row.reason,
        "created_at": iso(row.created_at),
    }


def list_destinations(gradewire: Gradewire, account_id: str) -> list[Shown]:
    """The account's destinations, newest first."""
    with gradewire.database.read() as connection:
        rows = subscriptions.destinations(connection, account_id)
    return [show_destination(row) for row in rows if row.status != "ended"]


def get_destination(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """One of the account's destinations."""
    with gradewire.database.read() as connection:
        return show_destination(destination_row(connection, account_id, identity))


def test_destination(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """Send one made-up event, marked as one, and say what became of it: outcome, status, detail."""
    with gradewire.database.read() as connection:
        row = destination_row(connection, account_id, identity)
    return send_test(gradewire, row)


def set_destination(gradewire: Gradewire, account_id: str, identity: str, status: str) -> Shown:
    """Pause or resume a destination. While it is paused its deliveries wait; a disabled one is resumed once mended."""
    with gradewire.database.write() as connection:
        destination_row(connection, account_id, identity)
        subscriptions.change_destination(connection, identity, status=status, reason=None, changed_at=gradewire.now())
        if status == "active":
            deliveries.wake_destination(connection, identity, gradewire.now())
        shown = show_destination(destination_row(connection, account_id, identity))
    gradewire.wake()
    return shown


def delete_destination(gradewire: Gradewire, account_id: str, identity: str) -> None:
    """Remove a destination with its subscriptions. Not an error where it is gone already."""
    with gradewire.database.write() as connection:
        if subscriptions.destination_of(connection, account_id, identity) is not None:
            subscriptions.drop_destination(connection, identity)
