"""What a trigger, a channel and a source are; and how a folder of them becomes a catalogue without a list to edit."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal, TypeVar

from marshmallow import Schema

from integration.domain.history import Firing, History
from integration.domain.message import HttpRequest, Limits, Mail, Message, Reply, Verdict

SubjectKind = Literal["token", "index", "market"]
Options = Mapping[str, Any]


# -- sources ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a source. `name` is ours, `field` upstream's (v2 spelling); `low` and `high` bound what is possible."""

    name: str
    field: str
    label: str
    unit: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings of one poll, column-wise: `values` is float64 (rows × metrics, NaN = null), `as_of` int64 milliseconds."""

    subjects: Sequence[str]
    as_of: Any
    values: Any
    texts: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Source:
    """One upstream endpoint that is polled.

    `cadence` is in milliseconds of market time. `selection` says how its rows are asked for: every page of it, by ids
    (at most `ids_per_call` a call), or one call for all. `metrics` is append-only: readings are packed in its order.
    `dated` sources put a date in `date_field`; others are dated by their slot. `ranged` ones take start and end dates.
    `page_param` names the page size (empty: not paged); `max_pages` ends the paging early. `v3_params` go with version 3 only.
    `rows(source, rows, slot, asked)` turns all decoded rows of a fetch into readings, given the slot that dates undated
    rows and, where `selection` is ids, the ids asked for ("5"); it raises UpstreamError where they cannot be trusted.
    `names` are the subjects that the rows describe.
    """

    key: str
    label: str
    path: str
    subject: SubjectKind
    cadence: int
    selection: Literal["all_pages", "ids", "one"]
    metrics: tuple[Metric, ...]
    rows: Callable[[Source, Sequence[Mapping[str, Any]], int, str], Batch]
    dated: bool = True
    ranged: bool = False
    date_field: str = "DATE"
    id_field: str = "TOKEN_ID"
    id_param: str = "token_id"
    ids_per_call: int = 1
    page_param: str = "limit"
    max_pages: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    v3_params: Mapping[str, str] = field(default_factory=dict)
    always: bool = False
    names: Callable[[Sequence[Mapping[str, Any]]], list[SubjectRow]] | None = None

    def column(self, metric: str) -> int:
        """The position of a metric in this source's readings; KeyError for an unknown one."""
        for position, known in enumerate(self.metrics):
            if known.name == metric:
                return position
        raise KeyError(metric)


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """What is known of a subject: its name for people, and what scopes select by."""

    subject: str
    kind: SubjectKind
    name: str
    symbol: str = ""
    categories: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = ()
    market_rank: int | None = None


# -- triggers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lookback:
    """How far back a firing can look: so many observations (each at most one `max_gap` apart) plus a time in ms."""

    observations: int = 1
    milliseconds: int = 0

    def total(self, max_gap: int) -> int:
        """The longest time in milliseconds that readings can lie before a firing and still influence it."""
        return self.observations * max_gap + self.milliseconds


@dataclass(frozen=True, slots=True)
class Case:
    """An example that doubles as a test: these options over these readings fire at these days (or nowhere).

    `readings` are (day, values): a day counts from 0, values are by metric name (a bare number means the first metric
    that the trigger names), or a text for sources that carry one. `fires` maps a day to some of the payload's fields.
    """

    name: str
    options: Mapping[str, Any]
    readings: Sequence[tuple[float, Any]]
    fires: Mapping[float, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A kind of condition. See the folder `triggers` for what each part must do; the contract suite checks it.

    `sources(options)` names what must be polled; the first is the clock. `scan` is pure: it returns the firings of a
    history, each at one of its as_of. `summary(fields)` is one sentence from the payload's own fields.
    """

    key: str
    noun: str
    label: str
    description: str
    semantics: int
    subject: SubjectKind
    options: type[Schema]
    payload: type[Schema]
    sources: Callable[[Options], tuple[str, ...]]
    lookback: Callable[[Options], Lookback]
    scan: Callable[[History, Options], list[Firing]]
    summary: Callable[[Mapping[str, Any]], str]
    sample: Mapping[str, Any]
    fires: tuple[Case, ...]
    silent: tuple[Case, ...]


# -- channels --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Channel:
    """A kind of destination; pure. Secret fields of `config` carry metadata {"secret": True}.

    `render(messages, config)` makes one request of 1 to `limits.batch` messages; `verdict(reply)` says what an answer
    means. `hint(config)` is what may be shown of a destination.
    `prepare(config)` is sent once before the first delivery (a header row). After an ambiguous answer, `probe(messages,
    config)` asks what arrived and `absent(reply, messages)` names the messages that did not.
    """

    key: str
    label: str
    description: str
    config: type[Schema]
    render: Callable[[Sequence[Message], Mapping[str, Any]], HttpRequest | Mail]
    verdict: Callable[[Reply], Verdict]
    hint: Callable[[Mapping[str, Any]], str]
    limits: Limits = field(default_factory=Limits)
    prepare: Callable[[Mapping[str, Any]], HttpRequest] | None = None
    probe: Callable[[Sequence[Message], Mapping[str, Any]], HttpRequest] | None = None
    absent: Callable[[Reply, Sequence[Message]], list[Message]] | None = None


# -- one file = one entry --------------------------------------------------------------------------------------------

Entry = TypeVar("Entry", Source, Trigger, Channel)


def entries(package: ModuleType, kind: type[Entry]) -> dict[str, Entry]:
    """Every `kind` that a folder's files define under the kind's own name in capitals, by key, in order of key.

    A file's key is its name; a file whose name begins with an underscore holds no entry.
    """
    found: dict[str, Entry] = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        entry = getattr(importlib.import_module(f"{package.__name__}.{info.name}"), kind.__name__.upper())
        if not isinstance(entry, kind) or entry.key != info.name:
            raise TypeError(f"{package.__name__}.{info.name} must define {kind.__name__.upper()} with key {info.name!r}")
        found[entry.key] = entry
    return dict(sorted(found.items()))
