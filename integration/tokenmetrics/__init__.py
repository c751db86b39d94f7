"""The Token Metrics API: calls within the plan's limits, pages, both versions."""

from integration.tokenmetrics.client import Fetched, TokenMetrics

__all__ = ["Fetched", "TokenMetrics"]
