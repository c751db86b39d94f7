"""One file = one trigger. The catalogue is this folder's listing."""

from __future__ import annotations

import sys

from integration.domain.catalogue import Trigger, entries


def load() -> dict[str, Trigger]:
    """Every trigger by key."""
    return entries(sys.modules[__name__], Trigger)
