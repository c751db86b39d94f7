"""The product's Celery app in a process of the crash matrix: `celery -A tests.chaos.app worker`."""

from __future__ import annotations

from typing import Any

from celery.signals import worker_process_init

from tasks.app import app
from tests.chaos.points import install

__all__ = ["app"]
_follower = install()


@worker_process_init.connect
def _forked(**_: Any) -> None:
    """A thread does not outlive a fork."""
    _follower.follow()
