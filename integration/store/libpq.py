"""PostgreSQL asked by its protocol: what psycopg's cursors do around a statement costs more than a short one itself."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus

from integration.store.peeking import Died, Rows

BINARY = 1
#: A statement is not ready (a pooler gave us another session), or cannot be made so again, or its tables have changed.
_NOT_READY = frozenset({b"26000", b"42P05", b"0A000"})
#: The numbers of the types int8, int2 and int4, which come as big-endian bytes. All else stays bytes.
_INTEGERS = frozenset({20, 21, 23})


class Wire:
    """A connection of psycopg that is used below its cursors. Each statement is kept ready there: there should be few."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._ready: dict[str, bytes] = {}
        driver.autocommit = True
        # A plan for each value would be better by less than it takes to make it.
        driver.execute("SET plan_cache_mode = force_generic_plan")

    def rows(self, sql: str, parameters: Sequence[str | int]) -> Rows:
        """The rows of one statement: integers, and the bytes of everything else. Raises Died or psycopg's error."""
        given = [str(each).encode() for each in parameters]
        result = self._of_ready(sql, given)
        if result is None:
            result = self.driver.pgconn.exec_params(sql.encode(), given, None, None, BINARY)
        if result.status != ExecStatus.TUPLES_OK:
            error = error_from_result(result)
            if self.driver.pgconn.status != ConnStatus.OK:
                raise Died from error
            raise error
        return list(zip(*(_column(result, number) for number in range(result.nfields)), strict=True))

    def _of_ready(self, sql: str, given: list[bytes]) -> Any:
        """The result of the statement as it is kept ready; None where it cannot be kept."""
        wire, name = self.driver.pgconn, self._ready.get(sql)
        if name is None:
            name = f"peek_{hashlib.sha256(sql.encode()).hexdigest()[:32]}".encode()  # of its own text, whoever else keeps it
            made = wire.prepare(name, sql.encode())
            if made.status != ExecStatus.COMMAND_OK:
                return None if _was_not_ready(made) else made
            self._ready[sql] = name
        result = wire.exec_prepared(name, given, None, BINARY)
        return (
            None
            if result.status != ExecStatus.TUPLES_OK and result.error_field(DiagnosticField.SQLSTATE) in _NOT_READY
            else result
        )


def _was_not_ready(result: Any) -> bool:
    return result.status == ExecStatus.FATAL_ERROR and result.error_field(DiagnosticField.SQLSTATE) in _NOT_READY


def _column(result: Any, number: int) -> list[Any]:
    value = result.get_value
    found = [value(row, number) for row in range(result.ntuples)]
    if result.ftype(number) not in _INTEGERS:
        return found
    return [None if each is None else int.from_bytes(each, "big", signed=True) for each in found]
