"""What people ask for, checked: options and scope in canonical form."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError
from sqlalchemy import Connection

from integration.domain.catalogue import Trigger
from integration.domain.errors import InvalidInput
from integration.domain.numerals import whole
from integration.domain.scope import Scope
from integration.service.evaluate import ActiveRule
from integration.service.fitting import check_fit
from integration.service.naming import number_of, slug_of
from integration.service.wiring import Gradewire

MOST_NAMED, MOST_TOP = 200, 1000
#: What may say who is watched, and how.
SCOPE_FIELDS: Mapping[str, str] = {
    "tokens": "ids, symbols or names, separated by commas",
    "category": "the slug of one, such as layer-1",
    "exchange": "the id of one, such as binance",
    "top": f"a whole number from 1 to {MOST_TOP}",
    "indices": "ids or names, separated by commas",
}
#: What the library says of a value of the wrong kind, and what to do about it.
REMEDIES = {
    "Not a valid boolean.": "Not a valid boolean: use true or false.",
    "Not a valid string.": "Not a valid string: write it as text.",
    "Not a valid mapping type.": "Not a valid mapping: write it as a JSON object.",
    "Not a valid list.": "Not a valid list: write it as a JSON array.",
    "Field may not be null.": "It may not be null: leave it out, or give a value.",
    "Missing data for required field.": "It is missing, and must be given.",
    "Unknown field.": "Unknown field: leave it out.",
}


def load_options(schema: type[Schema], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Options with every default written out. Raises InvalidInput naming the field and the remedy."""
    known = schema().fields
    for name in raw:
        if name in SCOPE_FIELDS and name not in known:
            raise InvalidInput(f"{name} says who is watched: it belongs to the scope, as {SCOPE_FIELDS[name]}.", field=name)
        if name not in known:
            near = difflib.get_close_matches(str(name), [*known, *SCOPE_FIELDS], 1)
            hint = f" Did you mean {near[0]}?" if near else f" Options are: {', '.join(known)}."
            raise InvalidInput(f"Unknown option {str(name)[:40]!r}.{hint}", field=str(name)[:40])
    try:
        loaded: dict[str, Any] = schema(unknown=RAISE).load(dict(raw))
    except ValidationError as error:
        name, text = first_problem(error)
        raise InvalidInput(f"{name}: {text}", field=name) from error
    return loaded


def split(trigger: Trigger, flat: Mapping[str, Any], *, form: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
    """(options, scope) from what a query string, a form or a body mixes. A field left empty counts as not given.

    In a body, which is no `form`, one that names nobody and has an empty scope is left to `scope_of`, which refuses it.
    """
    known = trigger.options().fields
    whose = {name: value for name, value in flat.items() if name in SCOPE_FIELDS and name not in known}
    scope = {name: value for name, value in whose.items() if value not in _BLANK}
    empty = {name: value for name, value in whose.items() if value in ("", [])}
    options = {name: value for name, value in flat.items() if name not in whose and value not in _BLANK}
    return options, scope or ({} if form else empty)


_BLANK: tuple[Any, ...] = (None, "", [])


def first_problem(error: ValidationError) -> tuple[str, str]:
    """The first field of a validation error and what is wrong with it."""
    messages: Any = error.messages
    path: list[str] = []
    while isinstance(messages, dict):
        key, messages = next(iter(messages.items()))
        if key != "_schema":
            path.append(str(key))
    text = str(messages[0] if isinstance(messages, list) and messages else messages)
    return ".".join(path) or "body", REMEDIES.get(text, text)


def ask(gradewire: Gradewire, trigger_key: str, raw: Mapping[str, Any]) -> ActiveRule:
    """The rule that a trigger with these options is."""
    trigger = trigger_of(gradewire, trigger_key)
    return ActiveRule.asked(trigger, load_options(trigger.options, raw))


def trigger_of(gradewire: Gradewire, key: str) -> Trigger:
    """A trigger of the catalogue; InvalidInput with the nearest name otherwise."""
    triggers = gradewire.catalogue.triggers
    if key not in triggers:
        near = difflib.get_close_matches(key, triggers, 1)
        hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(triggers)}."
        raise InvalidInput(f"Unknown trigger {key[:40]!r}.{hint}", field="trigger")
    return triggers[key]


def scope_of(gradewire: Gradewire, connection: Connection, rule: ActiveRule, raw: Mapping[str, Any]) -> Scope:
    """The scope that is asked for: at most one of tokens, indices, category, exchange and top; none of them means any.

    Tokens and indices may be given by id, symbol or name: see `number_of`. InvalidInput names the field and the remedy.
    """
    for name in raw:
        if name not in SCOPE_FIELDS:
            raise InvalidInput(f"Unknown scope {str(name)[:40]!r}. Use one of {', '.join(SCOPE_FIELDS)}.", field=str(name)[:40])
        if raw[name] in ("", []):  # a variable that was never filled in must not become everybody
            raise InvalidInput(f"{name} is empty: name at least one, or leave it out to watch all.", field=name)
    given = {name: raw[name] for name in SCOPE_FIELDS if raw.get(name) is not None}
    if len(given) > 1:
        raise InvalidInput(f"Choose one of {', '.join(given)}, not several.", field=list(given)[1])
    kind, about = next(iter(given), "any"), rule.source(gradewire.catalogue).subject
    fits = {"token": ("any", "tokens", "category", "exchange", "top"), "index": ("any", "indices"), "market": ("any",)}
    if kind not in fits[about]:
        fit = " or ".join(k for k in fits[about] if k != "any") or "no scope"
        raise InvalidInput(f"{rule.trigger.label} is about each {about}: use {fit}.", field=kind)
    scope = _scope(connection, kind, given.get(kind))
    check_fit(gradewire, connection, rule, scope)
    return scope


def _scope(connection: Connection, kind: str, value: Any) -> Scope:
    if kind == "any":
        return Scope()
    if kind == "top":
        return Scope("top", n=_top(value))
    if kind in ("category", "exchange"):
        return Scope(kind, slug=slug_of(connection, kind, str(value), kind))
    named = value if isinstance(value, list) else str(value).split(",")
    named = [str(name).strip() for name in named if str(name).strip()]
    if not 1 <= len(named) <= MOST_NAMED:
        raise InvalidInput(f"Name 1 to {MOST_NAMED} {kind}.", field=kind)
    one = "token" if kind == "tokens" else "index"
    return Scope(kind, tuple(sorted({number_of(connection, one, name, kind) for name in named})))


def _top(value: Any) -> int:
    try:
        n = whole(value)
    except ValueError as error:
        raise InvalidInput(f"top must be a whole number from 1 to {MOST_TOP}, such as 10.", field="top") from error
    if not 1 <= n <= MOST_TOP:
        raise InvalidInput(f"top must be from 1 to {MOST_TOP}: use {1 if n < 1 else MOST_TOP}.", field="top")
    return n
