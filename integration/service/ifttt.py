"""What IFTTT asks: a trigger's events as a timeline, the choices of its fields, and an account to test with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from integration.derive.describe import describe_input
from integration.derive.openapi import scope_schema
from integration.domain.catalogue import Trigger
from integration.domain.errors import NotFound
from integration.service import accounts as keys
from integration.service import feeds, offer
from integration.service.pricing import unavailable
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, ifttt, subjects

Shown = dict[str, Any]
#: Whose key IFTTT's endpoint tests get; they want so many events of each trigger, so made-up ones stand in for missing ones.
TEST_ACCOUNT, TEST_LABEL, TEST_EVENTS = "ifttt-test@localhost", "IFTTT endpoint test", 3
#: Entries of a dropdown.
MOST_CHOICES = 500


def timeline(
    gradewire: Gradewire, owner: Any, trigger: Trigger, fields: Mapping[str, str], identity: str | None, limit: int
) -> list[Shown]:
    """A trigger's events with these fields, newest first. Under an `identity`, IFTTT is told when there are more.

    Raises as feeds do.
    """
    feed = feeds.enter_as_written(gradewire, owner.account_id, trigger, fields)
    _, newest = feeds.ends(gradewire, feed)
    if identity:
        _remember(gradewire, owner.account_id, identity, feed, newest)
    texts = feeds.page(gradewire, feed, feeds.Window(limit)).texts if limit else []
    found = [ingredients(gradewire, event) for event in orjson.loads(f"[{','.join(texts)}]")]
    if owner.email == TEST_ACCOUNT:
        found += [ingredients(gradewire, _made_up(trigger, number)) for number in range(min(TEST_EVENTS, limit) - len(found))]
    return found


def _remember(gradewire: Gradewire, account_id: str, identity: str, feed: str, newest: int) -> None:
    with gradewire.database.read() as connection:
        known = ifttt.seen(connection, account_id, identity)
    if known is None or known.feed_id != feed or known.told_seq < newest:
        with gradewire.database.write() as connection:
            ifttt.remember(connection, account_id, identity, feed, newest, gradewire.now())


def forget(gradewire: Gradewire, account_id: str, identity: str) -> None:
    """IFTTT reads nothing any more under an identity; also fine where it never did."""
    with gradewire.database.write() as connection:
        ifttt.forget(connection, account_id, identity)


def ingredients(gradewire: Gradewire, event: Mapping[str, Any]) -> Shown:
    """An event as IFTTT has it: one value a field, and a `meta` with its id and time in seconds."""
    flat = {name: _value(value) for name, value in event.items() if not isinstance(value, list | dict)}
    base = str(gradewire.settings["public_url"]).rstrip("/")
    when = int(datetime.fromisoformat(event["known_at"]).timestamp())
    link = {"created_at": event["known_at"], "url": f"{base}/events/{event['id']}"}
    return {**flat, **link, "meta": {"id": event["id"], "timestamp": when}}


def _value(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return value


def _made_up(trigger: Trigger, number: int) -> Shown:
    return {**trigger.sample, "id": f"evt_sample{number}{'a' * 19}"}


# -- fields ------------------------------------------------------------------------------------------------------------


def choices(gradewire: Gradewire, trigger: Trigger, name: str) -> list[Shown]:
    """What a field of a trigger may be, as label and value; nothing where that is free. NotFound for an unknown field."""
    field = next((field for field in _fields(trigger) if field["key"] == name), None)
    if field is None:
        raise NotFound(f"{trigger.label} has no field {name[:40]!r}.")
    if "choices" in field:
        return [{"label": str(choice), "value": str(choice)} for choice in field["choices"]]
    if field["type"] == "boolean":
        return [{"label": "Yes", "value": "true"}, {"label": "No", "value": "false"}]
    if "list" not in field:
        return []
    found: list[Shown] = []
    for page in range(MOST_CHOICES // offer.PAGE):
        part = offer.choices(gradewire, field["list"], "", page)
        found += [{"label": choice["name"], "value": str(choice["id"])} for choice in part]
        if len(part) < offer.PAGE:
            break
    return found


def _fields(trigger: Trigger) -> Sequence[Shown]:
    return [*describe_input(trigger.options), *describe_input(scope_schema(trigger))]


# -- the endpoint test -------------------------------------------------------------------------------------------------


def test_setup(gradewire: Gradewire) -> Shown:
    """A key for IFTTT's endpoint tests, which ends the one before, and fields that fit every trigger that can be had here
    with its default options."""
    with gradewire.database.write() as connection:
        for row in accounts.keys(connection, TEST_ACCOUNT):
            if row.label == TEST_LABEL and row.revoked_at is None:
                accounts.revoke(connection, row.id, gradewire.now())
    keys.forget_owners(gradewire)
    with gradewire.database.read() as connection:
        largest = subjects.search(connection, "token", "", limit=2, offset=0)
    tokens = ",".join(row.subject.partition(":")[2] for row in largest)
    every = gradewire.catalogue.triggers.items()
    usual = {key: trigger for key, trigger in every if not unavailable(gradewire, trigger, trigger.options().load({}))}
    samples = {key: _sample(trigger, tokens) for key, trigger in usual.items()}
    return {"accessToken": keys.create_key(gradewire, TEST_ACCOUNT, TEST_LABEL), "samples": {"triggers": samples}}


def _sample(trigger: Trigger, tokens: str) -> dict[str, str]:
    """Every field as it is by default; of tokens, some."""
    found = {field["key"]: _entered(field.get("default")) for field in _fields(trigger)}
    return {**found, **({"tokens": tokens} if "tokens" in found else {})}


def _entered(value: Any) -> str:
    """A default as a form has it."""
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return str(_value(value))
