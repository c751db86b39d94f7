"""Queries as people write them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import request
from marshmallow import Schema

from integration.derive.openapi import MOST
from integration.domain.errors import InvalidInput

_YEAR_10000 = 253_402_300_800_000


def check_known(schema: type[Schema]) -> None:
    """Refuse a parameter that the request's schema does not know: misspelt, a filter would let everything pass."""
    known = schema().fields
    for name in request.args:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
            raise InvalidInput(f"Unknown parameter {name[:40]!r}. {hint}", field=name[:40])


def period(given: Mapping[str, Any]) -> dict[str, int | None]:
    """`since` and `until` of a request in milliseconds; one left empty counts as not given."""
    return {name: moment(given[name], name) if given.get(name) else None for name in ("since", "until")}


def limit_of(text: str) -> int:
    """How many entries of a feed are asked for. Raises InvalidInput where that is no number from 1 to 1000."""
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST:
        raise InvalidInput(f"limit must be a whole number from 1 to {MOST}.", field="limit")
    return int(text)


def moment(text: str, field: str = "since") -> int:
    """Milliseconds since 1970 from such a number or from ISO 8601 (UTC unless it says otherwise)."""
    if re.fullmatch(r"[0-9]{1,15}", text):
        return min(int(text), _YEAR_10000)
    for spelling in (text, re.sub(r" (?=[0-9:]+$)", "+", text)):  # a plus that was not percent-encoded comes as a space
        try:
            found = datetime.fromisoformat(spelling)
        except ValueError:
            continue
        return max(0, int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000))
    raise InvalidInput(f"{field} must be a time like 2024-01-31T12:00:00Z, or milliseconds since 1970.", field=field)
