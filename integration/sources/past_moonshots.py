"""Moonshots that have ended, with the return they ended with: the first 200, which are the newest where version 3 is asked."""

from __future__ import annotations

from integration.sources._moonshots import moonshot_source

SOURCE = moonshot_source(
    "past_moonshots", "past", "Past moonshots", max_pages=2, v3_params={"sort_by": "moonshot_at"}, weight=0.5
)
