"""How often a law is tried: `make test` takes a share of the examples, `make thorough` all of them."""

from __future__ import annotations

import os

from hypothesis import settings

#: The share that is taken where time matters; what fails once is kept by hypothesis and tried again each time.
SHARE = 1.0 if os.environ.get("THOROUGH") else 0.25
FEWEST = 15


def examples(most: int) -> settings:
    """Settings for a law that is worth so many examples."""
    return settings(max_examples=max(min(most, FEWEST), round(most * SHARE)), deadline=None)
