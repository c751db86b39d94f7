"""Generated files: each is committed, and a test is red when one is stale."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from integration.config import SETTINGS
from integration.derive.catalogue import describe_trigger
from integration.derive.describe import describe_input, describe_output
from integration.domain.catalogue import Channel, Source, Trigger

_NOTE = "<!-- Made by `make derive` from the catalogue; edit that instead. -->\n"


def files(triggers: Mapping[str, Trigger], sources: Mapping[str, Source], channels: Mapping[str, Channel]) -> dict[Path, str]:
    """Path (from the checkout's root) and text of every generated file."""
    catalogue = {"triggers": [describe_trigger(trigger, sources) for trigger in triggers.values()]}
    return {
        Path("zapier_app/catalogue.json"): json.dumps(catalogue, indent=1, ensure_ascii=False) + "\n",
        Path("docs/triggers.md"): _triggers(triggers),
        Path("docs/channels.md"): _channels(channels),
        Path("docs/sources.md"): _sources(sources),
        Path("docs/settings.md"): _settings(),
    }


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _triggers(triggers: Mapping[str, Trigger]) -> str:
    parts = [_NOTE, "# Triggers\n"]
    for trigger in triggers.values():
        options = [
            (f"`{f['key']}`", f["help"], f.get("default", ""), ", ".join(map(str, f.get("choices", ()))))
            for f in describe_input(trigger.options)
        ]
        own = [f for f in describe_output(trigger.payload) if f["key"] in trigger.sample]
        parts += [
            f"## {trigger.label} (`{trigger.key}`)\n",
            f"{trigger.description} About each {trigger.subject}.\n",
            f"> {trigger.sample['summary']}\n",
            "Options:\n",
            _table(("option", "meaning", "default", "choices"), options),
            "Fields of the event:\n",
            _table(("field", "type", "meaning"), [(f"`{f['key']}`", f["type"], f["help"]) for f in own]),
            "It fires when: " + "; ".join(case.name for case in trigger.fires) + ".\n",
            "It stays silent when: " + "; ".join(case.name for case in trigger.silent) + ".\n",
        ]
    return "\n".join(parts)


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
        (
            f"`{s.key}`",
            s.label,
            f"`/{s.path}`",
            f"{s.cadence / 3_600_000:g} h",
            s.selection.replace("_", " "),
            ", ".join(m.name for m in s.metrics),
        )
        for s in sources.values()
    ]
    return "\n".join([_NOTE, "# Sources\n", _table(("source", "what", "endpoint", "every", "read", "metrics"), rows)])


def _settings() -> str:
    rows = [
        (f"`{s.variable}`", "" if s.secret and not s.default else f"`{s.default}`" if s.default != "" else "", s.help)
        for s in SETTINGS
    ]
    text = "Every setting is an environment variable. A secret may come from a file instead: add `_FILE` to its name.\n"
    return "\n".join([_NOTE, "# Settings\n", text, _table(("variable", "default", "meaning"), rows)])
