"""The product's one process in the crash matrix: `python -m tests.chaos.up`."""

from __future__ import annotations

from integration.cli import main
from tests.chaos.points import install

if __name__ == "__main__":
    install()
    main(["up"])
