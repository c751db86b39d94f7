"""v3 names from v2 names (upstream.md 1.1): lower snake_case with digits split off, slug, app_link, text twins."""

import re
from collections.abc import Mapping
from typing import Any

_AFTER_DIGITS = re.compile(r"(?<=\d)(?=[a-z])")
_RENAMED = {"TM_LINK": "app_link"}
_V2_ONLY = frozenset({"tm_link"})


def v3_key(key: str) -> str:
    """``TM_TRADER_GRADE_24H_PCT_CHANGE`` -> ``tm_trader_grade_24_h_pct_change``; ``TM_LINK`` -> ``app_link``."""
    return _RENAMED.get(key) or _AFTER_DIGITS.sub("_", key.lower())


def v3_row(row: Mapping[str, Any], slugs: Mapping[int, str]) -> dict[str, Any]:
    """A v2 row under v3 names; rows of a token gain its slug. Lists and objects inside keep their names."""
    named = {v3_key(key): value for key, value in row.items() if key not in _V2_ONLY}
    if "token_id" in named and int(named["token_id"]) in slugs:
        named["slug"] = slugs[int(named["token_id"])]
    return named
