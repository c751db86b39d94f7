"""What a scrape of /metrics costs with a million deliveries: `python -m tests.benchmarks.watching --json`.

`first_ms` is the first scrape, which counts every row; `again_ms` one a moment later, which does not; once with all deliveries
settled, once with all of them due.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from flask.testing import FlaskClient
from sqlalchemy import text

from integration.config import load
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.secrets import Vault
from integration.web import create_app
from tests import servers
from tests.benchmarks import seed


@contextmanager
def databases(folder: Path, kinds: list[str]) -> Iterator[dict[str, str]]:
    """Where to find an empty database of each kind."""
    with ExitStack() as stack:
        urls = {"sqlite": f"sqlite:///{folder}/bench.db"}
        if "postgresql" in kinds:
            urls["postgresql"] = stack.enter_context(servers.postgresql(durable=True))
        yield {kind: urls[kind] for kind in kinds}


def settle(fresh: Database) -> None:
    """All that is owed was delivered."""
    with fresh.write() as connection:
        connection.execute(text("UPDATE delivery SET state = 1, attempts = 1, done_at = created_at"))
    if not fresh.is_sqlite:
        with fresh.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE delivery"))


def scrape(client: FlaskClient) -> float:
    """Milliseconds that one takes."""
    began = time.perf_counter()
    answer = client.get("/metrics")
    assert b"gradewire_database_up 1" in answer.data, answer.data
    return round((time.perf_counter() - began) * 1000, 1)


def measure(url: str, count: int) -> dict[str, float]:
    """The figures of one database."""
    key, found = Fernet.generate_key().decode(), dict[str, float]()
    with seed.database(url, "http://127.0.0.1:9", key) as fresh:
        here = Gradewire(load({"GRADEWIRE_PUBLIC_URL": "http://localhost"}), fresh, Vault([key]))
        seed.owe(fresh, count)
        for state in ("due", "settled"):
            if state == "settled":
                settle(fresh)
            client = create_app(here).test_client()
            client.get("/healthz")
            found |= {f"{state}_first_ms": scrape(client), f"{state}_again_ms": scrape(client)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--kinds", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gw-bench-") as folder, databases(Path(folder), given.kinds) as urls:
        result = {kind: measure(url, given.deliveries) for kind, url in urls.items()}
    print(json.dumps(result) if given.json else result)


if __name__ == "__main__":
    main()
