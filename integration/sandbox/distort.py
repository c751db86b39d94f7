"""Faults in the rows: nulls, strings, tokens missing, past days restated, pages too short."""

import zlib
from collections.abc import Sequence
from typing import Any

from integration.sandbox.clock import ms_date
from integration.sandbox.faults import Fault
from integration.sandbox.view import Row, Rows

_IDENTITY = frozenset({"TOKEN_ID", "ID"})
_DATES = ("DATE", "TIMESTAMP", "DATETIME")


def distorted(rows: Rows, faults: Sequence[Fault], today: str) -> Rows:
    """The rows after each row fault among ``faults``, in turn; ``today`` is the market date, which ``late`` drops."""
    for fault in faults:
        if fault.kind == "empty":
            rows = []
        elif fault.kind == "short_page":
            rows = rows[: int(len(rows) * fault.value)]
        elif fault.kind == "missing_tokens":
            rows = [row for row in rows if "TOKEN_ID" not in row or _share(row["TOKEN_ID"]) >= fault.value]
        elif fault.kind == "late":
            rows = [row for row in rows if _day(row) != today]
        elif fault.kind == "nulls":
            rows = [{key: _null(key, value) for key, value in row.items()} for row in rows]
        elif fault.kind == "strings":
            rows = [{key: _text(value) for key, value in row.items()} for row in rows]
        elif fault.kind == "restated":
            rows = [_restated(row, fault) for row in rows]
    return rows


def _share(*parts: Any) -> float:
    """A number in [0, 1) that depends on the parts only."""
    return zlib.crc32(" ".join(str(part) for part in parts).encode()) / 2**32


def _day(row: Row) -> str | None:
    """The date of a row as YYYY-MM-DD; None for rows without one."""
    return next((str(row[key])[:10] for key in _DATES if key in row), None)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _null(key: str, value: Any) -> Any:
    return None if _is_number(value) and key not in _IDENTITY else value


def _text(value: Any) -> Any:
    return str(value) if _is_number(value) else value


def _restated(row: Row, fault: Fault) -> Row:
    """Decimal figures of days before the fault was set become smaller, the same each time they are asked for."""
    day = _day(row)
    if day is None or day >= ms_date(fault.market_ms).isoformat():
        return row
    factor = 1 - fault.value * (0.1 + 0.9 * _share(row.get("TOKEN_ID", row.get("ID")), day))
    return {key: round(value * factor, 10) if isinstance(value, float) else value for key, value in row.items()}
