"""Fires when tokens begin to move together: when a cluster forms of which most were not together before.

A cluster is a group of the largest tokens that are linked, directly or through others, by a correlation of their daily
returns over 30 days. One is new if none of at least the minimum size, in any earlier snapshot of the look back, had more
than half of its members. All that form in one snapshot are one event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from integration.domain.catalogue import Case, Lookback, Options, Trigger
from integration.domain.delta import cool_down
from integration.domain.history import Firing, History, Ints
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.retry import DAY
from integration.triggers._levels import suppressed_field
from integration.triggers._moves import move_lookback
from integration.triggers._options import TriggerOptions, cooldown
from integration.triggers._snapshots import THE_MARKET, ListedToken, compared_since, some, stretches, symbols, texts

SOURCE = "clusters"
CORRELATIONS = (0.7, 0.8, 0.9)
#: Days over which returns are correlated.
WINDOW = 30


class ClusterOptions(TriggerOptions):
    """What a cluster is, and when it is new."""

    correlation = Number(
        load_default=0.8,
        validate=validate.OneOf(CORRELATIONS),
        metadata=described("Correlation", "How closely tokens must move together to be linked: 0.7, 0.8 or 0.9"),
    )
    min_size = Whole(
        load_default=5,
        validate=validate.Range(3, 100),
        metadata=described("Minimum Size", "How many tokens make a cluster", unit="tokens"),
    )
    look_back_days = Whole(
        load_default=30,
        validate=validate.Range(7, 90),
        metadata=described("New After", "For how many days most of its members must not have been together", unit="days"),
    )

    @validates_schema
    def _seen_before(self, options: dict[str, Any], **_: Any) -> None:
        if options["min_observations"] >= options["look_back_days"]:
            most = options["look_back_days"] - 1
            raise ValidationError(
                f"Must be less than look_back_days, which are compared with: use {most} at most.", "min_observations"
            )


class FormedCluster(Schema):
    """A cluster that formed."""

    cluster = fields.Integer(required=True, metadata=described("Cluster", "1 is the largest of this event"))
    size = fields.Integer(required=True, metadata=described("Size", unit="tokens"))
    symbols = fields.String(required=True, metadata=described("Symbols"))


class ClusterMember(ListedToken):
    """A token of a cluster."""

    cluster = fields.Integer(required=True, metadata=described("Cluster", "1 is the largest of this event"))


class ClusterPayload(EventPayload):
    """The clusters that formed in one snapshot."""

    correlation = fields.Float(required=True, metadata=described("Correlation", "At least this links two tokens"))
    window_days = fields.Integer(required=True, metadata=described("Window", "Days of returns that are correlated", unit="days"))
    clusters = fields.List(fields.Nested(FormedCluster), required=True, metadata=described("Clusters"))
    members = fields.List(fields.Nested(ClusterMember), required=True, metadata=described("Members", "Of all clusters"))
    clusters_count = fields.Integer(required=True, metadata=described("Clusters Count"))
    members_count = fields.Integer(required=True, metadata=described("Members Count"))
    largest_size = fields.Integer(required=True, metadata=described("Largest Size", unit="tokens"))
    largest_symbols = fields.String(required=True, metadata=described("Largest Symbols", "Members of the largest"))
    compared = fields.Integer(required=True, metadata=described("Compared", "How many tokens were compared"))
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Clusters of the largest tokens."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """A cluster is compared with those of the days before."""
    return move_lookback(options, 2, options["look_back_days"] * DAY)


Cluster = frozenset[int]


@dataclass(frozen=True, slots=True)
class Seen:
    """The clusters of at least the minimum size at each time (ms), the largest first; `since` is the first position that
    each may be compared with."""

    as_of: Ints
    clusters: Sequence[Sequence[Cluster]]
    since: Ints


def _seen(history: History, as_of: Ints, snapshots: Sequence[Any], options: Options) -> Seen:
    level, least = f"{options['correlation']:g}", options["min_size"]
    clusters = [[frozenset(part) for part in each["clusters"].get(level, ()) if len(part) >= least] for each in snapshots]
    begin = np.zeros(len(as_of), dtype=np.int64)
    for part in stretches(np.asarray([each["compared"] for each in snapshots], dtype=np.float64)):
        begin[part] = part.start
    since = compared_since(as_of, options["look_back_days"] * DAY, history.max_gap)
    return Seen(as_of, clusters, np.maximum(begin, since))


def _formed(seen: Seen, at: int, confirm: int) -> list[Cluster]:
    """The clusters that by a snapshot have been there for `confirm` snapshots, and were not before."""
    first, since = at - confirm + 1, int(seen.since[at])
    if first <= since:
        return []  # there is nothing before it
    return [
        cluster
        for cluster in seen.clusters[at]
        if all(_together(cluster, seen.clusters[k]) for k in range(first, at))
        and not any(_together(cluster, seen.clusters[k]) for k in range(since, first))
    ]


def _together(cluster: Cluster, others: Sequence[Cluster]) -> bool:
    """Whether one of the others has more than half of a cluster."""
    return any(2 * len(cluster & other) > len(cluster) for other in others)


def scan(history: History, options: Options) -> list[Firing]:
    """Snapshots in which clusters formed."""
    as_of, snapshots = texts(history)
    seen = _seen(history, as_of, snapshots, options)
    formed = {at: _formed(seen, at, options["min_observations"]) for at in range(len(as_of))}
    happened = [at for at, clusters in formed.items() if clusters]
    return [
        Firing(
            int(as_of[notice.at]),
            {**_fields(formed[notice.at], snapshots[notice.at], options), "suppressed_count": notice.suppressed},
        )
        for notice in cool_down(as_of, happened, cooldown(options), lambda _: True)
    ]


def _fields(formed: Sequence[Cluster], snapshot: Mapping[str, Any], options: Options) -> dict[str, Any]:
    lines, members = [], []
    for number, cluster in enumerate(formed, 1):
        words = {token: snapshot["tokens"][str(token)] for token in sorted(cluster)}
        rows = [{"cluster": number, "token_id": token, "name": name, "symbol": symbol} for token, (name, symbol) in words.items()]
        lines.append({"cluster": number, "size": len(cluster), "symbols": symbols(rows)})
        members += rows
    return {
        "correlation": options["correlation"],
        "window_days": WINDOW,
        "clusters": lines,
        "members": members,
        "clusters_count": len(lines),
        "members_count": len(members),
        "largest_size": lines[0]["size"],
        "largest_symbols": lines[0]["symbols"],
        "compared": int(snapshot["compared"]),
    }


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    count = event["clusters_count"]
    who = (
        f"{event['largest_size']} tokens" if count == 1 else f"{count} groups of tokens, the largest of {event['largest_size']},"
    )
    return (
        f"{who} began to move together (correlation from {event['correlation']:g} over {event['window_days']} days): "
        f"{some(event['largest_symbols'], 10)} on {day_and_month(event['as_of'])}."
    )


_TIME = "2025-06-10T00:00:00Z"
_WORDS = {3988: ("Solana", "SOL"), 4015: ("Avalanche", "AVAX"), 4348: ("NEAR Protocol", "NEAR"), 25383: ("Sui", "SUI")}
_EXAMPLE = {
    "correlation": 0.8,
    "window_days": WINDOW,
    "clusters": [{"cluster": 1, "size": 4, "symbols": "SOL, AVAX, NEAR, SUI"}],
    "members": [{"cluster": 1, "token_id": token, "name": name, "symbol": symbol} for token, (name, symbol) in _WORDS.items()],
    "clusters_count": 1,
    "members_count": 4,
    "largest_size": 4,
    "largest_symbols": "SOL, AVAX, NEAR, SUI",
    "compared": 187,
    "suppressed_count": 0,
}


def _days(*snapshots: str | None, level: str = "0.8", compared: int = 100) -> list[tuple[float, Any]]:
    """A snapshot a day from strings: "abc de" has two clusters. None is a day without one."""
    days: list[tuple[float, Any]] = []
    for day, snapshot in enumerate(snapshots):
        parts = [[ord(c) for c in part] for part in (snapshot or "").split()]
        words = {str(token): [chr(token), chr(token)] for part in parts for token in part}
        text = json.dumps({"compared": compared, "tokens": words, "clusters": {level: parts}})
        days.append((day, {"text": None if snapshot is None else text}))
    return days


TRIGGER = Trigger(
    key="cluster_formed",
    noun="Cluster",
    label="New Cluster",
    description="Triggers when tokens begin to move together.",
    semantics=1,
    subject="market",
    options=ClusterOptions,
    payload=ClusterPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample("cluster_formed", "New Cluster", THE_MARKET, _EXAMPLE, summary({**_EXAMPLE, "as_of": _TIME}), _TIME),
    fires=(
        Case(
            "tokens that were apart are a cluster",
            {"min_size": 3},
            _days("", "abc"),
            {1: {"clusters_count": 1, "largest_symbols": "a, b, c", "largest_size": 3, "compared": 100}},
        ),
        Case("one grows to the size that counts", {"min_size": 4}, _days("abc", "abcd"), {1: {"largest_size": 4}}),
        Case(
            "two form at once",
            {"min_size": 3},
            _days("xyz", "abcd efg xyz"),
            {1: {"clusters_count": 2, "members_count": 7, "largest_symbols": "a, b, c, d"}},
        ),
        Case("half of it was together before", {"min_size": 3}, _days("abc", "abcxyz"), {1: {"largest_size": 6}}),
        Case(
            "another level, a day later confirmed",
            {"min_size": 3, "correlation": 0.9, "min_observations": 2},
            _days("", "abc", "abcd", level="0.9"),
            {2: {"correlation": 0.9, "largest_size": 4}},
        ),
        Case("a day without clusters between", {"min_size": 3}, _days("", None, "abc"), {2: {"clusters_count": 1}}),
    ),
    silent=(
        Case("the first snapshot", {"min_size": 3}, _days("abc")),
        Case("it grows and shrinks", {"min_size": 3}, _days("abcd", "abcdef", "bcdef", "def")),
        Case("it was there a week ago", {"min_size": 3}, _days("abc", *[""] * 6, "abc")),
        Case("it is too small", {}, _days("", "abcd")),
        Case("one snapshot does not confirm", {"min_size": 3, "min_observations": 2}, _days("", "abc", "")),
        Case(
            "far more tokens are compared than before",
            {"min_size": 3},
            [_days("", compared=20)[0], *_days("", "abc", compared=100)[1:]],
        ),
        Case("too long a silence lies between", {"min_size": 3}, [_days("")[0], (4, _days("abc")[0][1])]),
    ),
)
