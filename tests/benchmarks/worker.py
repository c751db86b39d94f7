"""The product's Celery app, which trusts the benchmark's certificate (BENCH_CA) as if it were a public authority's."""

from __future__ import annotations

import os

import certifi

if "BENCH_CA" in os.environ:
    certifi.where = lambda: os.environ["BENCH_CA"]

from tasks.app import app

__all__ = ["app"]
