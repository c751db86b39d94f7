"""A drain in steps: for each number on stdin, make so many deliveries and print the seconds that took."""

from __future__ import annotations

import sys
import time

from integration.service.deliver import drain
from integration.service.ways import ways_of
from tasks.work import gradewire


def main() -> None:
    here = gradewire()
    ways = ways_of(here)
    for line in sys.stdin:
        began = time.perf_counter()
        drain(here.database, ways, now=here.now, limit=int(line))
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main()
