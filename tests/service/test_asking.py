"""What people ask for becomes one canonical rule and scope, or an error that names the field and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from integration.domain.catalogue import Batch, SubjectRow
from integration.domain.errors import InvalidInput
from integration.domain.scope import Scope
from integration.service import asking
from integration.service.observe import observe, store_batch
from integration.store.database import Database
from tests.service.script import START, Script, script

NAMES = [
    SubjectRow("token:3375", "token", "Bitcoin", "BTC", ("store-of-value",), ("kraken",)),
    SubjectRow("token:3306", "token", "Ethereum", "ETH", ("chain:ethereum",)),
    SubjectRow("token:1", "token", "Twin", "TWIN"),
    SubjectRow("token:2", "token", "Twin Two", "TWIN"),
    SubjectRow("token:3988", "token", "Solana", "SOL", market_rank=5),
    SubjectRow("token:20613", "token", "Wrapped Solana", "SOL", market_rank=50),
    SubjectRow("token:7", "token", "Close", "NEAR", market_rank=30),
    SubjectRow("token:8", "token", "Closer", "NEAR", market_rank=31),
]

INDICES = [SubjectRow("index:6", "index", "Top 25", "SBX25"), SubjectRow("index:7", "index", "Momentum", "SBXM")]


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        made.upstream.names = {"tokens": NAMES, "indices": INDICES}
        for source in ("tokens", "indices"):
            observe(made.gradewire, made.catalogue.sources[source])
        yield made


def scope(here: Script, trigger: str = "sharpe_threshold", **raw: Any) -> Scope:
    with here.gradewire.database.read() as connection:
        return asking.scope_of(here.gradewire, connection, asking.ask(here.gradewire, trigger, {}), raw)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        ({}, Scope()),
        ({"tokens": "btc,3306"}, Scope("tokens", (3306, 3375))),
        ({"tokens": ["Ethereum", 3375, "ETH"]}, Scope("tokens", (3306, 3375))),
        ({"tokens": "sol"}, Scope("tokens", (3988,))),  # ten times as high a rank as the other's
        ({"category": "chain:ethereum"}, Scope("category", slug="chain:ethereum")),
        ({"exchange": "kraken"}, Scope("exchange", slug="kraken")),
        ({"top": "10"}, Scope("top", n=10)),
        ({"top": 10.0}, Scope("top", n=10)),
        ({"top": "10.0"}, Scope("top", n=10)),
    ],
)
def test_a_scope_has_one_form(here: Script, raw: dict[str, Any], wanted: Scope) -> None:
    assert scope(here, **raw) == wanted
    assert Scope.parse(wanted.text) == wanted


def test_an_index_rule_takes_indices(here: Script) -> None:
    assert scope(here, "index_ranking", indices="sbx25") == Scope("indices", (6,))
    assert scope(here, "index_ranking") == Scope()


@pytest.mark.parametrize(
    ("raw", "field", "text"),
    [
        ({"tokens": "BTX"}, "tokens", "Unknown token"),
        ({"tokens": "TWIN"}, "tokens", "Twin = 1, Twin Two = 2"),
        ({"tokens": "9" * 5000}, "tokens", "Unknown token"),
        ({"tokens": "\x00"}, "tokens", ""),
        ({"tokens": ""}, "tokens", "leave it out to watch all"),
        ({"tokens": []}, "tokens", "leave it out to watch all"),
        ({"tokens": " , "}, "tokens", "Name 1 to 200"),
        ({"tokens": ",".join(["BTC"] * 201)}, "tokens", "Name 1 to 200"),
        ({"category": "store-of-valu"}, "category", "Did you mean store-of-value?"),
        ({"exchange": "nowhere"}, "exchange", "Unknown exchange"),
        ({"top": "0"}, "top", "1 to 1000"),
        ({"top": "ten"}, "top", "1 to 1000"),
        ({"indices": "6"}, "indices", "use tokens or category"),
        ({"tokens": "BTC", "top": 5}, "top", "not several"),
        ({"chain": "ethereum"}, "chain", "Unknown scope"),
        ({"tokens": "NEAR"}, "tokens", "give the id: Close = 7, Closer = 8"),
    ],
)
def test_a_scope_that_cannot_be_is_refused(here: Script, raw: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        scope(here, **raw)
    assert raised.value.field == field
    assert text in raised.value.message


@pytest.mark.parametrize(
    ("trigger", "options", "field", "text"),
    [
        ("sharpe_treshold", {}, "trigger", "Did you mean sharpe_threshold?"),
        ("sharpe_threshold", {"levl": 1}, "levl", "Did you mean level?"),
        ("sharpe_threshold", {"level": "much"}, "level", "level: "),
        ("sharpe_threshold", {"level": "nan"}, "level", "level: "),
        ("sharpe_threshold", {"direction": "sideways"}, "direction", "direction: "),
    ],
)
def test_a_rule_that_cannot_be_is_refused(here: Script, trigger: str, options: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        asking.ask(here.gradewire, trigger, options)
    assert raised.value.field == field
    assert text in raised.value.message


def test_options_that_mean_the_same_are_one_rule(here: Script) -> None:
    ways: list[dict[str, Any]] = [{}, {"level": "1"}, {"hysteresis": ".05"}, {"cooldown_hours": 6.0, "min_observations": 1}]
    ways += [{"cooldown_hours": "6"}, {"min_observations": 1.0}, {"min_observations": "1.0"}, {"level": " 1e0 "}]
    assert len({asking.ask(here.gradewire, "sharpe_threshold", options).id for options in ways}) == 1
    assert (
        asking.ask(here.gradewire, "sharpe_threshold", {"level": 2}).id != asking.ask(here.gradewire, "sharpe_threshold", {}).id
    )


def test_more_tokens_than_may_be_watched_one_by_one_are_refused_rather_than_left_out(here: Script) -> None:
    here.gradewire.settings = here.gradewire.settings.replace(watched_tokens=2)

    def named(tokens: str) -> Scope:
        with here.gradewire.database.read() as connection:
            rule = asking.ask(here.gradewire, "grade_changed", {"grade": "tm"})
            return asking.scope_of(here.gradewire, connection, rule, {"tokens": tokens})

    assert named("BTC,ETH").ids == (3306, 3375)
    with pytest.raises(InvalidInput, match=r"1 too many.*GRADEWIRE_WATCHED_TOKENS") as refused:
        named("BTC,ETH,1")
    assert refused.value.field == "tokens"
    here.subscribed("grade_changed", {"tokens": "BTC,ETH"}, grade="tm")
    assert named("ETH").ids == (3306,)
    with pytest.raises(InvalidInput, match="1 too many"):
        named("1")


@pytest.mark.parametrize(
    ("trigger", "options", "field", "says"),
    [
        ("sector_breakout", {"category": "store-of-valu"}, "category", "Did you mean store-of-value?"),
        (
            "all_of",
            {"conditions": [{"trigger": "grade_changed"}, {"trigger": "sector_breakout", "options": {"category": "nope"}}]},
            "conditions.1.options.category",
            "Unknown category 'nope'.",
        ),
        (
            "data_corrected",
            {"of": {"trigger": "sector_breakout", "options": {"category": "nope"}}},
            "of.options.category",
            "Unknown category 'nope'.",
        ),
        ("index_performance", {"against": "index", "against_index": 77}, "against_index", "Unknown index '77'."),
    ],
)
def test_an_option_that_names_what_is_not_known_is_refused(
    here: Script, trigger: str, options: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(says)) as refused, here.gradewire.database.read() as connection:
        asking.scope_of(here.gradewire, connection, asking.ask(here.gradewire, trigger, options), {})
    assert refused.value.field == field


RELATIVE, CORRELATED = {"trigger": "btc_relative"}, {"trigger": "risk_threshold", "options": {"metric": "correlation"}}
GRADED: dict[str, Any] = {"trigger": "grade_threshold", "options": {"preset": "moonshot"}}


def fit(here: Script, trigger: str, options: dict[str, Any], **scope: Any) -> Scope:
    with here.gradewire.database.read() as connection:
        return asking.scope_of(here.gradewire, connection, asking.ask(here.gradewire, trigger, options), scope)


@pytest.mark.parametrize(
    ("trigger", "options", "says"),
    [
        ("btc_relative", {}, "This compares with Bitcoin, which never moves against itself: name other tokens"),
        ("sharpe_threshold", {"relative_to_btc": True}, "This compares with Bitcoin"),
        ("risk_threshold", {"metric": "correlation", "window": "30d"}, "This compares with Bitcoin"),
        ("risk_threshold", {"metric": "beta"}, "This compares with Bitcoin"),
        ("data_corrected", {"of": RELATIVE}, "of compares with Bitcoin"),
        ("all_of", {"conditions": [GRADED, CORRELATED]}, "conditions.1 compares with Bitcoin"),
        ("all_of", {"conditions": [CORRELATED, GRADED]}, "conditions.0 compares with Bitcoin"),
        (
            "data_corrected",
            {"of": {"trigger": "all_of", "options": {"conditions": [RELATIVE, GRADED]}}},
            "of.options.conditions.0 compares with Bitcoin",
        ),
    ],
)
def test_bitcoin_alone_is_not_compared_with_itself(here: Script, trigger: str, options: dict[str, Any], says: str) -> None:
    for named in ("BTC", [3375], "3375,BTC"):
        with pytest.raises(InvalidInput, match=re.escape(says)) as refused:
            fit(here, trigger, options, tokens=named)
        assert refused.value.field == "tokens"
    assert fit(here, trigger, options, tokens="BTC,ETH").ids == (3306, 3375)
    assert fit(here, trigger, options, tokens="ETH").ids == (3306,)
    assert fit(here, trigger, options) == Scope()


@pytest.mark.parametrize(
    ("trigger", "options"),
    [("sharpe_threshold", {}), ("risk_threshold", {}), ("all_of", {"conditions": [GRADED, {"trigger": "risk_threshold"}]})],
)
def test_bitcoin_is_watched_where_it_is_not_compared(here: Script, trigger: str, options: dict[str, Any]) -> None:
    assert fit(here, trigger, options, tokens="BTC").ids == (3375,)


def test_an_index_alone_is_not_compared_with_itself(here: Script) -> None:
    options = {"against": "index", "against_index": 6}
    for trigger, asked in (
        ("index_performance", options),
        ("data_corrected", {"of": {"trigger": "index_performance", "options": options}}),
    ):
        with pytest.raises(InvalidInput, match="compares with Top 25, which never moves against itself: name other") as refused:
            fit(here, trigger, asked, indices="6")
        assert refused.value.field == "indices"
    assert fit(here, "index_performance", options, indices="6,7").ids == (6, 7)
    assert fit(here, "index_performance", options, indices="7").ids == (7,)
    assert fit(here, "index_performance", options) == Scope()


def test_a_name_that_is_not_known_is_found_where_it_was_asked_for(here: Script) -> None:
    """Conditions are kept in an order of their own."""
    unknown = {"trigger": "sector_breakout", "options": {"category": "nope"}}
    for conditions in ([unknown, GRADED], [GRADED, unknown], [GRADED, CORRELATED, unknown]):
        with pytest.raises(InvalidInput) as refused:
            fit(here, "all_of", {"conditions": conditions})
        assert refused.value.field == f"conditions.{conditions.index(unknown)}.options.category"


def hold(here: Script, coins: dict[int, float]) -> None:
    """Let indices be said to hold so many tokens."""
    source = here.catalogue.sources["indices"]
    values = np.full((len(coins), len(source.metrics)), np.nan)
    values[:, source.column("coins")] = list(coins.values())
    subjects, times = [f"index:{number}" for number in coins], np.full(len(coins), START, dtype=np.int64)
    with here.gradewire.database.write() as connection:
        store_batch(connection, source, Batch(subjects, times, values, [None] * len(coins)), None, now=START)


def test_what_an_empty_index_holds_is_not_watched(here: Script) -> None:
    assert fit(here, "index_ranking", {}, indices="6").ids == (6,)  # nobody has said yet what it holds
    hold(here, {6: 0, 7: 12})
    for trigger, options in (
        ("index_ranking", {}),
        ("index_rebalanced", {}),
        ("data_corrected", {"of": {"trigger": "index_ranking"}}),
    ):
        with pytest.raises(InvalidInput, match="Top 25 holds nothing: name an index that does") as refused:
            fit(here, trigger, options, indices="6")
        assert refused.value.field == "indices"
        assert fit(here, trigger, options, indices="6,7").ids == (6, 7)
    assert fit(here, "index_performance", {}, indices="6").ids == (6,)
    assert fit(here, "index_ranking", {"rank_of": "indices"}, indices="6").ids == (6,)
