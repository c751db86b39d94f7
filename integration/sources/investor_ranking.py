"""The tokens of the highest investor and valuation grades, derived from every token's."""

from __future__ import annotations

from integration.domain.catalogue import Panel
from integration.domain.history import Floats
from integration.sources._ranking import Ranking, ranking_source

LABELS = {"investor_grade": "investor grade", "valuation_grade": "valuation grade"}


def figures(panel: Panel) -> dict[str, Floats]:
    """Investor and valuation grades, in points."""
    return {"investor_grade": panel.of("tm_investor_grade"), "valuation_grade": panel.of("valuation_grade")}


SOURCE = ranking_source(
    "investor_ranking", "Rankings by investor and valuation grade", Ranking("investor_grades", LABELS, figures)
)
