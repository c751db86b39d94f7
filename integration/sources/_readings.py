"""Rows of upstream become readings and names; what cannot be trusted raises UpstreamError."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

import numpy as np
from marshmallow import Schema, ValidationError

from integration.domain.catalogue import MARKET, Batch, Metric, Source, SubjectKind, SubjectRow
from integration.domain.errors import UpstreamError
from integration.domain.history import Floats, Ints
from integration.domain.retry import DAY
from integration.sources._columns import Instants, Numbers, Page, Subjects

Rows = Sequence[Mapping[str, Any]]

#: How far a reading may be dated ahead of its poll's slot. One far ahead would make all later ones late; but a sped-up
#: market runs on for days while a poll waits for its turn.
MAX_AHEAD = 40 * DAY


def readings(source: Source, rows: Rows, slot: int, _asked: str = "", *, to: int = 1) -> Batch:
    """One reading a row: subject, date (or slot) and every metric of the source, each column validated as a whole.

    Dates are rounded down to a multiple of `to` ms: a day's bar is one reading, whatever time of day it is printed with.
    Of several rows of one subject and date the last counts: upstream's pages shift while they are read, and the later
    page is the newer one. A metric that no row has is null; a page without any of them is not this source's.
    """
    page = Page(rows)
    if not rows:
        return Batch((), np.empty(0, dtype=np.int64), np.empty((0, len(source.metrics))), ())
    if source.metrics and not any(page.has(metric.field) for metric in source.metrics):
        raise UpstreamError(f"{source.path}: no row has any of the fields {', '.join(m.field for m in source.metrics)}")
    columns = load(source, page)
    as_of = dates(source, columns, slot, to)
    subjects: list[str] = columns["subjects"]
    values: Floats = np.column_stack([columns[metric.name] for metric in source.metrics])
    last = newest(subjects, as_of)
    return Batch([subjects[row] for row in last], as_of[last], values[last], [None] * len(last))


def dates(source: Source, columns: Mapping[str, Any], slot: int, to: int = 1) -> Ints:
    """The as_of of each row of loaded columns: its date, rounded down to a multiple of `to` ms, or the slot."""
    as_of: Ints = columns["as_of"] // to * to if source.dated else np.full(len(columns["subjects"]), slot, dtype=np.int64)
    if as_of.max() > slot + MAX_AHEAD:
        row = int(as_of.argmax())
        raise UpstreamError(f"{source.path}: {source.date_field} of row {row} is in the future", field=source.date_field)
    return as_of


def newest(subjects: Sequence[str], as_of: Ints) -> list[int]:
    """The last row of each subject and date."""
    return list({key: row for row, key in enumerate(zip(subjects, as_of.tolist(), strict=True))}.values())


def load(source: Source, page: Page) -> dict[str, Any]:
    """The columns of a source's page by name: `subjects`, `as_of` where it is dated, and its metrics. Market rows name nobody."""
    named = {} if source.subject == MARKET else {"subjects": source.id_field}
    fields = {**named, **{metric.name: metric.field for metric in source.metrics}}
    if source.dated:
        fields["as_of"] = source.date_field
    schema = _schema(source.subject, source.metrics, source.dated)
    return {"subjects": [MARKET] * len(page.rows), **columns(schema, page, fields, source.path)}


def columns(schema: Schema, page: Page, fields: Mapping[str, str], path: str) -> dict[str, Any]:
    """Load columns (name -> upstream's field); a wrong value raises UpstreamError that names its field and row."""
    try:
        return cast("dict[str, Any]", schema.load({name: page.column(field) for name, field in fields.items()}))
    except ValidationError as error:
        name, rows = next(iter(cast("dict[str, dict[int, list[str]]]", error.messages).items()))
        row, texts = next(iter(rows.items()))
        more = f" ({len(rows) - 1} more rows)" if len(rows) > 1 else ""
        subject = f" (id {str(page.column(fields['subjects'])[row])[:40]})" if "subjects" in fields else ""
        text = f"{path}: {fields[name]} in row {row}{subject} {texts[0]}{more}"
        raise UpstreamError(text, field=fields[name]) from None


@cache
def _schema(kind: SubjectKind, metrics: tuple[Metric, ...], dated: bool) -> Schema:
    fields: dict[str, Any] = {} if kind == MARKET else {"subjects": Subjects(kind)}
    if dated:
        fields["as_of"] = Instants(required=True)
    fields |= {metric.name: Numbers(metric.low, metric.high) for metric in metrics}
    return Schema.from_dict(fields, name="Columns")()


def market_reading(source: Source, slot: int, values: Sequence[float], text: str, rows: int) -> Batch:
    """One reading about the market, of so many of upstream's rows together; none where there was no row."""
    if not rows:
        return readings(source, (), slot)
    as_of = np.full(1, slot, dtype=np.int64)
    return Batch([MARKET], as_of, np.array([values], dtype=np.float64), [text], rows)


def names(rows: Rows, kind: SubjectKind, *, id_field: str, name_field: str, symbol_field: str) -> list[SubjectRow]:
    """The subjects that rows describe, in order of first appearance, the last description of each.

    Categories are upstream's slugs, and "chain:<slug>" for each chain a token has a contract on; exchanges are ids.
    """
    page = Page(rows)
    ids = columns(_schema(kind, (), False), page, {"subjects": id_field}, f"{kind} list")["subjects"]
    described = zip(
        ids, page.column(name_field), page.column(symbol_field), page.column("CATEGORY_LIST"), page.column("EXCHANGE_LIST"),
        page.column("CONTRACT_ADDRESS"), strict=True,
    )  # fmt: skip
    found = {}
    for subject, name, symbol, categories, exchanges, contracts in described:
        symbol = str(symbol or "").strip().upper()
        chains = [f"chain:{chain}" for chain in contracts] if isinstance(contracts, dict) else []
        slugs = (*_each(categories, "category_slug"), *chains)
        label = str(name or "").strip() or symbol or subject
        found[subject] = SubjectRow(subject, kind, label, symbol, tuple(sorted(set(slugs))), _each(exchanges, "exchange_id"))
    return list(found.values())


def _each(entries: Any, key: str) -> tuple[str, ...]:
    if not isinstance(entries, list):
        return ()
    return tuple(sorted({str(entry[key]) for entry in entries if isinstance(entry, dict) and entry.get(key)}))
