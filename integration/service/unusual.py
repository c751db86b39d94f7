"""What sets a rule apart: its options that are not what they are by default, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from integration.derive.describe import describe_input
from integration.domain.catalogue import Trigger
from integration.domain.ids import canonical

Triggers = Mapping[str, Trigger]


def unusual(triggers: Triggers, key: str, options: Mapping[str, Any]) -> list[str]:
    """The options of a stored rule that differ from the default, such as "Points 15"; none where all is usual, or
    where this version has no such trigger any more."""
    if key not in triggers:
        return []
    schema = triggers[key].options
    usual = json.loads(canonical(schema().load({})))
    return [
        f"{field['label']} {_plain(triggers, options[field['key']])}{_unit(field, options[field['key']])}"
        for field in describe_input(schema)
        if options.get(field["key"]) not in (None, usual.get(field["key"]))
    ]


def _unit(field: Mapping[str, Any], value: Any) -> str:
    unit = str(field.get("unit", ""))
    if unit.lower() in ("", field["label"].lower()) or isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return unit if unit == "%" else f" {unit}"


def _plain(triggers: Triggers, value: Any) -> str:
    """A value as people say it; of a rule inside another its noun, with what sets that apart."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(_plain(triggers, each) for each in value)
    if isinstance(value, Mapping) and value.get("trigger") in triggers:
        apart = unusual(triggers, value["trigger"], value.get("options", {}))
        return triggers[value["trigger"]].noun + (f" ({', '.join(apart)})" if apart else "")
    return str(value)
