"""The fields that every event carries, and how an event's JSON is put together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from marshmallow import Schema, fields

SCHEMA = 1


@lru_cache(maxsize=8_192)
def iso(milliseconds: int) -> str:
    """UTC epoch milliseconds as ISO 8601 with seconds, or milliseconds where there are any.

    >>> iso(0)
    '1970-01-01T00:00:00Z'
    """
    text = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(
        timespec="milliseconds" if milliseconds % 1000 else "seconds"
    )
    return text.replace("+00:00", "Z")


def day_and_month(iso_time: str) -> str:
    """A date as a sentence says it: "14 May 2021"."""
    moment = datetime.fromisoformat(iso_time)
    return f"{moment.day} {moment:%B %Y}"


def described(text: str, help_text: str = "", **more: Any) -> dict[str, Any]:
    """Field metadata: what people see beside a field; `unit`, `list` (a dropdown's source) and `secret` where they apply.

    `when` says with which values of other fields it has a meaning: {"kind": ["lead"]}. `suits` says what goes with a choice of
    another field: {"metric": {"volatility": {"unit": "%", "start": 80}}}; `start` is a number to begin with.
    """
    return {"label": text, "description": help_text or text, **more}


def id_of(text: str) -> str:
    """The id in an event's JSON as it is stored: it stands at its beginning.

    >>> id_of('{"schema":1,"id":"evt_a","trigger":"x"}')
    'evt_a'
    """
    return text[:200].partition('"id":"')[2].partition('"')[0]


class SnapshotValue(Schema):
    """One metric of the subject beside the event."""

    value = fields.Float(required=True, allow_none=True, metadata=described("Value"))
    as_of = fields.String(required=True, metadata=described("As Of", "When the value was true, by Token Metrics' clock"))
    text = fields.String(metadata=described("In Words", "What Token Metrics says of it, where that is a word"))


class EventPayload(Schema):
    """What every event carries. Keys are only ever added, never removed or retyped."""

    schema = fields.Integer(required=True, metadata=described("Schema Version"))
    id = fields.String(required=True, metadata=described("Event ID", "The same in feeds, webhooks, e-mails and sheets"))
    trigger = fields.String(required=True, metadata=described("Trigger Key"))
    label = fields.String(required=True, metadata=described("Trigger"))
    is_sample = fields.Boolean(required=True, metadata=described("Is Sample", "True for made-up examples and test sends"))
    sandbox = fields.Boolean(required=True, metadata=described("Is Sandbox Data", "True where the market is Gradewire's sandbox"))
    restated = fields.Boolean(required=True, metadata=described("Restated", "True where a corrected value made this event"))
    subject = fields.String(required=True, metadata=described("Subject", "token:<id>, index:<id> or market"))
    subject_id = fields.Integer(required=True, allow_none=True, metadata=described("Subject ID", "The Token Metrics id"))
    subject_name = fields.String(required=True, metadata=described("Name"))
    subject_symbol = fields.String(required=True, metadata=described("Symbol"))
    as_of = fields.String(required=True, metadata=described("As Of", "When it was true, by Token Metrics' clock"))
    known_at = fields.String(required=True, metadata=described("Known At", "When Gradewire learnt of it"))
    summary = fields.String(required=True, metadata=described("Summary", "One sentence, ready to post"))
    snapshot = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(SnapshotValue),
        required=True,
        metadata=described("Snapshot", "The subject's main metrics when the event was found, each with its own date"),
    )


def sample(
    trigger: str, label: str, subject: tuple[str, int | None, str, str], fields_: Mapping[str, Any], summary: str, as_of: str
) -> dict[str, Any]:
    """A complete made-up event. `subject` is (subject, id, name, symbol); the market has no id and no metrics of its own."""
    metrics = {"tm_trader_grade": {"value": 84.16, "as_of": as_of}, "sharpe": {"value": 1.06, "as_of": as_of}}
    return {
        "schema": SCHEMA,
        "id": "evt_samplesamplesamplesamplesa",
        "trigger": trigger,
        "label": label,
        "is_sample": True,
        "sandbox": False,
        "restated": False,
        "subject": subject[0],
        "subject_id": subject[1],
        "subject_name": subject[2],
        "subject_symbol": subject[3],
        "as_of": as_of,
        "known_at": as_of.replace("T00:00:00", "T00:12:31"),
        "summary": summary,
        **fields_,
        "snapshot": {} if subject[1] is None else metrics,
    }
