"""Tokens that are moonshots now: small ones in which Token Metrics sees a large rise coming."""

from __future__ import annotations

from integration.sources._moonshots import moonshot_source

SOURCE = moonshot_source("moonshots", "active", "Moonshots")
