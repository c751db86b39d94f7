"""What one poll brought of a rule as one object, for those who want one run a poll instead of one a token.

It is the same by hook and by feed: made of the events' stored JSON alone, in their order, under an id made of theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from integration.domain.digest import summary
from integration.domain.ids import bundle_id
from integration.domain.payload import SCHEMA
from integration.domain.posting import bundle_text

TYPE = "bundle"
#: A bundle tells at most so many events; what a poll brings beyond becomes another.
MOST = 500


class Item(NamedTuple):
    """An event of a feed: its number, and when it became known (ms)."""

    seq: int
    known_at: int


def bundled(items: Sequence[Item], *, whole: bool) -> Iterator[list[Item]]:
    """Events of one rule, in their order, by the polls that brought them: at most MOST to a bundle.

    What became known at one moment came by one poll. Where the items are not the `whole` rest of a feed, the last of them may
    be part of a poll only, and that poll is left out.
    """
    polls: dict[int, list[Item]] = {}
    for item in items:
        polls.setdefault(item.known_at, []).append(item)
    if not whole and items:
        polls.pop(items[-1].known_at)
    for poll in polls.values():
        poll.sort()
        yield from (poll[start : start + MOST] for start in range(0, len(poll), MOST))


def compose(payloads: Sequence[str]) -> tuple[str, str]:
    """(id, JSON) of a bundle of events of one rule, given as their JSON: each is in it byte for byte."""
    events: list[dict[str, Any]] = [json.loads(payload) for payload in payloads]
    told, first = summary(events, delayed=False), events[0]
    head = {
        "schema": SCHEMA,
        "id": bundle_id([event["id"] for event in events]),
        "type": TYPE,
        "trigger": first["trigger"],
        "label": first["label"],
        "is_sample": any(event["is_sample"] for event in events),
        "sandbox": any(event["sandbox"] for event in events),
        "as_of": max(event["as_of"] for event in events),
        "known_at": max(event["known_at"] for event in events),
        "count": len(events),
        "summary": told if len(events) > 1 else first["summary"],
        "names": ", ".join(event["subject_name"] for event in events),
        "symbols": ", ".join(event["subject_symbol"] for event in events if event["subject_symbol"]),
        "first_name": first["subject_name"],
        "first_symbol": first["subject_symbol"],
        "first_summary": first["summary"],
        "discord_text": bundle_text(told, events),
    }
    opening = json.dumps(head, ensure_ascii=False, separators=(",", ":")).removesuffix("}")
    return str(head["id"]), f'{opening},"events":[{",".join(payloads)}]}}'
