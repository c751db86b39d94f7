"""What is wanted of the upstream: which selections of a source follow from the rules and scopes that are live."""

from __future__ import annotations

from sqlalchemy import Connection

from integration.domain.catalogue import Source
from integration.domain.scope import Scope
from integration.service.evaluate import ActiveRule, active, needed
from integration.service.wiring import Gradewire
from integration.store.queries import rules, subjects

#: The selection of a source that is read whole; others are read id by id.
ALL = "all"

Wish = tuple[ActiveRule, Scope]


def wishes(gradewire: Gradewire, connection: Connection) -> list[Wish]:
    """Every rule with a scope that a subscription (also a paused one) or an awake feed wants."""
    now = gradewire.now()
    live = {row.id: rule for row in rules.live_rules(connection, now) if (rule := active(gradewire.catalogue, row))}
    wanted = rules.wanted_scopes(connection, now)
    return [(live[rule_id], Scope.parse(text)) for *_, text, rule_id in wanted if rule_id in live]


def asked(gradewire: Gradewire, connection: Connection, source: Source, wish: Wish) -> set[str]:
    """The selections of a source that one wish asks for."""
    rule, scope = wish
    if source.key not in needed(gradewire.catalogue, rule, scope):
        return set()
    if source.selection != "ids":
        return {ALL}
    if scope.kind == "any":
        return {name.partition(":")[2] for name in subjects.load(connection, kind=source.subject)}
    return {str(number) for number in scope.ids}


def selections(gradewire: Gradewire, source: Source) -> list[str]:
    """What is to be polled of a source now: "all", or one entry for each wanted id; empty where nobody wants it."""
    if source.derivation is not None or source.gone:
        return []
    if source.always:
        return [ALL]
    with gradewire.database.read() as connection:
        found = {each for wish in wishes(gradewire, connection) for each in asked(gradewire, connection, source, wish)}
    return sorted(found, key=lambda each: (len(each), each))


def wanted_subjects(gradewire: Gradewire, connection: Connection, source: Source) -> set[str] | None:
    """The subjects that are to be read of a source, None where all are."""
    found = {each for wish in wishes(gradewire, connection) for each in asked(gradewire, connection, source, wish)}
    return None if ALL in found or source.always else {f"{source.subject}:{each}" for each in found}
