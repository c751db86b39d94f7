"""The subjects of a poll, and which of them a scope holds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Bools
from integration.domain.scope import Scope
from integration.store.queries import subjects

#: The kind of subject that a scope names one by one.
KINDS = {"tokens": "token", "indices": "index"}
_UNRANKED = np.iinfo(np.int64).max


class Crowd:
    """Subjects as scopes see them now. What is known of them is read once, and only if a scope looks at it."""

    def __init__(self, connection: Connection, names: Sequence[str]) -> None:
        self.names = names
        self._connection = connection
        self._held: dict[Scope, Bools] = {}
        self._facts: tuple[Sequence[frozenset[str]], Sequence[frozenset[str]], np.ndarray] | None = None

    def holds(self, scope: Scope, place: int) -> bool:
        """Whether a scope holds one of them."""
        if scope.kind in KINDS:
            kind, _, number = self.names[place].partition(":")
            return kind == KINDS[scope.kind] and int(number) in scope.ids
        return bool(self.held(scope)[place])

    def held(self, scope: Scope) -> Bools:
        """Who of them a scope holds."""
        if scope not in self._held:
            self._held[scope] = self._look(scope)
        return self._held[scope]

    def _look(self, scope: Scope) -> Bools:
        count = len(self.names)
        if scope.kind == "any":
            return np.ones(count, dtype=bool)
        if scope.kind in KINDS:
            wanted = {f"{KINDS[scope.kind]}:{number}" for number in scope.ids}
            return np.fromiter((name in wanted for name in self.names), dtype=bool, count=count)
        categories, exchanges, ranks = self._known()
        if scope.kind == "top":
            return np.asarray(ranks <= scope.n, dtype=bool)
        lists = categories if scope.kind == "category" else exchanges
        return np.fromiter((scope.slug in slugs for slugs in lists), dtype=bool, count=count)

    def _known(self) -> tuple[Sequence[frozenset[str]], Sequence[frozenset[str]], np.ndarray]:
        if self._facts is None:
            found = subjects.facts(self._connection, self.names)
            nothing = ("[]", "[]", None)
            rows = [found.get(name, nothing) for name in self.names]
            ranks = np.asarray([_UNRANKED if row[2] is None else row[2] for row in rows], dtype=np.int64)
            self._facts = [slugs_of(row[0]) for row in rows], [slugs_of(row[1]) for row in rows], ranks
        return self._facts


@lru_cache(maxsize=20_000)
def slugs_of(text: str) -> frozenset[str]:
    """The slugs of a stored list; the same lists come again with every poll."""
    return subjects.slug_set(text)
