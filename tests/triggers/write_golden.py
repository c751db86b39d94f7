"""Writes the golden file of a new trigger: `python -m tests.triggers.write_golden KEY …`; one that is there is never changed."""

from __future__ import annotations

import sys

from integration.domain import ids
from integration.domain.catalogue import semantics_of
from integration.triggers import load
from tests.triggers.test_contract import GOLDEN


def main(keys: list[str]) -> None:
    for key in keys:
        trigger = load()[key]
        options = trigger.options().load({})
        canonical, semantics = ids.canonical(options), semantics_of(trigger, options)
        event = ids.event_id(trigger.key, semantics, canonical, "token:3375", 1_620_950_400_000)
        rule = ids.rule_id(trigger.key, semantics, canonical)
        with (GOLDEN / f"{key}.txt").open("x", encoding="utf-8") as file:
            file.write(f"{canonical}\n{event}\n{rule}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
