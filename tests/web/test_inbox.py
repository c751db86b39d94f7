"""The built-in webhook receiver and the mail inbox."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from integration.domain.signing import new_secret, signed_headers
from integration.service import inbox, overview
from integration.service.wiring import Gradewire, wall_clock
from integration.store.queries.inbox import KEPT
from integration.store.tables import inbox_hook, inbox_mail, installation
from integration.web import create_app
from integration.wire.mailcatcher import CaughtMail

BODY = '{"id": "evt_1", "summary": "Żubr rose."}'.encode()


def posted(gradewire: Gradewire, path: str, secret: str, body: bytes = BODY, at: int | None = None, **more: str) -> TestResponse:
    seconds = wall_clock() // 1000 if at is None else at
    headers = dict(line.split(": ", 1) for line in signed_headers(secret, "evt_1", seconds, BODY))
    return create_app(gradewire).test_client().post(path, data=body, headers={**headers, **more})


def test_the_receiver_is_made_once_and_its_secret_is_sealed(both: Gradewire):
    path, secret = inbox.receiver(both)
    assert path.startswith("/inbox/webhook/")
    assert len(path) > 40
    assert inbox.receiver(both) == (path, secret)
    with both.database.read() as connection:
        stored = str(list(connection.execute(select(installation))))
    assert secret not in stored
    assert path.rpartition("/")[2] not in stored


def test_a_signed_webhook_is_kept_as_verified(both: Gradewire):
    path, secret = inbox.receiver(both)
    answer = posted(both, path, secret)
    assert (answer.status_code, answer.get_data()) == (204, b"")
    (kept,) = overview.hooks(both)
    assert (kept.webhook_id, kept.verified, kept.body) == ("evt_1", 1, BODY.decode())


@pytest.mark.parametrize(
    "wrong",
    [
        {"secret": new_secret()},
        {"body": BODY + b" "},
        {"body": b"\xff\0"},
        {"at": 1_700_000_000},
        {"webhook-signature": "nonsense"},
        {"webhook-signature": "v1,§"},
        {"webhook-timestamp": "soon"},
        {"webhook-id": ""},
    ],
)
def test_a_wrong_signature_is_refused_but_shown(both: Gradewire, wrong: dict[str, Any]):
    path, secret = inbox.receiver(both)
    answer = posted(both, path, **{"secret": secret, **wrong})
    assert answer.status_code == 400
    assert answer.get_json()["error"]["field"] == "webhook-signature"
    (kept,) = overview.hooks(both)
    assert kept.verified == 0


def test_another_address_is_not_found_and_a_huge_body_refused(gradewire: Gradewire):
    path, secret = inbox.receiver(gradewire)
    assert posted(gradewire, path + "x", secret).status_code == 404
    assert posted(gradewire, path, secret, b"x" * 300_000).status_code == 413
    assert overview.hooks(gradewire) == []


def test_only_the_newest_are_kept(both: Gradewire):
    for number in range(3):
        inbox.keep_hook(both, b"early", {})
        inbox.keep_mail(both, CaughtMail(f"early-{number}", "", "", "", "", ""))
    with both.database.write() as connection:
        row = {"at": 1, "webhook_id": "", "verified": 0, "body": ""}
        connection.execute(inbox_hook.insert(), [row] * (KEPT - 1))
        row = dict.fromkeys(("message_id", "sender", "recipient", "subject", "text", "html"), "")
        connection.execute(inbox_mail.insert(), [{"at": 1, **row}] * (KEPT - 1))
    inbox.keep_hook(both, b"late", {})
    inbox.keep_mail(both, CaughtMail("late", "", "", "", "", ""))
    with both.database.read() as connection:
        for table, column in ((inbox_hook, inbox_hook.c.body), (inbox_mail, inbox_mail.c.message_id)):
            assert connection.scalar(select(func.count()).select_from(table)) == KEPT
            kept = set(connection.scalars(select(column)))
            assert kept == {"", "late"}


def test_a_mail_that_databases_cannot_hold_is_kept_all_the_same(both: Gradewire):
    inbox.keep_mail(both, CaughtMail("id", "a@b", "c@d", "nul \0", "half \ud800", "<p>ż</p>"))
    (seen,) = overview.mails(both, None)
    mail = overview.mail(both, seen.id, None)
    assert (mail.subject, mail.text, mail.html) == ("nul �", "half ?", "<p>ż</p>")
