"""The design of tutorials, to compare with: a Celery task a delivery, requests.post, an ORM commit an attempt."""

from __future__ import annotations

import os
import time

import requests
from celery import Celery
from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary, Text, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from integration.domain.signing import signed_headers
from integration.store.database import normalise_url

app = Celery("tutorial", broker=os.environ.get("REDIS_URL", "memory://"))
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)
engine = create_engine(normalise_url(os.environ.get("TUTORIAL_URL", "sqlite://")))
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
Number = BigInteger().with_variant(Integer(), "sqlite")

if engine.dialect.name == "sqlite":

    @event.listens_for(engine, "connect")
    def _configure(connection, _record) -> None:  # type: ignore[no-untyped-def]
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}")


class Base(DeclarativeBase):
    pass


class Delivery(Base):
    __tablename__ = "tutorial_delivery"
    id: Mapped[int] = mapped_column(Number, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text, default="pending", index=True)
    done_at: Mapped[int | None] = mapped_column(BigInteger)


class Attempt(Base):
    __tablename__ = "tutorial_attempt"
    id: Mapped[int] = mapped_column(Number, primary_key=True)
    delivery_id: Mapped[int] = mapped_column(Number, ForeignKey(Delivery.id), index=True)
    at: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[int] = mapped_column(Integer)
    head: Mapped[bytes] = mapped_column(LargeBinary)


@app.task(name="tutorial.deliver", acks_late=True)  # type: ignore[untyped-decorator]
def deliver(delivery_id: int) -> None:
    with Session(engine) as session:
        delivery = session.get_one(Delivery, delivery_id)
        body, now = delivery.body.encode(), int(time.time())
        lines = signed_headers(SECRET, f"evt_{delivery.id}", now, body)
        headers = dict(line.split(": ", 1) for line in lines) | {"Content-Type": "application/json"}
        answer = requests.post(delivery.url, body, headers=headers, timeout=15)
        session.add(Attempt(delivery_id=delivery.id, at=now, status=answer.status_code, head=answer.content[:4096]))
        delivery.state, delivery.done_at = "delivered" if answer.ok else "failed", now
        session.commit()
