"""What there is to ask for: the catalogue of triggers, and the choices of its dropdowns."""

from __future__ import annotations

from typing import Any

from integration.derive.catalogue import describe_trigger
from integration.derive.describe import possible_options
from integration.domain.catalogue import Trigger
from integration.service.evaluate import polled
from integration.service.pricing import Meter, unavailable
from integration.service.wanting import obstacle
from integration.service.wiring import Gradewire
from integration.store.queries import subjects
from integration.triggers._grades import GRADES

Shown = dict[str, Any]
PAGE = 100


def catalogue(gradewire: Gradewire) -> list[Shown]:
    """Every trigger: its words, options, scope, payload, a sample, whether it can be had, and what polling its sources costs."""
    with gradewire.database.read() as connection:
        meter = Meter(gradewire, connection)
        return [_trigger(gradewire, meter, trigger) for trigger in gradewire.catalogue.triggers.values()]


def _trigger(gradewire: Gradewire, meter: Meter, trigger: Trigger) -> Shown:
    described = describe_trigger(trigger, gradewire.catalogue.sources)
    reasons = [unavailable(gradewire, trigger, options) for options in possible_options(trigger)]
    reason = "" if "" in reasons else reasons[0]
    sources = [{**source, **_source(gradewire, meter, source["key"])} for source in described["sources"]]
    return {**described, "sources": sources, "available": not reason, "reason": reason or None}


def _source(gradewire: Gradewire, meter: Meter, name: str) -> Shown:
    """Whether a source can be had, and the calls a month that reading it takes: for one subject where it is read so, else all."""
    polled_ = [gradewire.catalogue.sources[key] for key in polled(gradewire.catalogue, name)]
    reason = next((why for source in polled_ if (why := obstacle(gradewire, source))), None)
    calls = sum(meter.one(source, {1} if source.selection == "ids" else None) for source in polled_)
    return {"calls_a_month": round(calls), "available": reason is None, "reason": reason}


def choices(gradewire: Gradewire, name: str, text: str, page: int) -> list[Shown]:
    """One page (from 0) of a dropdown: tokens, indices, metrics, grades, categories or exchanges that a text fits."""
    start, text = page * PAGE, text.strip()
    if name in ("metrics", "grades"):
        found = _grades(gradewire) if name == "grades" else _metrics(gradewire)
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


def _metrics(gradewire: Gradewire) -> list[Shown]:
    sources = gradewire.catalogue.sources.values()
    named = ((source, metric) for source in sources for metric in source.metrics)
    return [{"id": f"{source.key}.{metric.name}", "name": f"{metric.label} ({source.label})"} for source, metric in named]


def _grades(gradewire: Gradewire) -> list[Shown]:
    """What the option `grade` of triggers may be."""
    found: list[Shown] = []
    for key, grade in GRADES.items():
        source = gradewire.catalogue.sources[grade.source]
        found.append({"id": key, "name": source.metrics[source.column(grade.metric)].label})
    return found
