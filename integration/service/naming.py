"""Names that people use for what they watch, made ids that Token Metrics knows."""

from __future__ import annotations

import difflib

from sqlalchemy import Connection

from integration.domain.catalogue import MARKET
from integration.domain.errors import InvalidInput
from integration.store.queries import subjects

#: A token is meant by a symbol that others share where its market rank is so many times as high; no rank is the lowest.
DWARFED, UNRANKED = 10, 10_000
MOST_DIGITS = 19


def slug_of(connection: Connection, kind: str, slug: str, field: str) -> str:
    """The slug of a category or an exchange that is known; InvalidInput names the field and the nearest otherwise."""
    column = {"category": "categories", "exchange": "exchanges"}[kind]
    known = subjects.slugs(connection, column)
    if slug not in known:
        near = difflib.get_close_matches(slug.lower(), known, 3)
        hint = f" Did you mean {' or '.join(near)}?" if near else " Nothing is known by that name yet."
        raise InvalidInput(f"Unknown {kind} {slug[:40]!r}.{hint}", field=field)
    return slug


def number_of(connection: Connection, one: str, name: str, field: str) -> int:
    """The id of a token or an index that is given by id, symbol or name; InvalidInput names the field and the nearest.

    Of several that share a symbol, one whose market rank is ten times as high as the next one's is meant; otherwise they are
    refused with their ids.
    """
    numbered = name.isascii() and name.isdigit() and len(name) < MOST_DIGITS
    found = list(subjects.load(connection, [f"{one}:{int(name)}"]).values()) if numbered else []
    found = found or subjects.by_symbol(connection, one, name)
    if not found:
        near = subjects.search(connection, one, name[:3], limit=3, offset=0)
        hint = f" Did you mean {' or '.join(f'{r.name} ({_number(r.subject)})' for r in near)}?" if near else ""
        raise InvalidInput(f"Unknown {one} {name[:40]!r}.{hint}", field=field)
    found = sorted(found, key=lambda row: row.market_rank or UNRANKED)
    if len(found) > 1 and DWARFED * (found[0].market_rank or UNRANKED) <= (found[1].market_rank or UNRANKED):
        found = found[:1]
    if len(found) > 1:
        choices = ", ".join(f"{row.name} = {_number(row.subject)}" for row in found[:4])
        raise InvalidInput(f"Several {field} are called {name[:40]!r}; give the id: {choices}.", field=field)
    return _number(found[0].subject)


def subject_named(connection: Connection, kind: str, name: str) -> str:
    """The subject that is meant: token:3375, index:1 or market as they are, else a token or index by its symbol or name."""
    if kind == MARKET or name.startswith(f"{kind}:"):
        number = name.partition(":")[2]
        if (name == MARKET) if kind == MARKET else (number.isascii() and number.isdigit() and len(number) < MOST_DIGITS):
            return name
        example = MARKET if kind == MARKET else f"{kind}:1"
        raise InvalidInput(f"subject: This trigger is about each {kind}: say {example}.", field="subject")
    return f"{kind}:{number_of(connection, kind, name, 'subject')}"


def _number(subject: str) -> int:
    return int(subject.partition(":")[2])
