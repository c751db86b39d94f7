"""What triggers over the holdings of an index share: complete snapshots, how two differ, and which tokens hold a fixed price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from integration.domain.catalogue import Bools, SubjectRow
from integration.domain.history import History, Ints
from integration.domain.pegged import is_stablecoin

SOURCE = "indices_holdings"

Holding = Mapping[str, Any]
#: Decimals in binary: 0.31 - 0.3 is a hair more than 0.01.
_HAIR = 1e-9


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The complete snapshots of a history: what was held at each as_of (ms). `there` says which of its readings they are."""

    there: Bools
    as_of: Ints
    held: Sequence[Sequence[Holding]]


def complete(history: History) -> Snapshots:
    """Readings without holdings are left out: nothing may be concluded from them."""
    held = [orjson.loads(text)["holdings"] if text else [] for text in history.texts]
    there = np.asarray([bool(holdings) for holdings in held], dtype=bool)
    return Snapshots(there, history.as_of[there], [holdings for holdings in held if holdings])


def stablecoin_share(holdings: Sequence[Holding]) -> float:
    """The weight of all stablecoins together (fraction); upstream does not say which they are, their symbols and names do."""
    return round(float(sum(holding["weight"] for holding in holdings if is_stablecoin(_token(holding)))), 10)


def _token(holding: Holding) -> SubjectRow:
    return SubjectRow(f"token:{holding['token_id']}", "token", holding["name"], holding["symbol"])


def orders(seen: Snapshots, key: str, age: int) -> list[list[int]]:
    """The tokens of each snapshot by the figure `key` of their holding, the highest first.

    Of equals the heavier comes first, then the larger by market cap, then the lower id. A holding without the figure keeps its
    last one for `age` ms, and is left out after that.
    """
    last: dict[int, tuple[int, float]] = {}
    found = []
    for now, holdings in zip(seen.as_of.tolist(), seen.held, strict=True):
        last |= {each["token_id"]: (now, each[key]) for each in holdings if each.get(key) is not None}
        ranked = [each for each in holdings if each["token_id"] in last and now - last[each["token_id"]][0] <= age]
        ranked.sort(key=lambda each: (-last[each["token_id"]][1], -each["weight"], -(each["market_cap"] or 0), each["token_id"]))
        found.append([each["token_id"] for each in ranked])
    return found


@dataclass(frozen=True, slots=True)
class Difference:
    """How two snapshots differ: line items, the largest change first. `turnover` is half the sum of all changes (fraction)."""

    added: list[dict[str, Any]]
    removed: list[dict[str, Any]]
    changed: list[dict[str, Any]]
    turnover: float

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def difference(before: Sequence[Holding], after: Sequence[Holding], least: float) -> Difference:
    """What was bought and sold, whatever its weight, and the weights that changed by at least `least` (fraction)."""
    old, new = ({holding["token_id"]: holding for holding in holdings} for holdings in (before, after))
    items = [_item(old.get(token), new.get(token)) for token in {**new, **old}]
    items.sort(key=lambda item: (-abs(item["change"]), item["token_id"]))
    return Difference(
        [item for item in items if item["previous_weight"] is None],
        [item for item in items if item["weight"] is None],
        [item for item in items if None not in (item["weight"], item["previous_weight"]) and _far(item, least)],
        round(sum(abs(item["change"]) for item in items) / 2, 10),
    )


def _item(old: Holding | None, new: Holding | None) -> dict[str, Any]:
    known = new or old or {}
    weight, previous = new and new["weight"], old and old["weight"]
    return {
        "token_id": known["token_id"],
        "name": known["name"],
        "symbol": known["symbol"],
        "weight": weight,
        "previous_weight": previous,
        "change": round((weight or 0.0) - (previous or 0.0), 10),
    }


def _far(item: Mapping[str, Any], least: float) -> bool:
    change: float = item["change"]
    return abs(change) >= least - _HAIR
