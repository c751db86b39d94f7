"""The catalogue as plain data: what the API answers, and what `zapier_app/catalogue.json` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integration.derive.describe import describe_input, describe_output
from integration.domain.catalogue import Source, Trigger
from integration.domain.payload import EventPayload

Described = dict[str, Any]


def scope_fields(trigger: Trigger) -> list[str]:
    """The scopes that a trigger takes."""
    return {"token": ["tokens", "category", "exchange", "top"], "index": ["indices"], "market": []}[trigger.subject]


def described_trigger(trigger: Trigger, sources: Mapping[str, Source]) -> Described:
    """One trigger, whole."""
    defaults = trigger.options().load({})
    return {
        "key": trigger.key,
        "label": trigger.label,
        "noun": trigger.noun,
        "description": trigger.description,
        "subject": trigger.subject,
        "semantics": trigger.semantics,
        "options": describe_input(trigger.options),
        "scope": scope_fields(trigger),
        "payload": describe_output(trigger.payload),
        "own_fields": [name for name in trigger.payload().fields if name not in EventPayload().fields],
        "sources": [
            {"key": key, "label": sources[key].label, "cadence_hours": sources[key].cadence / 3_600_000}
            for key in trigger.sources(defaults)
        ],
        "sample": dict(trigger.sample),
    }


def described_triggers(triggers: Mapping[str, Trigger], sources: Mapping[str, Source]) -> list[Described]:
    """Every trigger, by key."""
    return [described_trigger(trigger, sources) for trigger in triggers.values()]
