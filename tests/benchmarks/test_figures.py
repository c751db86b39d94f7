"""The benchmarks run, count what they claim to count, and end with the line that others read. Not how fast they are."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import servers
from tests.benchmarks.delivery import summary
from tests.conftest import absent

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _programs() -> None:
    for name in ("initdb", "postgres", "redis-server", "nginx"):
        try:
            servers.program(name)
        except servers.Missing as missing:
            absent(str(missing))


def last_line(*command: str) -> dict[str, dict[str, float]]:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_feed_benchmark_ends_with_its_figures() -> None:
    sizes = ("--events=4000", "--few=1000", "--rounds=1", "--seconds=0.3")
    found = last_line("tests.benchmarks.feed", "--json", *sizes)
    assert set(found) == {"slowdown", "share_of_hello", "share_of_hello_304"}
    assert all(figure > 0 for figure in found.values())


def test_the_delivery_benchmark_ends_with_its_figures() -> None:
    sizes = ("--together", "--rounds=1", "--deliveries=300", "--compared=6", "--backlog=1200", "--samples=3")
    parts = ("sqlite", "tls", "latency", "growth")  # what these start, the others start too
    found = last_line("tests.benchmarks.delivery", "--json", *sizes, "--only", *parts)
    assert set(found) == {"sqlite", "embedded", "tls", "latency", "growth", "worker_mb"}
    for kind in ("sqlite", "embedded"):
        assert found[kind]["per_second"] > 0
        assert found[kind]["ratio"] > 0
    assert found["growth"] > 0
    assert found["worker_mb"] > 0
    assert found["tls"]["ratio"] > 0
    assert found["latency"]["share"] > 0


def test_every_figure_of_the_delivery_benchmark_is_in_its_last_line() -> None:
    places, figures = ("postgresql", "sqlite", "sqlite.embedded"), ("per_second", "ratio", "limit_share")
    rates = {f"{place}.{figure}": [1.0] for place in places for figure in figures}
    others = ("postgresql.worker_mb", "tls.ratio", "latency.share", "hanging.share", "idle.p99_ms", "growth.times")
    found = summary(rates | {name: [3.0, 1.0, 2.0] for name in others})
    assert list(found) == [
        "postgresql", "sqlite", "embedded", "tls", "latency", "hanging", "idle_p99_ms", "growth", "worker_mb",
    ]  # fmt: skip
    assert (found["idle_p99_ms"], found["worker_mb"], found["tls"]) == (2.0, 3, {"ratio": 2.0})


def test_the_transport_benchmark_ends_with_its_figures() -> None:
    found = last_line("tests.benchmarks.transport", "--json", "--rounds=1", "--seconds=0.2")
    assert set(found) == {"prompt", "late", "hanging", "tls"}
    assert found["prompt"]["many_hosts"] > 0
    assert all(group[name] > 0 for group in found.values() for name in group if name.endswith("cpu_us"))


def test_the_limit_of_the_machine_ends_with_its_figures() -> None:
    found = last_line("tests.benchmarks.limit", "--json", "--deliveries=600")
    assert set(found) == {"sqlite", "postgresql"}
    assert all(figures["deliveries"] > 0 and figures["database"] > 0 for figures in found.values())


def test_the_backtest_benchmark_ends_with_its_figures() -> None:
    found = last_line("tests.benchmarks.backtest", "--json", "--rounds=1", "--tokens=20")
    assert set(found) == {"one_token_ms", "one_token_hourly_ms", "thousand_tokens_s"}
    assert all(isinstance(figure, float) and figure > 0 for figure in found.values())


def test_the_tick_benchmark_finds_what_the_plain_loop_finds_and_ends_with_its_figures() -> None:
    found = last_line("tests.benchmarks.tick", "--json", "--scale=0.02")
    steps = {"screen_ms", "detect_ms", "fanout_ms", "write_ms", "total_ms", "screen_ms_100k_subs", "memory_mb"}
    assert steps | {"ratio_to_plain_loop"} <= set(found)
    assert found["firings"]


def test_the_benchmark_of_scrapes_ends_with_its_figures() -> None:
    found = last_line("tests.benchmarks.watching", "--json", "--deliveries=1000")
    assert set(found) == {"sqlite", "postgresql"}
    for figures in found.values():
        assert set(figures) == {f"{state}_{which}_ms" for state in ("due", "settled") for which in ("first", "again")}


def test_the_benchmark_of_pruning_ends_with_its_figures() -> None:
    found = last_line(
        "tests.benchmarks.pruning", "--json", "--deliveries=400", "--attempts=40000", "--pairs=1", "--kinds", "sqlite"
    )
    assert found["sqlite"]["share"] > 0
    assert found["sqlite"]["pruned_per_second"] > 0
