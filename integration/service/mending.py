"""Destinations changed where they stand: what is said of them, their settings, their keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from cryptography.fernet import InvalidToken

from integration.domain.catalogue import Channel
from integration.domain.errors import Conflict, InvalidInput
from integration.domain.retry import HOUR
from integration.domain.signing import V1A, new_signing_key, rotated
from integration.service.destinations import About, Shown, channel_of, check_config, destination_row, show_destination
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, deliveries, subscriptions

#: Hours for which an old secret signs beside the new one, and the most.
OVERLAP, MOST_OVERLAP = 24, 168
#: What was learnt of a receiver does not hold for another.
_FRESH = {"next_send_at": 0, "opened": 0, "failing_since": None, "warned_at": None, "prepared": 0}


class Edit(About, total=False):
    """What of a destination is changed, beside its settings; an empty label is the channel's."""

    label: str


def edit_destination(
    gradewire: Gradewire, account_id: str, identity: str, config: Mapping[str, Any] | None = None, **about: Unpack[Edit]
) -> Shown:
    """Change what is named and leave the rest. New settings hold for what is owed already, which comes due at once.

    Raises InvalidInput where nothing is named, a setting is not valid, or a secret is entered that is only rotated.
    """
    with gradewire.database.read() as connection:
        row = destination_row(connection, account_id, identity)
    if not about and not config:
        raise InvalidInput("Name what to change: label, description, owner_email, rate, concurrency or config.", field="config")
    channel = channel_of(gradewire, row.channel)
    changes = _checked(gradewire, channel, row, config) if config else {}
    with gradewire.database.write() as connection:
        accounts.lock(connection, account_id)
        row = destination_row(connection, account_id, identity)
        values: dict[str, Any] = {**about}
        if "label" in about:
            values["label"] = about["label"] or channel.label
        if "owner_email" in about:
            values["owner_email"] = about["owner_email"] or row.account_email
        if changes:
            values |= {**_FRESH, **_sealed(gradewire, channel, {**_opened(gradewire, row), **changes})}
        subscriptions.change_destination(connection, identity, gradewire.now(), **values)
        if changes and row.status == "active":
            deliveries.wake_destination(connection, identity, gradewire.now())
        shown = show_destination(gradewire, destination_row(connection, account_id, identity))
    gradewire.wake()
    return shown


def rotate_destination(gradewire: Gradewire, account_id: str, identity: str, overlap_hours: int = OVERLAP) -> Shown:
    """Give a destination new keys: its new secret is in the answer, and never shown again.

    Those it had sign beside the new ones for `overlap_hours` (0 to 168). One that had no key for v1a gets one.
    """
    with gradewire.database.write() as connection:
        accounts.lock(connection, account_id)
        row = destination_row(connection, account_id, identity)
        channel = channel_of(gradewire, row.channel)
        if not channel.signed:
            raise InvalidInput(f"{channel.label} is not signed: it has no secret to rotate.", field="destination_id")
        config = rotated(_opened(gradewire, row), gradewire.now(), overlap_hours * HOUR)
        subscriptions.change_destination(connection, identity, gradewire.now(), **_sealed(gradewire, channel, config))
        shown = show_destination(gradewire, destination_row(connection, account_id, identity))
    return {**shown, "secret": config["secret"]}


def _checked(gradewire: Gradewire, channel: Channel, row: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that are to be changed, loaded beside those that stay. May look up a name, so hold nothing meanwhile."""
    if channel.signed and "secret" in given:
        raise InvalidInput("A secret is not entered anew but rotated, so that the old one goes on for a while.", field="secret")
    stored = _opened(gradewire, row)
    known = {name: stored[name] for name in channel.config().fields if name in stored}
    loaded = check_config(gradewire, channel, {**known, **given})
    return {name: loaded[name] for name in given}


def _opened(gradewire: Gradewire, row: Any) -> dict[str, Any]:
    try:
        return gradewire.open_config(row.config)
    except InvalidToken as error:
        raise Conflict("The key that its settings were encrypted with is lost: make a new destination.") from error


def _sealed(gradewire: Gradewire, channel: Channel, config: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that hold settings. Who wants v1a signatures needs a key for them."""
    if V1A in config.get("signatures", ()) and not config.get("signing_key"):
        config = {**config, "signing_key": new_signing_key()}
    return {"config": gradewire.vault.seal(config), "hint": channel.hint(config)}
