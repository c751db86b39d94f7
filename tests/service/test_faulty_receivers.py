"""All kinds of misbehaving receivers at once, with a few good ones beside them: nobody else loses anything or waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from integration import channels
from integration.service.ways import WIDTH
from integration.store.database import Database
from integration.store.queries import deliveries
from integration.wire.http import Transport
from tests.peers.faults import FAULTS, OK, Faulty, answers, deaf, faulty, refusing
from tests.peers.tls import Authority, bad_certificates
from tests.receiver import Receiver
from tests.service.given import NOW, Given
from tests.wire.test_faults import REPLIES

#: Long enough for all good receivers to be served while the others are waited for, also on a machine under load.
TOTAL_MS = 2_500
GOOD, EVENTS = 5, 12


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def given(database: Database, trusted: Authority) -> Iterator[Given]:
    transport = Transport(allow_private=True, connect_ms=1_000, total_ms=TOTAL_MS, ca_file=str(trusted.file))
    with closing(Given(database, channels.load(), transport=transport)) as ready:
        yield ready


@pytest.fixture
def bad(trusted: Authority) -> Iterator[dict[str, Faulty]]:
    """Every receiver that misbehaves, by its fault."""
    with ExitStack() as stack:
        peers = {name: stack.enter_context(faulty(name)) for name in FAULTS}
        for name, context in bad_certificates(trusted).items():
            peers[name] = stack.enter_context(faulty("", tls=context, fault=answers(OK)))
        peers["refuses"] = stack.enter_context(refusing())
        peers["is deaf"] = stack.enter_context(deaf())
        yield peers


def test_receivers_that_misbehave_in_every_way_cost_the_others_nothing(
    given: Given, receiver: Receiver, bad: dict[str, Faulty]
) -> None:
    good = [f"good{number}" for number in range(GOOD)]
    for name in good:
        given.receives(name, receiver.url(f"/{name}"))
    for name, peer in bad.items():
        given.receives(name, peer.url)
    ids = given.owes(*bad, *good, events=EVENTS)
    worker = threading.Thread(target=given.drain)
    began = time.monotonic()
    worker.start()
    receiver.wait_for(GOOD * EVENTS)
    assert (time.monotonic() - began) * 1000 < TOTAL_MS, "good receivers waited for bad ones"
    worker.join()
    got = sorted((r.path, r.headers["webhook-id"]) for r in receiver.requests)
    assert got == sorted((f"/{name}", identity) for name in good for identity in ids)
    for name in bad:
        check(given, name)


def check(given: Given, name: str) -> None:
    """What became of what one bad receiver was owed: as the table of replies says, and nothing is lost."""
    rows = [row for row in given.rows() if row.destination_id == f"dst_{name}"]
    mine = {row.id for row in rows}
    tries = [tried for tried in given.attempts() if tried.delivery_id in mine]
    assert len(rows) == EVENTS, name
    assert {row.lease for row in rows} == {None}, name
    assert 0 < len(tries) == len({tried.delivery_id for tried in tries}), name
    if name in REPLIES:
        status, error, _ = REPLIES[name]
        assert {(tried.status, (tried.error or "").partition(":")[0] or None) for tried in tries} == {(status, error)}, name
    if all(tried.outcome == "delivered" for tried in tries):
        assert {row.state for row in rows} == {deliveries.DELIVERED}, name
    elif name != "gone":
        assert {row.state for row in rows} == {deliveries.PENDING}, name
        assert all(row.next_attempt_at > NOW for row in rows), name
        assert tries[0].status or len(tries) <= 2 * WIDTH, f"{name}: all that waits is left alone"
