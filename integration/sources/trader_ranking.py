"""The tokens of the highest trader grades, derived from every token's."""

from __future__ import annotations

from integration.domain.catalogue import Panel
from integration.domain.history import Floats
from integration.sources._ranking import Ranking, ranking_source

LABELS = {"trader_grade": "trader grade"}


def figures(panel: Panel) -> dict[str, Floats]:
    """Trader grades, in points."""
    return {"trader_grade": panel.of("tm_trader_grade")}


SOURCE = ranking_source("trader_ranking", "Ranking by trader grade", Ranking("trader_grades", LABELS, figures))
