"""Against the sandbox: every source in both versions, and what its faults lead to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from integration.domain.errors import BudgetSpent, UpstreamError, UpstreamRefused
from integration.domain.retry import DAY
from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings
from integration.sources import load
from integration.tokenmetrics.asks import Version
from integration.tokenmetrics.client import Fetched
from tests.tokenmetrics.recorder import Around

SOURCES = {key: source for key, source in load().items() if source.derivation is None}
TODAY = date(2024, 1, 1)
SLOT = 19_723 * DAY
TOKENS = 230
TOKENS_ASKED = ("tm_grade", "hourly_signals", "prices", "hourly_ohlcv")
IDS = {key: [3375, 3306] for key in TOKENS_ASKED} | {"indices_holdings": [1, 6], "indices_performance": [1, 6]}
#: What version 3 has other figures in the place of.
ONLY_V2 = {"trading_signals": ("tm_trader_grade", "tm_investor_grade")}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    settings = SandboxSettings(tokens=TOKENS, paused=True, start=TODAY, calls_per_minute=100_000)
    with RunningSandbox(settings) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: RunningSandbox) -> Iterator[RunningSandbox]:
    yield running
    running.sandbox.faults.clear()


def fetch(sandbox: RunningSandbox, key: str, version: Version = "v2", around: Around | None = None, **what: Any) -> Fetched:
    client = (around or Around(time=SLOT)).client(version, sandbox.url, SANDBOX_KEY)
    return client.fetch(SOURCES[key], slot=SLOT, **{"ids": IDS.get(key), **what})


@pytest.mark.parametrize("key", SOURCES)
def test_both_versions_give_equal_readings_and_names(sandbox: RunningSandbox, key: str) -> None:
    two, three = fetch(sandbox, key, "v2"), fetch(sandbox, key, "v3")
    assert two.names == three.names
    assert two.batch.subjects == three.batch.subjects
    assert two.batch.texts == three.batch.texts
    np.testing.assert_array_equal(two.batch.as_of, three.batch.as_of)
    missing = [SOURCES[key].column(metric) for metric in ONLY_V2.get(key, ())]
    assert np.isnan(three.batch.values[:, missing]).all()
    np.testing.assert_array_equal(*(np.delete(each.batch.values, missing, axis=1) for each in (two, three)))
    assert (two.batch.rows or len(two.batch.subjects)) >= 2
    if SOURCES[key].metrics:
        assert np.isfinite(two.batch.values).any(axis=0)[0]


@pytest.mark.parametrize("key", ["tokens", "quantmetrics", "top_market_cap"])
def test_every_token_is_read_over_all_pages(sandbox: RunningSandbox, key: str) -> None:
    fetched = fetch(sandbox, key)
    subjects = {name.subject for name in fetched.names} or set(fetched.batch.subjects)
    assert len(subjects) == TOKENS
    assert fetched.calls == 3


def test_dated_rows_of_some_tokens_over_two_months(sandbox: RunningSandbox) -> None:
    fetched = fetch(sandbox, "trader_grades", ids=[3306, 3375], start=TODAY - timedelta(59))
    assert sorted(fetched.batch.as_of.tolist()) == [day for day in range(SLOT - 59 * DAY, SLOT + 1, DAY) for _ in range(2)]
    assert set(fetched.batch.subjects) == {"token:3306", "token:3375"}
    assert fetched.calls == 3


@pytest.mark.parametrize("kind", ["cut_off", "not_json", "wrong_envelope", "server_error", "rate_limited", "rate_limited_bare"])
@pytest.mark.parametrize("key", ["quantmetrics", "indices_holdings"])
def test_a_fault_that_passes_leaves_no_trace(sandbox: RunningSandbox, key: str, kind: str) -> None:
    before = fetch(sandbox, key).batch
    sandbox.sandbox.faults.add(kind, times=1)
    after = fetch(sandbox, key)
    np.testing.assert_array_equal(after.batch.values, before.values)
    assert after.batch.texts == before.texts
    assert sandbox.sandbox.faults.report() == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("cut_off", UpstreamError),
        ("not_json", UpstreamError),
        ("wrong_envelope", UpstreamError),
        ("success_false", UpstreamError),
        ("server_error", UpstreamError),
        ("unauthorized", UpstreamRefused),
        ("forbidden", UpstreamRefused),
        ("rate_limited", BudgetSpent),
    ],
)
@pytest.mark.parametrize("key", SOURCES)
def test_a_fault_that_stays_fails_the_fetch(sandbox: RunningSandbox, key: str, kind: str, error: type[UpstreamError]) -> None:
    sandbox.sandbox.faults.add(kind)
    around = Around(time=SLOT)
    with pytest.raises(error) as caught:
        fetch(sandbox, key, around=around)
    assert type(caught.value) is error
    assert around.taken == len(around.calls) <= 3
    assert all(call["error"] for call in around.calls)


@pytest.mark.parametrize("kind", ["short_page", "missing_tokens", "nulls"])
def test_nothing_is_concluded_from_an_index_of_which_part_is_missing(sandbox: RunningSandbox, kind: str) -> None:
    sandbox.sandbox.faults.add(kind, value=0.5)
    with pytest.raises(UpstreamError, match="incomplete"):
        fetch(sandbox, "indices_holdings", ids=[6])


@pytest.mark.parametrize("key", ["trader_grades", "quantmetrics", "indices", "indices_holdings"])
def test_numbers_as_texts_are_the_same_numbers(sandbox: RunningSandbox, key: str) -> None:
    before = fetch(sandbox, key).batch
    sandbox.sandbox.faults.add("strings")
    after = fetch(sandbox, key).batch
    assert after.subjects == before.subjects
    np.testing.assert_array_equal(after.values, before.values)


def test_nulls_are_missing_numbers(sandbox: RunningSandbox) -> None:
    sandbox.sandbox.faults.add("nulls")
    batch = fetch(sandbox, "trader_grades").batch
    assert len(batch.subjects) > 0
    assert np.isnan(batch.values).all()
