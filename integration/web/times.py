"""Times as people write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from integration.domain.errors import InvalidInput

_YEAR_10000 = 253_402_300_800_000


def period(given: Mapping[str, Any]) -> dict[str, int | None]:
    """`since` and `until` of a request in milliseconds; one left empty counts as not given."""
    return {name: moment(given[name], name) if given.get(name) else None for name in ("since", "until")}


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
