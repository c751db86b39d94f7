"""Everything in one process over memory://: the worker, and who wakes it. Told what to do by stdin, answers on stdout."""

from __future__ import annotations

import sys
import threading
import time

from integration.store.database import Database
from tasks.app import app
from tasks.work import drain, gradewire
from tests.benchmarks import seed


def measure(database: Database) -> None:
    """For each line that comes: wake the worker, and print the seconds until nothing is owed."""
    out = sys.stdout  # the worker puts its log in place of it
    for _line in sys.stdin:
        started = time.perf_counter()
        drain.delay()
        while seed.pending(database):
            time.sleep(0.02)
        print(time.perf_counter() - started, file=out, flush=True)
    app.control.shutdown()


def main() -> None:
    here = gradewire()
    threading.Thread(target=measure, args=(here.database,), daemon=True).start()
    app.Worker(pool="threads", concurrency=4, loglevel="ERROR", without_gossip=True, without_mingle=True, quiet=True).start()


if __name__ == "__main__":
    main()
