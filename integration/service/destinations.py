"""Ways out of an account: set up once, looked at, tried, paused, removed."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack
from urllib.parse import urlsplit

from cryptography.fernet import InvalidToken
from marshmallow import RAISE, ValidationError
from sqlalchemy import Connection

from integration.channels._settings import Operator
from integration.domain.catalogue import Channel
from integration.domain.errors import InvalidInput, NotFound
from integration.domain.masking import MASK
from integration.domain.payload import iso
from integration.domain.signing import new_signing_key, public_key, still_signing
from integration.service.asking import first_problem
from integration.service.trying import send_test
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, deliveries, subscriptions
from integration.store.secrets import new_id
from integration.wire.addresses import may_dial

Shown = dict[str, Any]


class About(TypedDict, total=False):
    """What an owner says of a destination beside its label and settings.

    `owner_email` is whom to warn (None for the account's own address); `rate` (requests a second) and `concurrency` (requests
    at a time) are None for what is usual.
    """

    description: str
    owner_email: str | None
    rate: float | None
    concurrency: int | None


def channel_of(gradewire: Gradewire, key: str) -> Channel:
    """A channel of the catalogue."""
    if key not in gradewire.channels:
        raise InvalidInput(f"Unknown channel {key[:40]!r}. There are: {', '.join(gradewire.channels)}.", field="channel")
    return gradewire.channels[key]


def create_destination(
    gradewire: Gradewire, account_id: str, channel_key: str, raw: Mapping[str, Any], label: str = "", **about: Unpack[About]
) -> Shown:
    """A new way out. The signing secret of one that signs is in the answer, and never shown again."""
    channel = channel_of(gradewire, channel_key)
    config = check_config(gradewire, channel, raw)
    with gradewire.database.write() as connection:
        identity = store_destination(gradewire, connection, account_id, channel, config, label, **about)
        shown = show_destination(gradewire, subscriptions.destination_of(connection, account_id, identity))
    return {**shown, "secret": config["secret"]} if channel.signed else shown


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
    gradewire: Gradewire,
    connection: Connection,
    account_id: str,
    channel: Channel,
    config: Mapping[str, Any],
    label: str,
    **about: Unpack[About],
) -> str:
    """A new destination's id; its settings are kept sealed, with a key of its own for v1a signatures if it signs."""
    now, identity = gradewire.now(), new_id("dst_")
    keys = {"signing_key": new_signing_key()} if channel.signed else {}
    subscriptions.add_destination(
        connection,
        **{
            **about,
            "id": identity,
            "account_id": account_id,
            "channel": channel.key,
            "label": label or channel.label,
            "owner_email": about.get("owner_email") or accounts.email_of(connection, account_id),
            "hint": channel.hint(config),
            "config": gradewire.vault.seal({**config, **keys}),
            "status": "active",
            "created_at": now,
            "changed_at": now,
        },
    )
    return identity


def destination_row(connection: Connection, account_id: str | None, identity: str) -> Any:
    """One of the account's destinations (None is the operator, who sees all); NotFound where it is another's or none."""
    row = subscriptions.destination_of(connection, account_id, identity)
    if row is None or row.status == "ended":
        raise NotFound(
            f"You have no destination {identity[:40]!r}: make one first, or name one that you have.", field="destination_id"
        )
    return row


def show_destination(gradewire: Gradewire, row: Any) -> Shown:
    """A destination as its owner sees it; of its settings only what is no secret."""
    try:
        config = gradewire.open_config(row.config)
    except InvalidToken:  # the key that it was sealed with is lost: what is not sealed can still be seen
        config = {}
    signing_key, ends = config.get("signing_key"), [key["until"] for key in still_signing(config, gradewire.now())]
    return {
        "id": row.id,
        "channel": row.channel,
        "label": row.label,
        "description": row.description,
        "owner_email": row.owner_email or row.account_email,
        "hint": row.hint,
        "status": row.status,
        "reason": row.reason,
        "rate": row.rate,
        "concurrency": row.concurrency,
        "headers": dict.fromkeys(config.get("headers", {}), MASK),
        "signatures": config.get("signatures", ["v1"] if "secret" in config else []),
        "public_key": public_key(signing_key) if signing_key else None,
        "overlap_until": iso(max(ends)) if ends else None,
        "created_at": iso(row.created_at),
    }


def list_destinations(gradewire: Gradewire, account_id: str) -> list[Shown]:
    """The account's destinations, newest first."""
    with gradewire.database.read() as connection:
        rows = subscriptions.destinations(connection, account_id)
    return [show_destination(gradewire, row) for row in rows if row.status != "ended"]


def get_destination(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """One of the account's destinations."""
    with gradewire.database.read() as connection:
        return show_destination(gradewire, destination_row(connection, account_id, identity))


def test_destination(gradewire: Gradewire, account_id: str, identity: str) -> Shown:
    """Send one made-up event, marked as one, and say what became of it: outcome, status, detail."""
    with gradewire.database.read() as connection:
        row = destination_row(connection, account_id, identity)
    return send_test(gradewire, row)


def set_destination(gradewire: Gradewire, account_id: str, identity: str, status: str) -> Shown:
    """Pause or resume a destination. While it is paused its deliveries wait; a disabled one is resumed once mended, and what
    it was owed meanwhile stays held until its owner asks for it."""
    with gradewire.database.write() as connection:
        row = destination_row(connection, account_id, identity)
        if row.status == "disabled":
            deliveries.hold_pending(connection, identity, row.reason)
        well = dict.fromkeys(("reason", "failing_since", "warned_at", "disabled_at")) | {"opened": 0, "next_send_at": 0}
        subscriptions.change_destination(connection, identity, gradewire.now(), status=status, **well)
        if status == "active":
            deliveries.wake_destination(connection, identity, gradewire.now())
        shown = show_destination(gradewire, destination_row(connection, account_id, identity))
    gradewire.wake()
    return shown


def delete_destination(gradewire: Gradewire, account_id: str, identity: str) -> None:
    """Remove a destination with its subscriptions. Not an error where it is gone already."""
    with gradewire.database.write() as connection:
        if subscriptions.destination_of(connection, account_id, identity) is not None:
            subscriptions.drop_destination(connection, identity)
