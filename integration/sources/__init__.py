"""One file = one source. The catalogue is this folder's listing."""

from __future__ import annotations

import sys

from integration.domain.catalogue import Source, entries


def load() -> dict[str, Source]:
    """Every source by key."""
    return entries(sys.modules[__name__], Source)
