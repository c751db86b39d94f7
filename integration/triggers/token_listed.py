"""Fires when Token Metrics' coverage gains tokens.

The first list tells nothing, and neither does a list that was only part of one: see `_coverage`. A token that was away for
one or two polls was never gone; one that was gone and comes back is new again. All that a poll adds is one event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from integration.domain.catalogue import Case, Options, Trigger
from integration.domain.history import Firing, History
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.triggers._coverage import CoveredToken, change_fields, changes, complete, lookback, polled, sources
from integration.triggers._options import TriggerOptions
from integration.triggers._snapshots import THE_MARKET, some


class ListingPayload(EventPayload):
    """What a poll added."""

    listed = fields.List(fields.Nested(CoveredToken), required=True, metadata=described("Listed"))
    listed_count = fields.Integer(required=True, metadata=described("Listed Count"))
    listed_symbols = fields.String(required=True, metadata=described("Listed Symbols"))
    first_token_id = fields.Integer(required=True, metadata=described("First Token ID", "Of the first of the listed tokens"))
    tokens = fields.Integer(required=True, metadata=described("Tokens", "How many are covered now"))


def scan(history: History, options: Options) -> list[Firing]:
    """Polls that show new tokens."""
    shown = complete(history)
    found = changes(history, shown, options, 1)
    firings = []
    for at, changed in found.items():
        rows = [{"token_id": change.token_id, "symbol": change.symbol} for change in changed]
        firings.append(Firing(int(shown.as_of[at]), change_fields("listed", rows, len(shown.polls[at]))))
    return firings


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    return (
        f"Token Metrics began to cover {some(event['listed_symbols'])}: "
        f"{event['tokens']:,} tokens in all on {day_and_month(event['as_of'])}."
    )


_TIME = "2025-06-10T00:00:00Z"
_EXAMPLE = {
    "listed": [{"token_id": 36697, "symbol": "TMAI"}],
    "listed_count": 1,
    "listed_symbols": "TMAI",
    "first_token_id": 36697,
    "tokens": 6012,
}


TRIGGER = Trigger(
    key="token_listed",
    noun="Token Listing",
    label="New Token Listing",
    description="Triggers when Token Metrics begins to cover a token.",
    semantics=1,
    subject="market",
    options=TriggerOptions,
    payload=ListingPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample("token_listed", "New Token Listing", THE_MARKET, _EXAMPLE, summary({**_EXAMPLE, "as_of": _TIME}), _TIME),
    fires=(
        Case("a new token", {}, polled("abcd", "abcde"), {1: {"listed_symbols": "e", "first_token_id": 101, "tokens": 5}}),
        Case("two at once are one event", {}, polled("abcdef", "abcdefgh"), {1: {"listed_count": 2, "listed_symbols": "g, h"}}),
        Case("one that is gone and comes back", {}, polled("abcd", "abc", "abc", "abc", "abcd"), {4: {"listed_symbols": "d"}}),
        Case("a poll that was not whole is passed over", {}, polled("abcd", "", "abcde"), {2: {"listed_symbols": "e"}}),
        Case("confirmed by a second poll", {"min_observations": 2}, polled("abcd", "abcde", "abcde"), {2: {"listed_count": 1}}),
        Case("another takes its place", {}, polled("abcd", "abce"), {1: {"listed_symbols": "e"}}),
    ),
    silent=(
        Case("the first list", {}, polled("abcd")),
        Case("one is away for two polls", {}, polled("abcd", "abc", "abc", "abcd")),
        Case("a part of the list and then all of it", {}, polled("abcdef", "abc", "abcdef")),
        Case("what was listed before was only a part", {}, polled("abc", "abcdef")),
        Case("one poll does not confirm", {"min_observations": 2}, polled("abcd", "abcde", "abcd")),
        Case("too long a silence lies between", {}, [polled("abcd")[0], (4, polled("abcde")[0][1])]),
    ),
)
