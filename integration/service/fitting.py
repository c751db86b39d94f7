"""Where a rule meets a scope: what can tell nothing there is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Source, Trigger, rules_in, split_source
from integration.domain.errors import InvalidInput
from integration.domain.scope import Facts, Scope
from integration.service.evaluate import ActiveRule, polled, unnamed
from integration.service.naming import number_of, slug_of
from integration.service.wanting import wanted
from integration.service.wiring import Gradewire
from integration.store.queries import readings, subjects

#: What tells how many tokens an index holds, and what tells which.
INDICES, HELD, HOLDINGS = "indices", "coins", "indices_holdings"


def check_fit(gradewire: Gradewire, connection: Connection, rule: ActiveRule, scope: Scope) -> None:
    """Refuse a rule that can tell nothing within a scope: it names what is not known, compares something with itself, looks
    into what is empty, or reads what is asked for token by token without naming any. InvalidInput names the field."""
    for inside, trigger, options in rules_in(rule.trigger, rule.options):
        _check_named(connection, trigger, options, inside)
        _check_compared(connection, trigger.against(options), scope, inside)
    _check_filled(gradewire, connection, rule, scope)
    for source in _by_token(gradewire, rule):
        if scope.kind != "tokens":
            raise InvalidInput(f"{source.label} is read token by token: name the tokens you want.", field="tokens")
        _within_cap(gradewire, connection, source, set(scope.ids))


def _by_token(gradewire: Gradewire, rule: ActiveRule) -> list[Source]:
    """The sources that are asked for each token of the rule's scope."""
    about = rule.source(gradewire.catalogue).subject
    own = [name for name in rule.inputs if split_source(name)[1] is None]
    keys = dict.fromkeys(key for name in own for key in polled(gradewire.catalogue, name))
    sources = [gradewire.catalogue.sources[key] for key in keys]
    return [source for source in sources if source.selection == "ids" and source.subject == about == "token"]


def _within_cap(gradewire: Gradewire, connection: Connection, source: Source, ids: set[int]) -> None:
    """Refuse what would be left unpolled: calls are dear, so the operator caps how many tokens are watched so."""
    most = int(gradewire.settings["watched_tokens"])
    watched = wanted(gradewire, connection).get(source.key) or set()
    over = len(watched | ids) - most
    if over > 0 and ids - watched:
        raise InvalidInput(
            f"{source.label} is read token by token, and at most {most} tokens may be watched so: {over} too many. "
            "Name fewer, or ask the operator to raise GRADEWIRE_WATCHED_TOKENS.",
            field="tokens",
        )


def _check_named(connection: Connection, trigger: Trigger, options: Mapping[str, Any], inside: str) -> None:
    """Refuse options that name a category, exchange, token or index which is not known: they could never fire."""
    for option, field in trigger.options().fields.items():
        value, kind, name = options[option], field.metadata.get("list"), inside + option
        if value in (None, ""):
            continue
        if kind in ("categories", "exchanges"):
            slug_of(connection, {"categories": "category", "exchanges": "exchange"}[kind], str(value), name)
        elif kind in ("tokens", "indices"):
            number_of(connection, {"tokens": "token", "indices": "index"}[kind], str(value), name)


def _check_compared(connection: Connection, against: str | None, scope: Scope, inside: str) -> None:
    """Refuse to compare the only subject of a scope with itself."""
    if against is not None and len(scope.ids) == 1 and scope.holds(Facts(against)):
        known = subjects.load(connection, [against]).get(against, unnamed(against))
        text = f"{inside.removesuffix('.options.') or 'This'} compares with {known.name}, which never moves against itself"
        raise InvalidInput(f"{text}: name other {scope.kind}, with it or without.", field=scope.kind)


def _check_filled(gradewire: Gradewire, connection: Connection, rule: ActiveRule, scope: Scope) -> None:
    """Refuse to look into indices that hold nothing."""
    if scope.kind != "indices" or HOLDINGS not in rule.inputs:
        return
    names, column = [f"index:{number}" for number in scope.ids], gradewire.catalogue.sources[INDICES].column(HELD)
    told = readings.latest(connection, INDICES, names)
    if all(name in told and np.frombuffer(told[name].values, dtype=np.float64)[column] == 0 for name in names):
        known = subjects.load(connection, names)
        text = " and ".join(known.get(name, unnamed(name)).name for name in names[:3])
        raise InvalidInput(f"{text} {'holds' if len(names) == 1 else 'hold'} nothing: name an index that does.", field="indices")
