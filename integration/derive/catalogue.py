"""The catalogue as plain data: what the API answers, and what `zapier_app/catalogue.json` holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from integration.derive.describe import describe_input, describe_output, possible_sources
from integration.derive.openapi import scope_schema
from integration.domain.bundle import compose
from integration.domain.catalogue import Source, Trigger, split_source
from integration.domain.retry import HOUR


def describe_trigger(trigger: Trigger, sources: Mapping[str, Source]) -> dict[str, Any]:
    """One trigger, whole: its words, options, scope, payload, every source it can name, and a sample."""
    default = {split_source(name)[0] for name in trigger.sources(trigger.options().load({}))}
    return {
        "key": trigger.key,
        "noun": trigger.noun,
        "label": trigger.label,
        "description": trigger.description,
        "subject": trigger.subject,
        "options": describe_input(trigger.options),
        "scope": describe_input(scope_schema(trigger)),
        "presets": [{"label": label, "options": dict(options)} for label, options in trigger.presets.items()],
        "payload": _dated(describe_output(trigger.payload), trigger.sample),
        "sources": [
            {
                "key": key,
                "label": sources[key].label,
                "cadence_hours": sources[key].cadence / HOUR,
                "per_subject": sources[key].selection == "ids",
                "default": key in default,
            }
            for key in possible_sources(trigger)
        ],
        "sample": dict(trigger.sample),
    }


def bundle_sample(trigger: Trigger) -> dict[str, Any]:
    """A made-up bundle of two events of a trigger of tokens, put together as real ones are."""
    other = {"id": "evt_othersampleothersampleothe", "subject": "token:3306", "subject_id": 3306}
    other |= {"subject_name": "Ethereum", "subject_symbol": "ETH"}
    second = {**trigger.sample, **other}
    events = (trigger.sample, {**second, "summary": trigger.summary(second)})
    bundle: dict[str, Any] = json.loads(compose([json.dumps(event) for event in events])[1])
    return bundle


#: How the names of fields that hold a time end, where the sample has none.
_WHEN = ("_at", "as_of")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")


def _dated(described: list[dict[str, Any]], sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The same, where texts that hold a time say so: `format` is date-time."""
    for field in described:
        value = sample.get(field["key"])
        if field["type"] == "string" and (_ISO.fullmatch(value) if value else field["key"].endswith(_WHEN)):
            field["format"] = "date-time"
        if "fields" in field:
            _dated(field["fields"], value[0] if isinstance(value, list) and value else value or {})
    return described
