"""Destinations changed where they stand: their keys rotated, their settings mended, on both databases."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import time_machine
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import update

from integration.domain.errors import Conflict, InvalidInput, NotFound
from integration.domain.payload import iso
from integration.domain.retry import DAY, HOUR
from integration.domain.signing import public_key
from integration.service import destinations, mending
from integration.service.deliver import drain_all
from integration.service.subscribe import create_subscription
from integration.service.ways import ways_of
from integration.store.database import Database
from integration.store.tables import account, delivery, destination
from tests.channels.samples import ENTERED
from tests.market import asked, at_once
from tests.receiver import Answer, Receiver
from tests.service.script import Script, script

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made
        ways_of(made.gradewire).transport.close()


def make(here: Script, url: str, **config: Any) -> dict[str, Any]:
    return destinations.create_destination(here.gradewire, here.account, "webhook", {"url": url, **config})


def config_of(here: Script, identity: str) -> dict[str, Any]:
    (row,) = here.rows(destination, destination.c.id == identity)
    return here.gradewire.open_config(row.config)


def without_a_signing_key(here: Script, receiver: Receiver) -> str:
    """A destination as they were made before there were any."""
    made = make(here, receiver.url())
    old = here.gradewire.vault.seal({"url": receiver.url(), "secret": SECRET})
    with here.gradewire.database.write() as connection:
        connection.execute(update(destination).values(config=old))
    return str(made["id"])


def rotate(here: Script, identity: str, hours: int = 24) -> dict[str, Any]:
    return mending.rotate_destination(here.gradewire, here.account, identity, hours)


def edit(here: Script, identity: str, **changes: Any) -> dict[str, Any]:
    return mending.edit_destination(here.gradewire, here.account, identity, **changes)


def told(here: Script, receiver: Receiver, made: dict[str, Any], day: int) -> Any:
    """The request that one event of that day makes."""
    here.day(day, {1: 0.9 if day % 2 == 0 else 1.2})
    drain_all(here.gradewire)
    return receiver.requests[-1]


@pytest.fixture
def wished(here: Script, receiver: Receiver) -> dict[str, Any]:
    """A destination at the receiver that wants a rule's events, which has seen its first reading."""
    made = make(here, receiver.url("/old"), signatures=["v1", "v1a"])
    create_subscription(here.gradewire, here.account, "sharpe_threshold", asked("sharpe_threshold", {}), {}, made["id"])
    here.day(0, {1: 0.9})
    return made


def verified(request: Any, secret: str) -> bool:
    at = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    with time_machine.travel(at, tick=False):
        try:
            standardwebhooks.Webhook(secret).verify(request.body, request.headers)
        except standardwebhooks.WebhookVerificationError:
            return False
    return True


# -- keys ------------------------------------------------------------------------------------------------------------


def test_each_has_a_key_of_its_own_and_shows_only_the_public_half(here: Script, receiver: Receiver) -> None:
    one, two = make(here, receiver.url()), make(here, receiver.url())
    assert one["public_key"].startswith("whpk_")
    assert one["public_key"] != two["public_key"]
    config = config_of(here, one["id"])
    assert public_key(config["signing_key"]) == one["public_key"]
    shown = destinations.get_destination(here.gradewire, here.account, one["id"])
    assert shown == {name: value for name, value in one.items() if name != "secret"}
    assert not [text for text in (config["secret"], config["signing_key"]) if text in str(shown)]


def test_both_keys_sign_what_a_worker_sends_until_the_overlap_ends(
    here: Script, receiver: Receiver, wished: dict[str, Any]
) -> None:
    first = told(here, receiver, wished, 1)
    assert verified(first, wished["secret"])
    after = rotate(here, wished["id"], 25)
    assert after["secret"] != wished["secret"]
    assert after["overlap_until"] == iso(here.wall() + 25 * HOUR)
    both = told(here, receiver, wished, 2)  # by the very worker that knew the old keys
    assert verified(both, wished["secret"])
    assert verified(both, after["secret"])
    entries = both.headers["webhook-signature"].split(" ")
    assert [entry.partition(",")[0] for entry in entries] == ["v1", "v1", "v1a", "v1a"]
    last = told(here, receiver, wished, 3)
    assert verified(last, after["secret"])
    assert not verified(last, wished["secret"])
    assert [entry.partition(",")[0] for entry in last.headers["webhook-signature"].split(" ")] == ["v1", "v1a"]
    assert destinations.get_destination(here.gradewire, here.account, wished["id"])["overlap_until"] is None


def test_v1a_holds_by_the_public_key_that_is_shown(here: Script, receiver: Receiver, wished: dict[str, Any]) -> None:
    request = told(here, receiver, wished, 1)
    entry = request.headers["webhook-signature"].split(" ")[1]
    at = request.headers["webhook-timestamp"]
    content = f"{request.headers['webhook-id']}.{at}.".encode() + request.body
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(wished["public_key"].removeprefix("whpk_")))
    key.verify(base64.b64decode(entry.removeprefix("v1a,")), content)  # raises where it does not hold


def test_settings_from_before_v1a_go_on_and_get_a_key_when_they_are_rotated(here: Script, receiver: Receiver) -> None:
    made = without_a_signing_key(here, receiver)
    shown = destinations.get_destination(here.gradewire, here.account, made)
    assert (shown["public_key"], shown["signatures"], shown["headers"]) == (None, ["v1"], {})
    assert rotate(here, made)["public_key"].startswith("whpk_")
    assert [key["secret"] for key in config_of(here, made)["old_keys"]] == [SECRET]


def test_asking_for_v1a_makes_a_key_where_there_is_none(here: Script, receiver: Receiver) -> None:
    made = without_a_signing_key(here, receiver)
    shown = edit(here, made, config={"signatures": ["v1", "v1a"]})
    assert (shown["public_key"] is None, shown["signatures"]) == (False, ["v1", "v1a"])
    assert config_of(here, made)["secret"] == SECRET


def test_rotations_at_once_lose_none(here: Script, receiver: Receiver) -> None:
    made = make(here, receiver.url())
    workers = [here.worker() for _ in range(3)]
    given = at_once(*[lambda worker=worker: rotate(worker, made["id"])["secret"] for worker in workers])
    config = config_of(here, made["id"])
    assert {config["secret"], *(key["secret"] for key in config["old_keys"])} == {made["secret"], *given}
    for worker in workers:
        worker.gradewire.close()


def test_an_eleventh_old_key_is_refused_and_says_what_to_do(here: Script, receiver: Receiver) -> None:
    made = make(here, receiver.url())
    for _ in range(10):
        rotate(here, made["id"])
    with pytest.raises(Conflict, match="wait until one of them ends"):
        rotate(here, made["id"])
    assert rotate(here, made["id"], 0)["secret"].startswith("whsec_")


def test_a_channel_that_signs_nothing_has_nothing_to_rotate(here: Script) -> None:
    made = destinations.create_destination(here.gradewire, here.account, "email", {"to": "ada@example.com"})
    assert (made["public_key"], made["signatures"], "secret" in made) == (None, [], False)
    with pytest.raises(InvalidInput, match="not signed"):
        rotate(here, made["id"])


# -- settings --------------------------------------------------------------------------------------------------------


def test_a_new_address_holds_for_what_is_queued_and_at_once(here: Script, receiver: Receiver, wished: dict[str, Any]) -> None:
    receiver.on("/old", Answer(503))
    told(here, receiver, wished, 1)
    (waiting,) = here.rows(delivery)
    assert (waiting.state, waiting.attempts, waiting.next_attempt_at > here.wall()) == (0, 1, True)
    (row,) = here.rows(destination)
    assert row.next_send_at > here.wall()
    edit(here, wished["id"], config={"url": receiver.url("/new")})
    drain_all(here.gradewire)
    assert [request.path for request in receiver.requests] == ["/old", "/new"]
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (here.rows(delivery)[0].state, verified(second, wished["secret"])) == (1, True)


def test_what_was_learnt_of_the_old_receiver_is_forgotten(here: Script, receiver: Receiver) -> None:
    made = make(here, receiver.url())
    ill = {"next_send_at": here.wall() + DAY, "opened": 3, "failing_since": 1, "warned_at": 2, "prepared": 1}
    with here.gradewire.database.write() as connection:
        connection.execute(update(destination).values(**ill))
    edit(here, made["id"], label="x")
    (row,) = here.rows(destination)
    assert {name: getattr(row, name) for name in ill} == ill
    edit(here, made["id"], config={"url": receiver.url("/new")})
    (row,) = here.rows(destination)
    assert {name: getattr(row, name) for name in ill} == {
        "next_send_at": 0, "opened": 0, "failing_since": None, "warned_at": None, "prepared": 0,
    }  # fmt: skip


def test_a_paused_one_stays_paused_with_its_new_address(here: Script, receiver: Receiver, wished: dict[str, Any]) -> None:
    destinations.set_destination(here.gradewire, here.account, wished["id"], "paused")
    told_nothing = here.day(1, {1: 1.2})
    assert told_nothing.owed == 1
    edit(here, wished["id"], config={"url": receiver.url("/new")})
    drain_all(here.gradewire)
    assert receiver.requests == []
    destinations.set_destination(here.gradewire, here.account, wished["id"], "active")
    drain_all(here.gradewire)
    assert [request.path for request in receiver.requests] == ["/new"]


def test_headers_are_sent_and_their_values_never_shown(here: Script, receiver: Receiver, wished: dict[str, Any]) -> None:
    shown = edit(here, wished["id"], config={"headers": {"Authorization": "Bearer sesame-1234", "X-Env": "test"}})
    assert shown["headers"] == {"Authorization": "…", "X-Env": "…"}
    assert told(here, receiver, wished, 1).headers["authorization"] == "Bearer sesame-1234"
    shown = edit(here, wished["id"], config={"headers": {"X-Env": "live"}})
    assert shown["headers"] == {"X-Env": "…"}
    second = told(here, receiver, wished, 2)
    assert (second.headers["x-env"], "authorization" in second.headers) == ("live", False)


def test_each_change_is_another_even_within_a_millisecond(here: Script, receiver: Receiver) -> None:
    made = make(here, receiver.url())
    seen = [here.rows(destination)[0].changed_at]
    for number in range(3):
        edit(here, made["id"], description=str(number))
        seen.append(here.rows(destination)[0].changed_at)
    assert seen == sorted(set(seen))


def test_what_is_said_of_it_is_kept_and_can_be_taken_back(here: Script, receiver: Receiver) -> None:
    (owner,) = here.rows(account, account.c.id == here.account)
    about = {"description": "Alerts", "owner_email": "ops@example.com", "rate": 0.5, "concurrency": 2}
    made = destinations.create_destination(
        here.gradewire,
        here.account,
        "webhook",
        {"url": receiver.url()},
        "Mine",
        **about,  # type: ignore[arg-type]
    )
    assert {name: made[name] for name in ("label", *about)} == {"label": "Mine", **about}
    back = edit(here, made["id"], label="", description="", owner_email=None, rate=None, concurrency=None)
    usual = {"label": "Webhook", "description": "", "owner_email": owner.email, "rate": None, "concurrency": None}
    assert {name: back[name] for name in usual} == usual
    assert make(here, receiver.url())["owner_email"] == owner.email


def test_one_from_before_shows_the_accounts_address(here: Script, receiver: Receiver) -> None:
    (owner,) = here.rows(account, account.c.id == here.account)
    made = make(here, receiver.url())
    with here.gradewire.database.write() as connection:
        connection.execute(update(destination).values(owner_email=""))
    assert destinations.get_destination(here.gradewire, here.account, made["id"])["owner_email"] == owner.email


def test_only_named_settings_change(here: Script) -> None:
    made = destinations.create_destination(here.gradewire, here.account, "sheets", ENTERED["sheets"])
    before = config_of(here, made["id"])
    shown = edit(here, made["id"], config={"tab": "Other"})
    assert config_of(here, made["id"]) == {**before, "tab": "Other"}
    assert shown["hint"].startswith("Other in ")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "config"),
        ({"config": {}}, "config"),
        ({"config": {"url": "ftp://x"}}, "url"),
        ({"config": {"colour": "red"}}, "colour"),
        ({"config": {"secret": SECRET}}, "secret"),
        ({"config": {"headers": {"Host": "x"}}}, "headers"),
        ({"config": {"headers": {"X-Env": "…"}}}, "headers"),
        ({"config": {"signatures": ["v1a"]}}, "signatures"),
    ],
)
def test_a_change_that_is_wrong_is_refused_by_field_and_changes_nothing(
    here: Script, receiver: Receiver, changes: dict[str, Any], field: str
) -> None:
    made = make(here, receiver.url())
    before = here.rows(destination)
    with pytest.raises(InvalidInput) as refused:
        edit(here, made["id"], **changes)
    assert refused.value.field == field
    assert here.rows(destination) == before


def test_settings_whose_key_is_lost_can_be_seen_but_not_changed(here: Script, receiver: Receiver) -> None:
    made = make(here, receiver.url())
    with here.gradewire.database.write() as connection:
        connection.execute(update(destination).values(config=b"gAAAA-nonsense"))
    assert destinations.get_destination(here.gradewire, here.account, made["id"])["hint"].startswith("http://127.0.0.1")
    for attempt in (lambda: edit(here, made["id"], config={"url": receiver.url()}), lambda: rotate(here, made["id"])):
        with pytest.raises(Conflict, match="make a new destination"):
            attempt()
    assert edit(here, made["id"], label="still")["label"] == "still"


def test_anothers_destination_is_as_if_it_were_not_there(here: Script, receiver: Receiver) -> None:
    made = make(here, receiver.url())
    for attempt in (
        lambda: mending.edit_destination(here.gradewire, "acc_other", made["id"], label="x"),
        lambda: mending.rotate_destination(here.gradewire, "acc_other", made["id"]),
    ):
        with pytest.raises(NotFound) as refused:
            attempt()
        assert refused.value.field == "destination_id"
