"""The inboxes for trying out: mails that were caught, webhooks that came to the built-in receiver."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, delete, insert, select

from integration.store.tables import inbox_hook, inbox_mail

#: What an inbox keeps; older things go when newer ones come.
KEPT = 500


def add_mail(connection: Connection, **values: Any) -> None:
    """Keep a mail: at, message_id, sender, recipient, subject, text, html."""
    connection.execute(insert(inbox_mail).values(**values))
    _trim(connection, inbox_mail)


def add_hook(connection: Connection, **values: Any) -> None:
    """Keep a webhook: at, webhook_id, verified, body."""
    connection.execute(insert(inbox_hook).values(**values))
    _trim(connection, inbox_hook)


def _trim(connection: Connection, table: Table) -> None:
    oldest = select(table.c.id).order_by(table.c.id.desc()).limit(1).offset(KEPT - 1).scalar_subquery()
    connection.execute(delete(table).where(table.c.id < oldest))


def mails(connection: Connection, *, limit: int, recipient: str | None = None) -> list[Any]:
    """The newest mails without their bodies, newest first; of one recipient or all."""
    c = inbox_mail.c
    query = select(c.id, c.at, c.sender, c.recipient, c.subject).order_by(c.id.desc()).limit(limit)
    return list(connection.execute(query if recipient is None else query.where(c.recipient == recipient)))


def mail(connection: Connection, identity: int, recipient: str | None = None) -> Any | None:
    """A mail, whole; None where it is another recipient's."""
    query = select(inbox_mail).where(inbox_mail.c.id == identity)
    return connection.execute(query if recipient is None else query.where(inbox_mail.c.recipient == recipient)).first()


def hooks(connection: Connection, *, limit: int) -> list[Any]:
    """The newest webhooks, newest first."""
    return list(connection.execute(select(inbox_hook).order_by(inbox_hook.c.id.desc()).limit(limit)))


def hook(connection: Connection, identity: int) -> Any | None:
    """A webhook, whole."""
    return connection.execute(select(inbox_hook).where(inbox_hook.c.id == identity)).first()
