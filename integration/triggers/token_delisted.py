"""Fires when Token Metrics' coverage loses tokens: when three complete polls in a row do not have them.

A list that is only part of one delists nobody, however often it comes: see `_coverage`. All that are found gone by one
poll are one event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from integration.domain.catalogue import Case, Options, Trigger
from integration.domain.history import Firing, History
from integration.domain.numerals import Whole
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.triggers._coverage import GONE, CoveredToken, change_fields, changes, complete, lookback, polled, sources
from integration.triggers._options import TriggerOptions
from integration.triggers._snapshots import THE_MARKET, some


class DelistingOptions(TriggerOptions):
    """How sure one must be."""

    min_observations = Whole(
        load_default=GONE,
        validate=validate.Range(GONE, 30),
        metadata=described("Confirm For", "How many complete polls in a row must be without it; at least 3", unit="readings"),
    )


class GoneToken(CoveredToken):
    """A token that disappeared."""

    last_seen = fields.String(required=True, metadata=described("Last Seen", "The last complete poll that had it"))


class DelistingPayload(EventPayload):
    """What a poll found gone."""

    delisted = fields.List(fields.Nested(GoneToken), required=True, metadata=described("Delisted"))
    delisted_count = fields.Integer(required=True, metadata=described("Delisted Count"))
    delisted_symbols = fields.String(required=True, metadata=described("Delisted Symbols"))
    first_token_id = fields.Integer(required=True, metadata=described("First Token ID", "Of the first of the delisted tokens"))
    tokens = fields.Integer(required=True, metadata=described("Tokens", "How many are covered now"))


def scan(history: History, options: Options) -> list[Firing]:
    """Polls by which tokens are gone."""
    shown = complete(history)
    found = changes(history, shown, options, -1, options["min_observations"])
    firings = []
    for at, changed in found.items():
        rows = [
            {"token_id": change.token_id, "symbol": change.symbol, "last_seen": iso(int(shown.as_of[change.seen]))}
            for change in changed
        ]
        firings.append(Firing(int(shown.as_of[at]), change_fields("delisted", rows, len(shown.polls[at]))))
    return firings


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    return (
        f"Token Metrics no longer covers {some(event['delisted_symbols'])}: "
        f"{event['tokens']:,} tokens are left on {day_and_month(event['as_of'])}."
    )


_TIME = "2025-06-10T00:00:00Z"
_EXAMPLE = {
    "delisted": [{"token_id": 17528, "symbol": "GTC", "last_seen": "2025-06-07T00:00:00Z"}],
    "delisted_count": 1,
    "delisted_symbols": "GTC",
    "first_token_id": 17528,
    "tokens": 6011,
}


TRIGGER = Trigger(
    key="token_delisted",
    noun="Token Delisting",
    label="New Token Delisting",
    description="Triggers when Token Metrics no longer covers a token.",
    semantics=1,
    subject="market",
    options=DelistingOptions,
    payload=DelistingPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample("token_delisted", "New Token Delisting", THE_MARKET, _EXAMPLE, summary({**_EXAMPLE, "as_of": _TIME}), _TIME),
    fires=(
        Case(
            "three polls are without it",
            {},
            polled("abcd", "abc", "abc", "abc", "abc"),
            {3: {"delisted_symbols": "d", "first_token_id": 100, "tokens": 3}},
        ),
        Case(
            "two that are gone by the same poll are one event",
            {},
            polled("abcdefgh", "abcdef", "abcdef", "abcdef"),
            {3: {"delisted_count": 2, "delisted_symbols": "g, h"}},
        ),
        Case("a poll that was not whole counts for nothing", {}, polled("abcd", "abc", "", "abc", "abc"), {4: {"tokens": 3}}),
        Case("five polls are asked for", {"min_observations": 5}, polled("abcd", *["abc"] * 5), {5: {"delisted_count": 1}}),
        Case(
            "it comes back and goes again",
            {},
            polled("abcd", *["abc"] * 3, "abcd", *["abc"] * 3),
            {3: {"delisted_symbols": "d"}, 7: {"delisted_symbols": "d"}},
        ),
    ),
    silent=(
        Case("the first list", {}, polled("abcd")),
        Case("two polls are without it", {}, polled("abcd", "abc", "abc", "abcd")),
        Case("it is back in every third poll", {}, polled(*["abcd", "abc", "abc"] * 4)),
        Case("a part of the list", {}, polled("abcdef", "abc", "abcdef")),
        Case("only a part comes ever after", {}, polled("abcdef", *["abc"] * 9)),
        Case("too long a silence lies between", {}, [polled("abcd")[0], *((4 + day, polled("abc")[0][1]) for day in range(4))]),
    ),
)
