"""What is owed beside deliveries: mails to owners, farewells to REST hooks whose subscription has ended, and word to IFTTT that
there is more to read.

All are rows, taken under a lease and tried again by the schedule of deliveries; a crash repeats at most what was under way.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from html import escape
from typing import Any

from integration.domain.message import HttpRequest, Mail, Reply
from integration.domain.retry import SCHEDULE, next_wait
from integration.service.claiming import LEASE_MS
from integration.service.ways import Ways, build_ways
from integration.service.wiring import Gradewire
from integration.store.queries import farewells, ifttt, owner_notices

JSON = ("Content-Type: application/json",)
#: So many of each are taken at once.
AT_ONCE = 50
#: Answers to a farewell that are as good as "done": there is no such subscription any more.
GONE = (404, 410)


def run(gradewire: Gradewire) -> int:
    """Send what is due; how many were tried."""
    now = gradewire.now()
    with gradewire.database.write() as connection:
        mails = owner_notices.claim_mails(connection, now, now + LEASE_MS, AT_ONCE)
        leaving = farewells.claim(connection, now, now + LEASE_MS, AT_ONCE)
        fresh = ifttt.claim(connection, now, now + LEASE_MS, AT_ONCE) if _tells_ifttt(gradewire) else []
    if not mails and not leaving and not fresh:
        return 0
    ways = build_ways(gradewire)
    try:
        for row in mails:
            _mail(gradewire, ways, row)
        _farewells(gradewire, ways, leaving)
        if fresh:
            _tell_ifttt(gradewire, ways, fresh)
    finally:
        ways.transport.close()
    return len(mails) + len(leaving) + len(fresh)


# -- mails to owners ---------------------------------------------------------------------------------------------------


def _mail(gradewire: Gradewire, ways: Ways, row: Any) -> None:
    """One notice by e-mail. Without a mail server it stays on the page alone."""
    again = None
    if ways.send_mail is not None and row.mail_to:
        reply = ways.mail(_composed(ways, row))
        if not 200 <= reply.status < 300 and not 500 <= reply.status < 600:
            again = _later(gradewire.now(), row.mail_attempts + 1)
    with gradewire.database.write() as connection:
        owner_notices.settle_mail(connection, row.key, again)


def _composed(ways: Ways, row: Any) -> Mail:
    link = f"\n\n{ways.public_url}/" if ways.public_url else ""
    html = f"<p><b>{escape(row.title)}</b></p><p>{escape(row.text)}</p>"
    if ways.public_url:
        html += f'<p><a href="{escape(ways.public_url)}/">Gradewire</a></p>'
    identity = hashlib.sha256(row.key.encode()).hexdigest()[:32]
    headers = (("Auto-Submitted", "auto-generated"),)
    text = f"{row.title}\n\n{row.text}{link}\n"
    return Mail(row.mail_to, f"[Gradewire] {row.title}"[:150], text, html, f"{identity}@{ways.sender}", headers)


def _later(now: int, attempts: int) -> int | None:
    wait = next_wait(attempts, None) if attempts <= len(SCHEDULE) else None
    return None if wait is None else now + wait


# -- farewells ---------------------------------------------------------------------------------------------------------


def _farewells(gradewire: Gradewire, ways: Ways, rows: list[Any]) -> None:
    """DELETE the address of each, which is how a REST hook's receiver learns that its subscription is over."""
    for row in rows:
        url = gradewire.vault.open(row.target)["url"]
        ways.transport.start(row, HttpRequest(url, b"", method="DELETE", headers=("User-Agent: Gradewire/1",)))
    while ways.transport.in_flight:
        for row, reply in ways.transport.finished(1.0):
            _settle(gradewire, row, reply)


def _settle(gradewire: Gradewire, row: Any, reply: Reply) -> None:
    over = 200 <= reply.status < 300 or reply.status in GONE or reply.error == "refused"
    again = None if over else _later(gradewire.now(), row.attempts + 1)
    error = None if 200 <= reply.status < 300 else reply.error or f"HTTP {reply.status}"
    with gradewire.database.write() as connection:
        farewells.settle(connection, row.id, status=reply.status, error=error, again_at=again)


# -- IFTTT -------------------------------------------------------------------------------------------------------------


def _tells_ifttt(gradewire: Gradewire) -> bool:
    return bool(gradewire.settings["ifttt_service_key"] and gradewire.settings["ifttt_url"])


def _tell_ifttt(gradewire: Gradewire, ways: Ways, rows: list[Any]) -> None:
    """Say which feeds have more: IFTTT then reads them at once. No event is in it."""
    body = json.dumps({"data": [{"trigger_identity": row.identity} for row in rows]}).encode()
    secret = gradewire.settings["ifttt_service_key"]
    own = (f"IFTTT-Service-Key: {secret}", f"X-Request-ID: {uuid.uuid4()}", "User-Agent: Gradewire/1")
    ways.transport.start(rows, HttpRequest(gradewire.settings["ifttt_url"], body, headers=(*JSON, *own)))
    while ways.transport.in_flight:
        for told, reply in ways.transport.finished(1.0):
            _told_ifttt(gradewire, told, reply)


def _told_ifttt(gradewire: Gradewire, rows: list[Any], reply: Reply) -> None:
    """A refusal will not be another one later: only what may pass is tried again."""
    over = 200 <= reply.status < 300 or (400 <= reply.status < 500 and reply.status != 429)
    attempts = 1 + max(row.attempts for row in rows)
    with gradewire.database.write() as connection:
        ifttt.settle(connection, rows, None if over else _later(gradewire.now(), attempts))
