"""What the owner of an account is told beside the events, on the page and by e-mail."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select, update

from integration.store.queries._dialect import insert
from integration.store.tables import account, destination, owner_notice


def tell(connection: Connection, destination_id: str, kind: str, now: int, title: str, text: str, *, once_in: int = 1) -> None:
    """Tell a destination's owner something, also by e-mail; at most once in so many ms. `title` may name its {label}."""
    d, key = destination.c, f"{kind}:{destination_id}:{now // once_in}"
    to = func.coalesce(func.nullif(d.owner_email, ""), account.c.email).label("mail_to")
    query = select(d.account_id, d.label, d.hint, to).join(account, account.c.id == d.account_id).where(d.id == destination_id)
    row = connection.execute(query).first()
    if row is None:
        return
    told = {"title": title.format(label=f"{row.label} ({row.hint})"), "text": text, "at": now, "next_mail_at": now}
    values = {"key": key, "account_id": row.account_id, "destination_id": destination_id, "kind": kind, "mail_to": row.mail_to}
    connection.execute(insert(connection, owner_notice).values(**values, **told).on_conflict_do_nothing())


def put(connection: Connection, key: str, account_id: str, kind: str, now: int, title: str, text: str) -> bool:
    """Tell an account's owner something that is not about a destination, once for each key; whether it is new."""
    to = select(account.c.email).where(account.c.id == account_id).scalar_subquery()
    told = {"title": title, "text": text, "at": now, "next_mail_at": now, "mail_to": to}
    statement = insert(connection, owner_notice).values(key=key, account_id=account_id, kind=kind, **told)
    return bool(connection.execute(statement.on_conflict_do_nothing()).rowcount)


def newest(connection: Connection, account_id: str | None, *, since: int, limit: int) -> list[Any]:
    """What an account (None: any) was told since a time (ms), newest first."""
    c = owner_notice.c
    query = select(owner_notice).where(c.at >= since)
    if account_id is not None:
        query = query.where(c.account_id == account_id)
    return list(connection.execute(query.order_by(c.at.desc(), c.key).limit(limit)))


def claim_mails(connection: Connection, now: int, until: int, limit: int) -> list[Any]:
    """Notices whose mail is due, taken until then (ms): a worker that dies gives them back by doing nothing."""
    c = owner_notice.c
    query = select(owner_notice).where(c.next_mail_at.is_not(None), c.next_mail_at <= now).order_by(c.next_mail_at)
    rows = list(connection.execute(query.limit(limit).with_for_update(skip_locked=True)))
    if rows:
        taken = update(owner_notice).where(c.key.in_([row.key for row in rows]))
        connection.execute(taken.values(next_mail_at=until, mail_attempts=c.mail_attempts + 1))
    return rows


def settle_mail(connection: Connection, key: str, again_at: int | None) -> None:
    """A notice's mail is out, or given up (None), or to be tried again at a time (ms)."""
    connection.execute(update(owner_notice).where(owner_notice.c.key == key).values(next_mail_at=again_at))


def prune(connection: Connection, before: int) -> None:
    """Let go of notices from before a time (ms)."""
    connection.execute(owner_notice.delete().where(owner_notice.c.at < before))
