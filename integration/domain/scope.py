"""Which subjects someone wants. A scope holds ids and slugs that Token Metrics knows, never free text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integration.domain.ids import canonical

KINDS = ("any", "tokens", "indices", "category", "exchange", "top")


@dataclass(frozen=True, slots=True)
class Facts:
    """What scopes look at in a subject. `market_rank` is None where it is not known."""

    subject: str
    categories: frozenset[str] = frozenset()
    exchanges: frozenset[str] = frozenset()
    market_rank: int | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """One of: any; named tokens or indices (`ids`); a category or exchange (`slug`); the top N by market cap (`n`)."""

    kind: str = "any"
    ids: tuple[int, ...] = ()
    slug: str = ""
    n: int = 0

    @property
    def text(self) -> str:
        """The canonical text that is stored."""
        value: dict[str, Any] = {"kind": self.kind}
        if self.ids:
            value["ids"] = frozenset(self.ids)
        if self.slug:
            value["slug"] = self.slug
        if self.n:
            value["n"] = self.n
        return canonical(value)

    @classmethod
    def parse(cls, text: str) -> Scope:
        """The scope of a stored text."""
        value: Mapping[str, Any] = json.loads(text)
        return cls(value["kind"], tuple(value.get("ids", ())), value.get("slug", ""), value.get("n", 0))

    def holds(self, facts: Facts) -> bool:
        """Whether a subject belongs to it now."""
        if self.kind == "any":
            return True
        if self.kind in ("tokens", "indices"):
            kind, _, number = facts.subject.partition(":")
            return kind == {"tokens": "token", "indices": "index"}[self.kind] and int(number) in self.ids
        if self.kind == "category":
            return self.slug in facts.categories
        if self.kind == "exchange":
            return self.slug in facts.exchanges
        return facts.market_rank is not None and facts.market_rank <= self.n
