"""Several events of one subscription told as one: what it is called, and how its JSON is put together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from integration.domain.ids import digest_id
from integration.domain.payload import SCHEMA
from integration.domain.retry import HOUR

TYPE = "digest"
#: Of one poll, so many events go singly (reference rule 12); more become one digest.
SINGLY = 5
#: A digest tells at most so many events; what is more becomes another.
MOST = 500
#: So many notices may a subscription have within an hour; what is more waits for a digest.
BUDGET, WINDOW = 30, HOUR
#: Subjects that a digest's summary names.
NAMED = 3


def is_digest(told: Mapping[str, Any]) -> bool:
    """Whether this is a digest, not an event."""
    return told.get("type") == TYPE


def compose(payloads: Sequence[str], *, delayed: bool) -> tuple[str, bytes]:
    """(id, JSON) of a digest of events, given as their JSON: each is in it byte for byte.

    The id follows from the members' ids alone, so that a repeat is recognised. `delayed` says that they are told late.
    """
    events = [json.loads(payload) for payload in payloads]
    identity = digest_id([event["id"] for event in events])
    head = {
        "schema": SCHEMA,
        "id": identity,
        "type": TYPE,
        "delayed": delayed,
        "sandbox": any(event.get("sandbox") for event in events),
        "count": len(events),
        "summary": summary(events, delayed=delayed),
    }
    opening = json.dumps(head, ensure_ascii=False, separators=(",", ":")).removesuffix("}")
    return identity, f'{opening},"events":[{",".join(payloads)}]}}'.encode()


def summary(events: Sequence[Mapping[str, Any]], *, delayed: bool) -> str:
    """One sentence: "12 × Grade Change: Bitcoin, Ethereum, Solana and 9 more"."""
    labels = list(dict.fromkeys(str(event.get("label", "Event")).removeprefix("New ") for event in events))
    names = list(dict.fromkeys(str(event.get("subject_name", "")) for event in events))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    told = f"{len(events)} × {' / '.join(labels)}: {', '.join(names[:NAMED])}{more}"
    return f"Delayed: {told}" if delayed else told
