"""The whole crash matrix while 50,000 deliveries run: `make chaos`. It writes docs/crashes.md."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack

from tests.chaos.cases import Case, Result, matrix, run
from tests.chaos.faults import may_mount
from tests.chaos.page import PAGE, page
from tests.chaos.scene import Scene

PATIENCE_S = 240.0
HOOKS = 650


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--hooks", type=int, default=HOOKS, help="each is owed 77 events; fewer than this are not put on the page"
    )
    parser.add_argument("--only", nargs="+", default=[], help="only cases whose names hold all of these")
    given = parser.parse_args()
    chosen = [case for case in matrix() if all(word in case.name for word in given.only)]
    if not may_mount() and any("file system" in case.fault.name for case in chosen):
        sys.exit("Mounting a small file system needs the right to; run this as root, e.g. in a container.")
    results: dict[Case, Result] = {}
    started = time.monotonic()
    with ExitStack() as stack:
        scene = Scene(stack, given.hooks)
        print(f"{len(chosen)} cases, {len(scene.expected):,} deliveries each", flush=True)
        for case in chosen:
            results[case] = result = run(scene, case, PATIENCE_S)
            print(f"{case.name}: {result}", flush=True)
    if given.hooks >= HOOKS:
        before = PAGE.read_text(encoding="utf-8") if given.only and PAGE.exists() else ""
        PAGE.write_text(page(results, before), encoding="utf-8")
    print(f"{len(results)} cases in {time.monotonic() - started:.0f} s: nothing was lost.")


if __name__ == "__main__":
    main()
