"""What there is to ask for: the catalogue of triggers, and the choices of its dropdowns."""

from __future__ import annotations

from typing import Any

from integration.derive.catalogue import describe_trigger
from integration.domain.catalogue import Trigger
from integration.service.asking import calls_a_month
from integration.service.wiring import Gradewire
from integration.store.queries import overview, subjects

Shown = dict[str, Any]
PAGE = 100


def catalogue(gradewire: Gradewire) -> list[Shown]:
    """Every trigger: its words, options, scope, payload, a sample, and what polling its sources costs."""
    with gradewire.database.read() as connection:
        tokens = overview.count_subjects(connection, "token")
    return [_trigger(gradewire, trigger, tokens) for trigger in gradewire.catalogue.triggers.values()]


def _trigger(gradewire: Gradewire, trigger: Trigger, tokens: int) -> Shown:
    sources = gradewire.catalogue.sources
    described = describe_trigger(trigger, sources)
    costs = [{**source, "calls_a_month": calls_a_month(sources[source["key"]], tokens)} for source in described["sources"]]
    return {**described, "sources": costs}


def choices(gradewire: Gradewire, name: str, text: str, page: int) -> list[Shown]:
    """One page (from 0) of a dropdown: tokens, indices, metrics, categories or exchanges that a text fits."""
    start = page * PAGE
    if name == "metrics":
        found = [
            {"id": f"{source.key}.{metric.name}", "name": f"{metric.label} ({source.label})"}
            for source in gradewire.catalogue.sources.values()
            for metric in source.metrics
        ]
        return [choice for choice in found if text.lower() in choice["name"].lower()][start : start + PAGE]
    with gradewire.database.read() as connection:
        if name in ("tokens", "indices"):
            kind = "token" if name == "tokens" else "index"
            rows = subjects.search(connection, kind, text, limit=PAGE, offset=start)
            return [
                {"id": int(row.subject.partition(":")[2]), "name": f"{row.name} ({row.symbol})" if row.symbol else row.name}
                for row in rows
            ]
        known = sorted(subjects.slugs(connection, name))
    return [{"id": slug, "name": slug} for slug in known if text.lower() in slug.lower()][start : start + PAGE]
