"""Investor grades: the long-term view of every token and the scores behind it, one row a token and day."""

from __future__ import annotations

from integration.domain.catalogue import Metric, Source
from integration.domain.retry import DAY
from integration.sources._readings import readings


def _grade(name: str, label: str) -> Metric:
    return Metric(name, name.upper(), label, "points", 0, 100)


def _score(name: str, label: str) -> Metric:
    return Metric(name, name.upper(), label, "points", 0, 10)


SOURCE = Source(
    key="investor_grades",
    label="Investor grades",
    path="investor-grades",
    subject="token",
    cadence=DAY,
    selection="all_pages",
    metrics=(
        _grade("tm_investor_grade", "Investor grade"),
        Metric("tm_investor_grade_7d_pct_change", "TM_INVESTOR_GRADE_7D_PCT_CHANGE", "Investor grade, 7 d change", "%", -100),
        _grade("fundamental_grade", "Fundamental grade"),
        _grade("technology_grade", "Technology grade"),
        _grade("valuation_grade", "Valuation grade"),
        _score("defi_usage_score", "DeFi usage score"),
        _score("community_score", "Community score"),
        _score("exchange_score", "Exchange score"),
        _score("vc_score", "VC score"),
        _score("tokenomics_score", "Tokenomics score"),
        _score("defi_scanner_score", "DeFi scanner score"),
        _score("activity_score", "Activity score"),
        _score("security_score", "Security score"),
        _score("repository_score", "Repository score"),
        _score("collaboration_score", "Collaboration score"),
    ),
    rows=readings,
    ranged=True,
    ids_per_call=50,
    plan="advanced",
    weight=2.0,
)
