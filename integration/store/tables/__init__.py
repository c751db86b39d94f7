"""The tables. All times are UTC epoch milliseconds; a reading's values are float64 in its source's metric order."""

from __future__ import annotations

from integration.store.tables._base import SEALED, Serial, metadata
from integration.store.tables.asking import account, api_key, event, feed, feed_item, feed_link, feed_reader, ifttt_identity, rule
from integration.store.tables.observing import (
    budget,
    call,
    fill,
    notice,
    past_wish,
    poll,
    reading,
    revision,
    spoilt_answer,
    subject,
)
from integration.store.tables.running import heartbeat, inbox_hook, inbox_mail, installation, tally
from integration.store.tables.telling import attempt, delivery, destination, farewell, owner_notice, replay, subscription

__all__ = [
    "SEALED",
    "Serial",
    "account",
    "api_key",
    "attempt",
    "budget",
    "call",
    "delivery",
    "destination",
    "event",
    "farewell",
    "feed",
    "feed_item",
    "feed_link",
    "feed_reader",
    "fill",
    "heartbeat",
    "ifttt_identity",
    "inbox_hook",
    "inbox_mail",
    "installation",
    "metadata",
    "notice",
    "owner_notice",
    "past_wish",
    "poll",
    "reading",
    "replay",
    "revision",
    "rule",
    "spoilt_answer",
    "subject",
    "subscription",
    "tally",
]
