"""What a trigger, a channel and a source are; and how a folder of them becomes a catalogue without a list to edit."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final, Literal, TypeVar

import numpy as np
from marshmallow import Schema
from numpy.typing import NDArray

from integration.domain.history import Epoch, Firing, Floats, History, Ints, Log, Told, epochs, max_gap, tell
from integration.domain.message import HttpRequest, Limits, Mail, Message, Reply, Verdict
from integration.domain.screen import Condition

SubjectKind = Literal["token", "index", "market"]
Options = Mapping[str, Any]
Bools = NDArray[np.bool_]
States = NDArray[np.int8]


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
    """Readings of one poll, column-wise: `values` is float64 (rows × metrics, NaN = null), `as_of` int64 milliseconds.

    `rows` is how many of upstream's rows they were made of, where one reading is made of many: a list is whole by that.
    """

    subjects: Sequence[str]
    as_of: Any
    values: Any
    texts: Sequence[str | None]
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """A source's newest versions as a grid: `values` is subjects × times × metrics, NaN = missing; times rise strictly.

    `there` says which readings exist at all; `texts` holds the texts of those that carry one.
    """

    subjects: tuple[str, ...]
    times: Ints
    metrics: tuple[str, ...]
    values: Floats
    there: Bools
    texts: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def of(self, metric: str) -> Floats:
        """One metric: subjects × times; infinities count as missing."""
        column = self.values[:, :, self.metrics.index(metric)]
        return np.where(np.isfinite(column), column, np.nan)


@dataclass(frozen=True, slots=True)
class Input:
    """What a derived source is computed from: a source, and how many days before a reading it still looks at.

    `always` names subjects that are needed whoever is asked about, such as Bitcoin for everything relative to it.
    """

    source: str
    days: int = 0
    always: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a source is computed from others. The first input is its clock: a reading of it there is one here.

    `compute(panels, known, subjects, times)` gets a panel for each input, by its key, what is known of the subjects, the
    subjects and the times (ms) that are asked for, and returns their readings. `whole` sources are computed from all
    subjects of the clock at once: one reading a time about the market, or one of each subject where they are compared.
    """

    inputs: tuple[Input, ...]
    compute: Callable[[Mapping[str, Panel], Mapping[str, SubjectRow], Sequence[str], Ints], Batch]
    whole: bool = False


#: The subject of what is about no token or index.
MARKET: Final = "market"
#: What tokens are compared with.
BITCOIN: Final = "token:3375"


def split_source(name: str) -> tuple[str, str | None]:
    """(key, subject) of a source as a trigger names it: "daily_ohlcv", or "daily_ohlcv@token:3375" for one subject's."""
    key, _, subject = name.partition("@")
    return key, subject or None


@dataclass(frozen=True, slots=True)
class Source:
    """One upstream endpoint that is polled, or (`derivation`) what is computed from others.

    `cadence` is in milliseconds of market time. `selection` says how its rows are asked for: every page of it, by ids
    (at most `ids_per_call` a call), or one call for all. `metrics` is append-only: readings are packed in its order.
    `dated` sources put a date in `date_field`; others are dated by their slot. `ranged` ones take start and end dates.
    `page_param` names the page size (empty: not paged); `max_pages` ends the paging early. `v3_params` go with version 3 only.
    `rows(source, rows, slot, asked)` turns all decoded rows of a fetch into readings, given the slot that dates undated
    rows and, where `selection` is ids, the ids asked for ("5"); it raises UpstreamError where they cannot be trusted.
    `names` are the subjects that the rows describe. `lag` days of the newest are not asked for, as they are not whole yet.
    `by_plan` says whether the plan's look-back and withheld days apply.
    `plan` is the smallest plan that includes the endpoint; `gone` says why it cannot be polled at all any more.
    `max_age` (ms) is how old a reading may be where it stands beside another source's; None means two intervals or more.
    `weight` says how much it matters where the plan's calls, or time, are short: 2 for what people act on within the day (prices,
    signals, grades), 0.5 for what they read beside it, else 1. `always` matters most.
    """

    key: str
    label: str
    path: str
    subject: SubjectKind
    cadence: int
    selection: Literal["all_pages", "ids", "one"]
    metrics: tuple[Metric, ...]
    rows: Callable[[Source, Sequence[Mapping[str, Any]], int, str], Batch] = field(default=lambda *_: _not_polled())
    derivation: Derivation | None = None
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
    lag: int = 0
    by_plan: bool = True
    plan: str = "free"
    gone: str = ""
    max_age: int | None = None
    weight: float = 1.0

    @property
    def age(self) -> int:
        """The age in ms at which a reading is too old to stand beside another source's."""
        return max_gap(self.cadence) if self.max_age is None else self.max_age

    def column(self, metric: str) -> int:
        """The position of a metric in this source's readings; KeyError for an unknown one."""
        for position, known in enumerate(self.metrics):
            if known.name == metric:
                return position
        raise KeyError(metric)


def _not_polled() -> Batch:
    raise TypeError("a derived source is not polled")


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
class Kept:
    """On which side of a band a number is while a lasting condition is met: 1 is entered at `upper`, -1 at `lower`, and each
    is left where the other is entered.

    `what` is "source.metric"; `after` is how it is confirmed: those that are confirmed alike come and go together.
    """

    what: str
    after: tuple[float, ...]
    side: int
    upper: float
    lower: float

    def excludes(self, other: Kept) -> bool:
        """Whether both can never be so at once: whichever is entered, the other is left by then."""
        if (self.what, self.after) != (other.what, other.after) or self.side == other.side:
            return False
        above, below = (self, other) if self.side > 0 else (other, self)
        return below.lower <= above.lower and below.upper <= above.upper


@dataclass(frozen=True, slots=True)
class Case:
    """An example that doubles as a test: these options over these readings fire at these days (or nowhere).

    `readings` are (day, values): a day counts from 0, values are by metric name (a bare number means the first metric
    that the trigger names), or a text for sources that carry one. Values may also name "text", and what stands beside the
    clock: "source.metric", "source.text", "source.as_of" (a day; the reading's own where it is left out).
    `fires` maps a day to some of the payload's fields.
    """

    name: str
    options: Mapping[str, Any]
    readings: Sequence[tuple[float, Any]]
    fires: Mapping[float, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A kind of condition. See the folder `triggers` for what each part must do; the contract suite checks it.

    `sources(options)` names what must be polled; the first is the clock, the others stand beside it in the history.
    `scan` is pure: it returns the firings of a history, each at one of its as_of. `summary(fields)` is one sentence from
    the payload's own fields. `holds(history, options)` says at each reading whether a lasting condition is true: 1, 0, or
    -1 where that is not known; there is none, or it answers None, for what only happens. `keeps(options)` is what must be
    so while it is true, where that can be said of one number. `watch(options)` says what must happen to one of the clock's
    metrics before a rule can fire, so that a whole poll can be screened at once; none for what cannot be said so.
    `tell(log, options)` stands in for `scan` where events follow from the order in which readings became known: see
    `told_by`. `against(options)` is the subject that others are compared with, about which itself nothing can fire.
    `beside(options)` names sources that are polled with those it reads, where they can be had, so that the event's snapshot
    shows them. `more(event)` are fields of the payload that follow from the whole event, its snapshot included.
    `inside(options)` are the rules that options hold, each by its place in them; `held_from` is the semantics that a
    trigger had when rules could first hold it: see `semantics_of`. `presets` are options that people often ask for, by what
    they would call them; Zaps hold that name, so one that was published keeps it and what it stands for.
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
    holds: Callable[[History, Options], States | None] | None = None
    keeps: Callable[[Options], Kept | None] = lambda _: None
    watch: Callable[[Options], tuple[Condition, ...]] | None = None
    tell: Callable[[Log, Options], list[Told]] | None = None
    against: Callable[[Options], str | None] = lambda _: None
    beside: Callable[[Options], tuple[str, ...]] = lambda _: ()
    more: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda _: {}
    inside: Callable[[Options], Mapping[str, tuple[Trigger, Options]]] = lambda _: {}
    held_from: int = 1
    presets: Mapping[str, Options] = field(default_factory=dict)


def rules_in(trigger: Trigger, options: Options, inside: str = "") -> Iterator[tuple[str, Trigger, Options]]:
    """A rule, after all that its options hold, at any depth; each with what its options' names begin with in an error."""
    for place, (other, asked) in trigger.inside(options).items():
        yield from rules_in(other, asked, f"{inside}{place}.options.")
    yield inside, trigger, options


def semantics_of(trigger: Trigger, options: Options) -> int:
    """The semantics of a rule: its trigger's, and one more for each time that those of a rule inside it were raised.

    Semantics only ever rise, so that a rule's never come back to what they were, whichever of them is raised.
    """
    inside = trigger.inside(options).values()
    return trigger.semantics + sum(semantics_of(other, asked) - other.held_from for other, asked in inside)


def told_by(trigger: Trigger, options: Options, log: Log, stretches: Iterable[Epoch] | None = None) -> list[Told]:
    """The firings of a rule over a log, as they would have been told live, in the order they became known.

    `stretches` are the log's epochs where it was split already: they are the same for every rule.
    """
    if trigger.tell is not None:
        return trigger.tell(log, options)
    return tell(epochs(log) if stretches is None else stretches, lambda history: trigger.scan(history, options))


# -- channels --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Channel:
    """A kind of destination; pure. Secret fields of `config` carry metadata {"secret": True}.

    `render(messages, config)` makes one request of 1 to `limits.batch` messages; `verdict(reply)` says what an answer
    means. `hint(config)` is what may be shown of a destination.
    `manners` are the ways that a subscription can be told in, the usual one first: "each" event by itself, or "grouped" into
    digests where there are many, or as one "bundle" a poll. A notice that is older than `stale_after` (ms) goes as a digest
    that says so; None for never.
    `prepare(config)` is sent once before the first delivery (a header row). After an ambiguous answer, `probe(messages,
    config)` asks what arrived and `absent(reply, messages)` names the messages that did not. `signed` says that its requests
    are signed with keys of the destination's own, and that they can be rotated.
    """

    key: str
    label: str
    description: str
    config: type[Schema]
    render: Callable[[Sequence[Message], Mapping[str, Any]], HttpRequest | Mail]
    verdict: Callable[[Reply], Verdict]
    hint: Callable[[Mapping[str, Any]], str]
    limits: Limits = field(default_factory=Limits)
    manners: tuple[str, ...] = ("each",)
    stale_after: int | None = None
    prepare: Callable[[Mapping[str, Any]], HttpRequest] | None = None
    probe: Callable[[Sequence[Message], Mapping[str, Any]], HttpRequest] | None = None
    absent: Callable[[Reply, Sequence[Message]], list[Message]] | None = None
    signed: bool = False


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
