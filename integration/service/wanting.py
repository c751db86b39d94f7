"""What is wanted of the upstream: of each source all, or some subjects. It follows from the rules and scopes that are live,
whether one or a hundred thousand want the same."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from sqlalchemy import Connection

from integration.domain.catalogue import MARKET, Source, split_source
from integration.domain.scope import Scope
from integration.service.evaluate import RANKS, ActiveRule, Catalogue, active
from integration.service.selecting import Selection, selected
from integration.service.wiring import Gradewire
from integration.store.queries import revisions, rules, subjects

_KINDS = {"tokens": "token", "indices": "index"}
_LISTS = {"category": "categories", "exchange": "exchanges"}
#: Tokens about to enter the top N are read too, so that what they do on the day they enter is seen as a change.
NEAR = 1.2
#: After so many changes to what is wanted there may be so much of it that it is not looked at anew at every look: what was
#: found is used for so many times as long as finding it took, and at most so long (s).
MANY, AGAIN, LONGEST = 20_000, 20, 60.0
#: Rules read from the database at a time.
AT_ONCE = 1_000

#: The sources of a rule, as its trigger names them, and whom they are wanted about: all that polling looks at in a wish.
Wish = tuple[tuple[str, ...], Scope]
#: What is wanted of each polled source: some ids, or all (None).
Wants = dict[str, "set[int] | None"]
#: Whom the same sources are wanted about, by those sources and the kind of subject; None means any.
Whose = dict[tuple[tuple[str, ...], str], "set[str] | None"]


def wanted(gradewire: Gradewire, connection: Connection, more: Iterable[Wish] = ()) -> Wants:
    """What is wanted of every source that can be polled; also what would be, with some more wishes."""
    sources = gradewire.catalogue.sources
    found = _polls(gradewire, _present(gradewire, connection)[0], _joined(connection, more))
    found |= {source.key: None for source in sources.values() if source.always}
    return {key: ids for key, ids in found.items() if not obstacle(gradewire, sources[key])}


def named(gradewire: Gradewire, connection: Connection) -> Wants:
    """What is wanted of the sources by those who name tokens or indices."""
    return _polls(gradewire, _present(gradewire, connection)[1])


def _polls(gradewire: Gradewire, *parts: Whose) -> Wants:
    """What is to be polled for what is wanted."""
    found: Wants = {}
    for part in parts:
        for (inputs, _), whose in part.items():
            for key, ids in asked(gradewire.catalogue, inputs, whose):
                mine = found.setdefault(key, set())
                found[key] = None if ids is None or mine is None else mine | ids
    return found


def _present(gradewire: Gradewire, connection: Connection) -> tuple[Whose, Whose]:
    """What subscriptions (also paused ones) and awake feeds want, and what those of them that name tokens or indices do.

    Where there are very many, it may be a little old.
    """
    began = time.monotonic()
    kept: tuple[float, tuple[Whose, Whose]] | None = gradewire.memory.get("wanted")
    if kept is None or began > kept[0] or revisions.current(connection) < MANY:
        pairs = rules.wanted_scopes(connection, gradewire.now())
        known = _known(gradewire, connection, {rule for rule, _ in pairs})
        scoped = [(rule, Scope.parse(text)) for name, text in pairs if (rule := known[name])]
        wishes = [(reads(gradewire, rule, scope), scope) for rule, scope in scoped]
        by_name = _joined(connection, (wish for wish in wishes if wish[1].kind in _KINDS))
        found = _joined(connection, wishes), by_name
        kept = (began + min(AGAIN * (time.monotonic() - began), LONGEST), found)
        gradewire.memory["wanted"] = kept
    return kept[1]


def _joined(connection: Connection, wishes: Iterable[Wish]) -> Whose:
    """Wishes for the same sources as one."""
    found: Whose = {}
    held: dict[Scope, frozenset[str] | None] = {}
    for inputs, scope in wishes:
        if scope not in held:
            held[scope] = within(connection, scope)
        key = with_ranks(inputs, scope), _KINDS.get(scope.kind, "token")
        mine, more = found.setdefault(key, set()), held[scope]
        if more is None or mine is None:
            found[key] = None
        else:
            mine.update(more)
    return found


class Reads(NamedTuple):
    """The sources that a rule reads, and those that its events show beside them."""

    inputs: tuple[str, ...]
    beside: tuple[str, ...]

    @classmethod
    def of(cls, rule: ActiveRule) -> Reads:
        """Those of a rule."""
        return cls(rule.inputs, rule.trigger.beside(rule.options))


def reads(gradewire: Gradewire, rule: Reads, scope: Scope) -> tuple[str, ...]:
    """The sources to poll for a rule within a scope: those it reads, and what its events show beside them where that can be
    had; token by token only for tokens that are named."""
    sources = (gradewire.catalogue.sources[key] for key in rule.beside)
    had = (one for one in sources if not obstacle(gradewire, one) and (one.selection != "ids" or scope.kind == "tokens"))
    return (*rule.inputs, *(one.key for one in had))


def _known(gradewire: Gradewire, connection: Connection, identities: set[str]) -> dict[str, Reads | None]:
    """What rules read, None where this version does not know the rule. A rule never changes: it is read once."""
    known: dict[str, Reads | None] = gradewire.memory.setdefault("reads", {})
    unknown = sorted(identities - known.keys())
    for start in range(0, len(unknown), AT_ONCE):
        for identity, row in rules.load(connection, unknown[start : start + AT_ONCE]).items():
            rule = active(gradewire.catalogue, row)
            known[identity] = Reads.of(rule) if rule else None
    return known


def within(connection: Connection, scope: Scope) -> frozenset[str] | None:
    """The subjects that a scope holds now, or may soon; None where it holds any."""
    if scope.kind == "any":
        return None
    if scope.kind in _KINDS:
        return frozenset(f"{_KINDS[scope.kind]}:{number}" for number in scope.ids)
    if scope.kind == "top":
        return frozenset(subjects.ranked(connection, round(scope.n * NEAR)))
    return frozenset(subjects.listed(connection, _LISTS[scope.kind], scope.slug))


def with_ranks(inputs: tuple[str, ...], scope: Scope) -> tuple[str, ...]:
    """The sources of a rule, and that of ranks where the scope goes by them."""
    return (*inputs, RANKS) if scope.kind == "top" else inputs


def asked(catalogue: Catalogue, inputs: Iterable[str], whose: Set[str] | None) -> Iterator[tuple[str, set[int] | None]]:
    """(polled source, the ids of it or None for all) that a rule's sources ask for about some subjects, or about any."""
    for name in inputs:
        key, one = split_source(name)
        yield from _polled(catalogue, key, {one} if one else whose)


def _polled(catalogue: Catalogue, key: str, whose: Set[str] | None) -> Iterator[tuple[str, set[int] | None]]:
    source = catalogue.sources[key]
    how = source.derivation
    if how is None:
        yield key, _ids(source, whose)
        return
    for each in how.inputs:
        yield from _polled(catalogue, each.source, None if how.whole or whose is None else whose | {*each.always})


def _ids(source: Source, whose: Set[str] | None) -> set[int] | None:
    """The ids of some subjects for a source; all where it speaks of another kind of subject than they are."""
    if whose is None or source.subject == MARKET:
        return None
    mine = {int(number) for kind, _, number in (name.partition(":") for name in whose) if kind == source.subject}
    return mine if mine or not whose else None


def obstacle(gradewire: Gradewire, source: Source) -> str:
    """Why a source cannot be polled at all; empty where it can."""
    if source.gone:
        return f"{source.label}: {source.gone}"
    if not gradewire.settings.includes(source.plan):
        mine = gradewire.settings["plan"].capitalize()
        return f"{source.label}: from the {source.plan.capitalize()} plan of Token Metrics on, and this is the {mine} plan."
    return ""


def selections(gradewire: Gradewire, source: Source) -> list[Selection]:
    """What is to be polled of a source now; nothing where nobody wants it, or where it cannot be had."""
    with gradewire.database.read() as connection:
        wants = wanted(gradewire, connection)
        return selected(connection, source, wants[source.key]) if source.key in wants else []


def wanted_subjects(gradewire: Gradewire, connection: Connection, source: Source) -> set[str] | None:
    """The subjects that are to be read of a source, None where all are."""
    ids = wanted(gradewire, connection).get(source.key, set())
    return None if ids is None else {f"{source.subject}:{number}" for number in ids}
