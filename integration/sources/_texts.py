"""Rows whose fields are lists, objects or long texts: a reading keeps what matters of them as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
from marshmallow import ValidationError

from integration.domain.catalogue import Batch, Source
from integration.domain.errors import UpstreamError
from integration.sources._columns import Numbers, Page
from integration.sources._readings import Rows, dates, load, newest

#: What one row says: the numbers of its reading by metric, and what its text holds; None where it holds nothing.
Said = tuple[Mapping[str, float | None], Mapping[str, Any] | None]


def worded(source: Source, rows: Rows, slot: int, fields: Sequence[str], read: Callable[[Mapping[str, Any]], Said]) -> Batch:
    """One reading a row. `read` is given a row's `fields` (None where one is missing) and says what its reading holds.

    It raises ValueError, in words that name the field, for what cannot be trusted; that becomes UpstreamError naming the
    row. Of several rows of one subject and date the last counts.
    """
    page = Page(rows)
    if rows and not any(page.has(field) for field in fields):
        raise UpstreamError(f"{source.path}: no row has any of the fields {', '.join(fields)}")
    if not rows:
        return Batch((), np.empty(0, dtype=np.int64), np.empty((0, len(source.metrics))), ())
    loaded = load(replace(source, metrics=()), page)
    subjects, as_of = loaded["subjects"], dates(source, loaded, slot)
    last = newest(subjects, as_of)
    each = list(zip(*(page.column(field) for field in fields), strict=True))
    values, texts = np.full((len(last), len(source.metrics)), np.nan), []
    for place, row in enumerate(last):
        try:
            said, text = read(dict(zip(fields, each[row], strict=True)))
        except ValueError as error:
            name = subjects[row].partition(":")[2]
            raise UpstreamError(f"{source.path}: row {row} (id {name}): {error}", field=fields[0]) from None
        for metric, number in said.items():
            values[place, source.column(metric)] = np.nan if number is None else number
        texts.append(None if text is None else orjson.dumps(text).decode())
    return Batch([subjects[row] for row in last], as_of[last], values, texts)


def numbers(values: Sequence[Any], what: str, low: float | None = 0) -> list[float | None]:
    """Numbers, also written as strings, None where one is missing; ValueError in words that begin with `what`."""
    try:
        loaded = Numbers(low).deserialize(list(values))
    except ValidationError as error:
        _, (text, *_) = next(iter(error.messages_dict.items()))
        raise ValueError(f"{what} {text}") from None
    return [None if np.isnan(number) else number for number in loaded.tolist()]
