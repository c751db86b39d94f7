"""Which rules are asked about which subjects, kept in memory between polls: a copy for speed, never the truth.

It is brought up to date, within the transaction that uses it, by the revision that each change of a subscription or feed
leaves. What was asked and no longer is may stay in it for a while: who is told is looked up when something has fired.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Bools, split_source
from integration.domain.history import Ints
from integration.domain.scope import Scope
from integration.domain.screen import Condition, Pairs, Recent, Screen, ranges, unique
from integration.service.crowd import KINDS, Crowd
from integration.service.evaluate import ActiveRule, Catalogue, active
from integration.store.queries import revisions, rules

NOBODY = Pairs(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
#: Changes since it was read whole, as a share of what was read, after which it is read whole again: what is no longer asked
#: leaves it only then.
WORN = 0.25
#: Rules read from the database at a time.
AT_ONCE = 1_000


class Asked:
    """The circles of all clocks. Whoever looks at them holds `lock`, and the database's event lock before it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.lock = threading.RLock()
        self._forget()

    def _forget(self) -> None:
        self._revision: int | None = None
        self._read, self._changed = 0, 0
        self._scopes: dict[str, Scope] = {}
        self._places: dict[str, tuple[Circle, int] | None] = {}
        self._circles: dict[str, Circle] = {}
        self.inputs: set[str] = set()

    def scopes(self, rule: str, crowd: Crowd, place: int) -> Iterator[str]:
        """The texts of the scopes that a rule, by its id, is asked about one of the crowd through."""
        where = self._places.get(rule)
        return iter(()) if where is None else where[0].scopes(where[1], crowd, place)

    def circle(self, clock: str) -> Circle | None:
        """The rules of a clock, None where none is asked."""
        return self._circles.get(clock)

    def sources(self, connection: Connection) -> frozenset[str]:
        """Every source that a rule reads."""
        with self.lock:
            self.refresh(connection)
            return frozenset(self.inputs)

    def refresh(self, connection: Connection) -> None:
        """Take in what changed since the last time."""
        newest = revisions.current(connection)
        if newest == self._revision:
            return
        if self._revision is None or newest < self._revision or self._changed > WORN * self._read:
            self._forget()
        for pairs in revisions.asked(connection, self._revision):
            self._learn(connection, {rule for rule, _ in pairs} - self._places.keys())
            for rule, text in pairs:
                place = self._places[rule]
                if place is not None:
                    place[0].ask(place[1], self._scope(text))
            if self._revision is None:
                self._read += len(pairs)
            else:
                self._changed += len(pairs)
        self._revision = newest

    def _scope(self, text: str) -> Scope:
        if text not in self._scopes:
            self._scopes[text] = Scope.parse(text)
        return self._scopes[text]

    def _learn(self, connection: Connection, identities: set[str]) -> None:
        unknown = sorted(identities)
        for start in range(0, len(unknown), AT_ONCE):
            for identity, row in rules.load(connection, unknown[start : start + AT_ONCE]).items():
                rule = active(self._catalogue, row)
                self._places[identity] = None if rule is None else self._place(rule)

    def _place(self, rule: ActiveRule) -> tuple[Circle, int]:
        self.inputs.update(split_source(name)[0] for name in rule.inputs)
        circle = self._circles.setdefault(rule.source(self._catalogue).key, Circle())
        return circle, circle.add(rule)


class Circle:
    """The rules of one clock, and whom they are asked about: single subjects (named), or whatever a scope holds (broad)."""

    def __init__(self) -> None:
        self.rules: list[ActiveRule] = []
        self._conditions: list[tuple[Condition, ...]] = []
        self._subjects: dict[str, int] = {}
        self._named = np.empty(0, dtype=np.int64)  # rule << 32 | subject, rising
        self._more: list[int] = []
        self._scopes: dict[Scope, int] = {}
        self._broad: set[tuple[int, int]] = set()
        self._lists: dict[int, set[Scope]] = defaultdict(set)
        self._arranged: tuple[Pairs, Pairs, Screen] | None = None
        self._seen: tuple[Crowd, int, Ints] | None = None

    def add(self, rule: ActiveRule) -> int:
        """A rule more; its position."""
        self.rules.append(rule)
        self._conditions.append(rule.conditions)
        self._arranged = None
        for known in ("_unwatched", "_of_the_log"):
            self.__dict__.pop(known, None)
        return len(self.rules) - 1

    @cached_property
    def _unwatched(self) -> Bools:
        return np.fromiter((not each for each in self._conditions), dtype=bool, count=len(self.rules))

    @cached_property
    def _of_the_log(self) -> Bools:
        return np.fromiter((rule.trigger.tell is not None for rule in self.rules), dtype=bool, count=len(self.rules))

    def ask(self, rule: int, scope: Scope) -> None:
        """A rule, by its position, is asked about what a scope holds."""
        self._arranged = None
        kind = KINDS.get(scope.kind)
        if kind is None:
            self._broad.add((rule, self._scopes.setdefault(scope, len(self._scopes))))
        if kind is None or len(scope.ids) > 1:
            self._lists[rule].add(scope)
        for number in scope.ids:
            subject = self._subjects.setdefault(f"{kind}:{number}", len(self._subjects))
            self._more.append(rule << 32 | subject)

    def scopes(self, rule: int, crowd: Crowd, place: int) -> Iterator[str]:
        """The texts of the scopes that a rule, by its position, is asked about one of the crowd through."""
        yield one_subject(crowd.names[place])
        for scope in self._lists.get(rule, ()):
            if crowd.holds(scope, place):
                yield scope.text

    def _parts(self) -> tuple[Pairs, Pairs, Screen]:
        """(rule, subject) named; (rule, scope) broad; the screen over the rules with conditions."""
        if self._arranged is None:
            if self._more:
                self._named = np.union1d(self._named, np.asarray(self._more, dtype=np.int64))
                self._more = []
            named = Pairs(self._named >> 32, self._named & 0xFFFFFFFF)
            broad = np.asarray(sorted(self._broad), dtype=np.int64).reshape(-1, 2)
            watched = {at: conditions for at, conditions in enumerate(self._conditions) if conditions}
            by_scope: list[list[int]] = [[] for _ in self._scopes]
            for rule, scope in broad.tolist():
                if rule in watched:
                    by_scope[scope].append(rule)
            screen = Screen(watched, len(self._subjects) + 1, named, by_scope)
            self._arranged = named, Pairs(broad[:, 0], broad[:, 1]), screen
        return self._arranged

    @property
    def depth(self) -> int:
        """How many readings before the newest the screen looks at."""
        return self._parts()[2].depth

    @property
    def by_facts(self) -> bool:
        """Whether any scope looks at what is known of a subject."""
        return any(scope.kind != "any" for scope in self._scopes)

    def screened(self, recent: Recent, crowd: Crowd) -> Pairs:
        """(rule, place in the crowd) that can fire at the newest reading, of the rules with conditions."""
        _, _, screen = self._parts()
        spans = screen.spans(recent)
        named = self._in_crowd(screen.named(spans, self._positions(crowd)), crowd)
        return _both(named, screen.broad(spans, [np.flatnonzero(crowd.held(scope)) for scope in self._scopes]), crowd)

    def unscreened(self, crowd: Crowd, picked: Bools, irregular: Bools, *, all_rules: bool) -> Pairs:
        """(rule, place in the crowd) that are asked about some of it; only rules without conditions, or all.

        Rules that follow from the log, such as corrections, are asked about those whose readings were `irregular`.
        """
        named, broad, _ = self._parts()
        fit = np.ones(len(self.rules), dtype=bool) if all_rules else self._unwatched
        if not fit.any() or not (picked | irregular).any():
            return NOBODY
        chosen = fit[named.rules]
        mine = self._in_crowd(Pairs(named.rules[chosen], named.subjects[chosen]), crowd)
        asked = np.unique(broad.rules[fit[broad.rules]])
        everyone = np.arange(len(crowd.names))
        wide = self._held(Pairs(np.repeat(asked, len(everyone)), np.tile(everyone, len(asked))), crowd)
        found = _both(mine, wide, crowd)
        here = np.where(self._of_the_log[found.rules], irregular[found.subjects], picked[found.subjects])
        return Pairs(found.rules[here], found.subjects[here])

    def _positions(self, crowd: Crowd) -> Ints:
        """Where the crowd's subjects stand here; all that are not named share the last position."""
        if self._seen is None or self._seen[0] is not crowd or self._seen[1] != len(self._subjects):
            last = len(self._subjects)
            places = (self._subjects.get(name, last) for name in crowd.names)
            self._seen = crowd, last, np.fromiter(places, dtype=np.int64, count=len(crowd.names))
        return self._seen[2]

    def _in_crowd(self, pairs: Pairs, crowd: Crowd) -> Pairs:
        """(rule, subject) as (rule, place in the crowd), without those who are not in it."""
        place = np.full(len(self._subjects) + 1, -1, dtype=np.int64)
        place[self._positions(crowd)] = np.arange(len(crowd.names))
        place[-1] = -1
        there = place[pairs.subjects] >= 0
        return Pairs(pairs.rules[there], place[pairs.subjects[there]])

    def _held(self, pairs: Pairs, crowd: Crowd) -> Pairs:
        """Those (rule, place) whose subject one of the rule's scopes holds."""
        _, broad, _ = self._parts()
        starts = np.searchsorted(broad.rules, pairs.rules, side="left")
        counts = np.searchsorted(broad.rules, pairs.rules, side="right") - starts
        scopes = broad.subjects[ranges(starts, counts)]
        rules_, places = np.repeat(pairs.rules, counts), np.repeat(pairs.subjects, counts)
        members = np.zeros((len(self._scopes), len(crowd.names)), dtype=bool)
        by_number: Sequence[Scope] = list(self._scopes)
        for number in np.unique(scopes).tolist():
            members[number] = crowd.held(by_number[number])
        held = members[scopes, places]
        return unique(rules_[held], places[held], max(len(crowd.names), 1))

    def named_rules(self, pairs: Pairs, crowd: Crowd) -> Iterator[tuple[str, ActiveRule]]:
        """(subject, rule) of pairs of positions."""
        for rule, place in zip(pairs.rules.tolist(), pairs.subjects.tolist(), strict=True):
            yield crowd.names[place], self.rules[rule]


@lru_cache(maxsize=20_000)
def one_subject(name: str) -> str:
    """The text of the scope that holds one subject."""
    kind, _, number = name.partition(":")
    return Scope(next((k for k, one in KINDS.items() if one == kind), "any"), (int(number),) if number else ()).text


def _both(one: Pairs, other: Pairs, crowd: Crowd) -> Pairs:
    found = np.concatenate((one.rules, other.rules)), np.concatenate((one.subjects, other.subjects))
    return unique(*found, max(len(crowd.names), 1))
