"""Mails to owners and farewells: rows that are sent at least once, tried again, and given up at the end of the schedule."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.domain.retry import DAY
from integration.service import destinations, errands
from integration.store.database import Database
from integration.store.queries import farewells, health, owner_notices
from integration.store.tables import farewell, owner_notice
from tests.peers.smtp import SmtpPeer, smtp_peer
from tests.receiver import Answer, Receiver
from tests.service.script import Script, script


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made


def warned(here: Script) -> None:
    made = destinations.create_destination(here.gradewire, here.account, "webhook", {"url": "http://127.0.0.1:9/"}, "My <hook>")
    with here.gradewire.database.write() as connection:
        health.warn(connection, made["id"], "HTTP 500.", 2.5, here.wall())


def parting(here: Script, receiver: Receiver, *answers: Answer) -> None:
    receiver.on("/hook", *answers)
    with here.gradewire.database.write() as connection:
        farewells.add(connection, "sub_1", here.gradewire.vault.seal({"url": receiver.url("/hook")}), here.wall())


def mailing(here: Script, peer: SmtpPeer) -> None:
    server = {"smtp_host": "127.0.0.1", "smtp_port": peer.port, "smtp_security": "none"}
    here.gradewire.settings = here.gradewire.settings.replace(**server)


# -- mails -------------------------------------------------------------------------------------------------------------


def due(here: Script) -> list[int | None]:
    return [row.next_mail_at for row in here.rows(owner_notice)]


def test_an_owner_is_mailed_once_and_sees_it_on_the_page(here: Script) -> None:
    with smtp_peer() as peer:
        mailing(here, peer)
        warned(here)
        assert (errands.run(here.gradewire), errands.run(here.gradewire)) == (1, 0)
        ((_, recipient, content),) = peer.mails
    assert recipient == "ada@example.com"
    assert b"My <hook>" in content
    assert b"My &lt;hook&gt;" in content
    assert due(here) == [None]
    with here.gradewire.database.read() as connection:
        (row,) = owner_notices.newest(connection, here.account, since=0, limit=5)
        assert owner_notices.newest(connection, "acc_other", since=0, limit=5) == []
    assert row.kind == "failing"


def test_a_mail_that_is_not_taken_now_is_tried_again_under_the_same_id(here: Script) -> None:
    with smtp_peer() as peer:
        mailing(here, peer)
        warned(here)
        with here.gradewire.database.write() as connection:
            connection.execute(owner_notice.update().values(mail_to="once-451@example.com"))
        errands.run(here.gradewire)
        assert peer.mails == []
        (again,) = due(here)
        assert again is not None
        here.wall.ms = again  # type: ignore[attr-defined]
        errands.run(here.gradewire)
        assert len(peer.mails) == 1
        assert due(here) == [None]


def test_a_mail_that_is_refused_for_good_is_given_up(here: Script) -> None:
    with smtp_peer() as peer:
        mailing(here, peer)
        warned(here)
        with here.gradewire.database.write() as connection:
            connection.execute(owner_notice.update().values(mail_to="550@example.com"))
        errands.run(here.gradewire)
        assert due(here) == [None]


def test_without_a_mail_server_it_stays_on_the_page(here: Script) -> None:
    warned(here)
    errands.run(here.gradewire)
    assert due(here) == [None]


def test_what_a_worker_took_and_did_not_end_comes_due_again(here: Script) -> None:
    warned(here)
    now = here.wall()
    with here.gradewire.database.write() as connection:
        assert len(owner_notices.claim_mails(connection, now, now + 60_000, 10)) == 1
        assert owner_notices.claim_mails(connection, now, now + 60_000, 10) == []
        assert len(owner_notices.claim_mails(connection, now + 60_000, now + 120_000, 10)) == 1


# -- farewells ---------------------------------------------------------------------------------------------------------


def left(here: Script) -> tuple[int | None, str | None, int | None]:
    (row,) = here.rows(farewell)
    return row.status, row.error, row.next_attempt_at


@pytest.mark.parametrize(("status", "error"), [(204, None), (404, "HTTP 404"), (410, "HTTP 410")])
def test_a_hook_is_told_by_a_delete_of_its_address_that_it_has_ended(
    here: Script, receiver: Receiver, status: int, error: str | None
) -> None:
    parting(here, receiver, Answer(status))
    assert (errands.run(here.gradewire), errands.run(here.gradewire)) == (1, 0)
    assert [(request.method, request.path) for request in receiver.requests] == [("DELETE", "/hook")]
    assert left(here) == (status, error, None)


def test_a_farewell_that_fails_is_tried_again_until_the_schedule_ends(here: Script, receiver: Receiver) -> None:
    parting(here, receiver, Answer(500))
    for _ in range(30):
        errands.run(here.gradewire)
        here.wall.ms += 2 * DAY  # type: ignore[attr-defined]
    assert len(receiver.requests) == 10
    assert left(here) == (500, "HTTP 500", None)


def test_a_receiver_that_hangs_holds_up_no_other_farewell(here: Script, receiver: Receiver) -> None:
    receiver.on("/slow", Answer(held=True))
    with here.gradewire.database.write() as connection:
        for path in ("/slow", "/hook", "/other"):
            farewells.add(connection, path, here.gradewire.vault.seal({"url": receiver.url(path)}), here.wall())
    timer = threading.Timer(1.0, receiver.release)
    timer.start()
    errands.run(here.gradewire)
    timer.join()
    assert {row.status for row in here.rows(farewell)} == {200}
