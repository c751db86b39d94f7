"""A page of upstream rows as columns, each validated whole by one marshmallow field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields

from integration.domain.catalogue import SubjectKind
from integration.domain.history import Floats, Ints

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?")
_ANY_DATE = "1970-01-01"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)


class Page:
    """Rows whose fields are found whatever their spelling: blind to case and underscores (TM_GRADE_24h, tm_grade_24_h)."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.rows = rows
        self._spelling: dict[str, str] = {}
        for key in sorted(set().union(*rows)):
            self._spelling.setdefault(_folded(key), key)

    def has(self, field: str) -> bool:
        """Whether any row has this field."""
        return _folded(field) in self._spelling

    def column(self, field: str) -> list[Any]:
        """One field of every row, None where it is missing."""
        key = self._spelling.get(_folded(field))
        return [None] * len(self.rows) if key is None else [row.get(key) for row in self.rows]


def _folded(key: str) -> str:
    return key.replace("_", "").lower()


class Subjects(fields.Field[list[str]]):
    """A column of upstream ids (3375 or "3375") as subjects ("token:3375")."""

    def __init__(self, kind: SubjectKind, **options: Any) -> None:
        super().__init__(required=True, **options)
        self.kind = kind

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> list[str]:
        subjects = {upstream: f"{self.kind}:{int(upstream)}" for upstream in set(map(_hashable, value)) if _is_id(upstream)}
        try:
            # True == 1: a boolean would find the subject of id 1
            return [subjects[upstream if type(upstream) is not bool else None] for upstream in value]
        except (KeyError, TypeError):
            wrong = {row: "is not an id" for row, upstream in enumerate(value) if not _is_id(upstream)}
            raise ValidationError({row: [text] for row, text in wrong.items()}) from None


def _hashable(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) < 19
    return type(value) is int and value >= 0


class Instants(fields.Field[Ints]):
    """A column of dates in any of upstream's forms as UTC epoch milliseconds; without a zone UTC is meant.

    `absent` stands for what is null or empty, where that may be.
    """

    def __init__(self, absent: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.absent = absent

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Ints:
        if self.absent is None:
            return self._instants(value)
        instants = self._instants([text or _ANY_DATE for text in value])
        return np.where([bool(text) for text in value], instants, self.absent).astype(np.int64)

    def _instants(self, value: Sequence[Any]) -> Ints:
        texts = {text for text in value if isinstance(text, str)}
        instants = {text: instant for text in texts if (instant := _instant(text)) is not None}
        wrong = {row: ["is not a date"] for row, text in enumerate(value) if not isinstance(text, str) or text not in instants}
        if wrong:
            raise ValidationError(wrong)
        return np.fromiter((instants[text] for text in value), dtype=np.int64, count=len(value))


def _instant(text: str) -> int | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000


class Numbers(fields.Field[Floats]):
    """A column of numbers, also written as strings; null, empty and infinite ones are NaN. Bounds are inclusive."""

    def __init__(self, low: float | None = None, high: float | None = None, **options: Any) -> None:
        super().__init__(required=True, **options)
        self.low = -np.inf if low is None else low
        self.high = np.inf if high is None else high

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Floats:
        if set(map(type, value)) <= {int, float, type(None)}:
            numbers = np.array(value, dtype=np.float64)
        else:
            numbers = np.array(_coerced(value), dtype=np.float64)
        numbers[~np.isfinite(numbers)] = np.nan
        outside = np.flatnonzero((numbers < self.low) | (numbers > self.high))
        if outside.size:
            text = f"is outside {self.low:g} to {self.high:g}"
            raise ValidationError({int(row): [f"{numbers[row]:g} {text}"] for row in outside})
        return numbers


def _coerced(values: Sequence[Any]) -> list[float | None]:
    numbers: list[float | None] = []
    wrong: dict[int, list[str]] = {}
    for row, value in enumerate(values):
        if value is None or type(value) in (int, float):
            numbers.append(value)
        elif isinstance(value, str) and (not value.strip() or _NUMBER.fullmatch(value.strip())):
            numbers.append(float(value) if value.strip() else None)
        else:
            wrong[row] = ["is not a number"]
    if wrong:
        raise ValidationError(wrong)
    return numbers
