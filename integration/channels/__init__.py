"""One file = one channel. The catalogue is this folder's listing."""

from __future__ import annotations

import sys

from integration.domain.catalogue import Channel, entries


def load() -> dict[str, Channel]:
    """Every channel by key."""
    return entries(sys.modules[__name__], Channel)
