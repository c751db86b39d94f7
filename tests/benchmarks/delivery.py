"""How fast deliveries are made, beside the tutorial design in the same run: `python -m tests.benchmarks.delivery --json`.

Real Celery workers, real tables, a real sink (nginx, answering at once), everything on that a user has: the limits of the
destinations too, at 1,000 requests a second each. Durable means that the outcome and the attempt are committed; the sink's
own count must agree. `sqlite` and `postgresql` are two worker processes over Redis, `embedded` is SQLite and memory:// in one
process. Figures are medians of rounds; ratios are taken within a round. `ratio` is to the tutorial design, `limit_share` to
the barest code that makes durable deliveries (`limit.py`); the other parts are described where they are (`parts.py`).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.machine import Sizes, machine
from tests.benchmarks.parts import PARTS


def measure(sizes: Sizes, rounds: int, chosen: Sequence[str], *, together: bool = False) -> dict[str, list[float]]:
    """Every figure of every round, by part and name. Each part has servers of its own, so that none is measured beside what
    another left to be tidied up; `together` they share them, which is quicker and less exact."""
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for parts in [chosen] if together else [[part] for part in chosen]:
            with machine(sizes, postgresql=any(part != "sqlite" for part in parts)) as here:
                for part in parts:
                    figures = PARTS[part](here)
                    told = ", ".join(f"{name} {figure:,.2f}" for name, figure in figures.items())
                    print(f"round {number}, {part}: {told}", flush=True)
                    for name, figure in figures.items():
                        found[f"{part}.{name}"].append(figure)
    return found


def summary(found: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """The line that others read."""
    median = {name: statistics.median(figures) for name, figures in found.items()}
    told: dict[str, Any] = {}
    for mode, place in (("postgresql", "postgresql"), ("sqlite", "sqlite"), ("embedded", "sqlite.embedded")):
        if f"{place}.ratio" in median:
            told[mode] = {
                "per_second": round(median[f"{place}.per_second"]),
                "ratio": round(median[f"{place}.ratio"], 1),
                "limit_share": round(median[f"{place}.limit_share"], 2),
            }
    for part, name, digits in (("tls", "ratio", 1), ("latency", "share", 2), ("hanging", "share", 2)):
        if f"{part}.{name}" in median:
            told[part] = {name: round(median[f"{part}.{name}"], digits)}
    if "idle.p99_ms" in median:
        told["idle_p99_ms"] = round(median["idle.p99_ms"], 1)
    if "growth.times" in median:
        told["growth"] = round(median["growth.times"], 2)
    memory = [max(figures) for name, figures in found.items() if name.endswith(".worker_mb")]
    return told | ({"worker_mb": round(max(memory))} if memory else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=list(PARTS), help="parts to run")
    parser.add_argument(
        "--deliveries", type=int, default=120_000, help="deliveries of ours: as many as take as long as those compared"
    )
    parser.add_argument("--compared", type=int, default=1_500, help="deliveries by the tutorial design")
    parser.add_argument("--backlog", type=int, default=1_000_000, help="due rows in the long queue")
    parser.add_argument("--samples", type=int, default=200, help="events that are sent one at a time")
    parser.add_argument("--together", action="store_true", help="the same servers for all parts: to try it out")
    given = parser.parse_args()
    sizes = Sizes(given.deliveries, given.compared, given.backlog, given.samples)
    result = summary(measure(sizes, given.rounds, given.only, together=given.together))
    print(json.dumps(result) if given.json else result)


if __name__ == "__main__":
    main()
