"""Generated files: each is committed, and a test is red when one is stale."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from integration.config import SETTINGS
from integration.derive.catalogue import bundle_sample, describe_trigger
from integration.derive.describe import describe_input, describe_output, possible_sources
from integration.domain.catalogue import Channel, Source, Trigger
from integration.domain.payload import EventPayload
from integration.domain.retry import HOUR, MINUTE

_NOTE = "<!-- Made by `make derive` from the catalogue; edit that instead. -->\n"


def files(triggers: Mapping[str, Trigger], sources: Mapping[str, Source], channels: Mapping[str, Channel]) -> dict[Path, str]:
    """Path (from the checkout's root) and text of every generated file."""
    catalogue = {
        "triggers": [describe_trigger(trigger, sources) for trigger in triggers.values()],
        "bundle": bundle_sample(triggers["grade_changed"]),
    }
    return {
        Path("zapier_app/catalogue.json"): json.dumps(catalogue, indent=1, ensure_ascii=False) + "\n",
        Path("docs/triggers.md"): _triggers(triggers, sources),
        Path("docs/channels.md"): _channels(channels),
        Path("docs/sources.md"): _sources(sources),
        Path("docs/settings.md"): _settings(),
    }


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


#: What people ask for and Token Metrics does not have. It is not imitated from other figures.
_ABSENT = (
    "On-chain flows, whales and exchange balances",
    "Funding rates, open interest and liquidations",
    "Token unlocks, vesting and emission schedules",
    "Order books and trades",
    "News and social posts one by one (their daily sentiment is there)",
    "Team changes, audits and hacks",
)


def _triggers(triggers: Mapping[str, Trigger], sources: Mapping[str, Source]) -> str:
    common = describe_output(EventPayload)
    parts = [
        _NOTE,
        "# Triggers\n",
        "Every event carries these fields, and those of its trigger:\n",
        _table(("field", "type", "meaning"), [(f"`{f['key']}`", f["type"], f["help"]) for f in common]),
        "What Token Metrics does not have, no trigger can tell of:\n",
        *(f"- {absent}" for absent in _ABSENT),
        "",
        _table(("trigger", "fires when"), [(f"[{t.label}](#{t.key})", t.description) for t in triggers.values()]),
    ]
    for trigger in triggers.values():
        parts += _trigger(trigger, sources)
    return "\n".join(parts)


def _trigger(trigger: Trigger, sources: Mapping[str, Source]) -> list[str]:
    options = [
        (f"`{f['key']}`", f["help"], _default(f), ", ".join(map(str, f.get("choices", ()))))
        for f in describe_input(trigger.options)
    ]
    common = {f["key"] for f in describe_output(EventPayload)}
    own = [f for f in describe_output(trigger.payload) if f["key"] not in common]
    read = [f"{sources[key].label} (`{key}`)" for key in possible_sources(trigger)]
    return [
        f'<a id="{trigger.key}"></a>\n',
        f"## {trigger.label} (`{trigger.key}`)\n",
        f"{trigger.description} About each {trigger.subject}.\n" if trigger.subject != "market" else f"{trigger.description}\n",
        f"> {trigger.sample['summary']}\n",
        f"Reads {', '.join(read)}.\n",
        _table(("option", "meaning", "default", "choices"), options),
        _table(("field", "type", "meaning"), [(f"`{f['key']}`", f["type"], f["help"]) for f in own]),
        *_presets(trigger),
        "It fires when: " + "; ".join(case.name for case in trigger.fires) + ".\n",
        "It stays silent when: " + "; ".join(case.name for case in trigger.silent) + ".\n",
    ]


def _presets(trigger: Trigger) -> list[str]:
    asked = {label: ", ".join(f"`{key}` {_plain(value)}" for key, value in o.items()) for label, o in trigger.presets.items()}
    return [_table(("preset", "options"), list(asked.items()))] if asked else []


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _default(described: Mapping[str, Any]) -> str:
    default = described.get("default")
    if isinstance(default, list | dict):
        return f"`{json.dumps(default)}`"
    return "" if default is None else str(default)


def _channels(channels: Mapping[str, Channel]) -> str:
    parts = [_NOTE, "# Channels\n"]
    for channel in channels.values():
        rows = [(f"`{f['key']}`", f["help"], "yes" if f["required"] else "") for f in describe_input(channel.config)]
        parts += [
            f"## {channel.label} (`{channel.key}`)\n",
            f"{channel.description}\n",
            _table(("setting", "meaning", "required"), rows),
        ]
    return "\n".join(parts)


def _sources(sources: Mapping[str, Source]) -> str:
    rows = [
        (f"`{s.key}`", s.label, _origin(s), _every(s.cadence), s.plan, _weight(s), ", ".join(m.name for m in s.metrics))
        for s in sources.values()
    ]
    text = (
        "A source is an endpoint that is polled while somebody wants it, or is derived from others. The plan is the smallest\n"
        "that includes the endpoint, as far as is known. Where the plan's calls are not enough, what has less weight for\n"
        "its calls is polled less often first, and left out first; where time is not, it waits longer. What people act on\n"
        "within the day weighs 2: prices, signals, grades. Names and ranks are left out last.\n"
    )
    columns = ("source", "what", "from", "every", "plan", "weight", "metrics")
    return "\n".join([_NOTE, "# Sources\n", text, _table(columns, rows)])


def _weight(source: Source) -> str:
    if source.derivation is not None:
        return ""
    return "most" if source.always else f"{source.weight:g}"


def _origin(source: Source) -> str:
    if source.derivation is not None:
        return "derived from " + ", ".join(f"`{each.source}`" for each in source.derivation.inputs)
    how = {"all_pages": "whole, or by ids", "ids": "by ids", "one": "one call"}[source.selection]
    return f"`/{source.path}`, {how}"


def _every(cadence: int) -> str:
    return f"{cadence // HOUR} h" if cadence >= HOUR else f"{cadence // MINUTE} min"


def _settings() -> str:
    rows = [
        (f"`{s.variable}`", "" if s.secret and not s.default else f"`{s.default}`" if s.default not in ("", ()) else "", s.help)
        for s in SETTINGS
    ]
    text = "Every setting is an environment variable. A secret may come from a file instead: add `_FILE` to its name.\n"
    return "\n".join([_NOTE, "# Settings\n", text, _table(("variable", "default", "meaning"), rows)])
