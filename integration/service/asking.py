"""What people ask for, checked: options and scope in canonical form."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError
from sqlalchemy import Connection

from integration.domain.catalogue import MARKET, Source, Trigger, rules_in, split_source
from integration.domain.errors import InvalidInput
from integration.domain.numerals import whole
from integration.domain.scope import Facts, Scope
from integration.service.evaluate import ActiveRule, polled, unnamed
from integration.service.wanting import wanted
from integration.service.wiring import Gradewire
from integration.store.queries import subjects

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
#: A token is meant by a symbol that others share where its market rank is so many times as high; no rank is the lowest.
DWARFED, UNRANKED = 10, 10_000
MOST_DIGITS = 19


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


def split(trigger: Trigger, flat: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(options, scope) from what a query string or a form mixes. A field left empty counts as not given."""
    given = {name: value for name, value in flat.items() if value not in (None, "", [])}
    known = trigger.options().fields
    scope = {name: value for name, value in given.items() if name in SCOPE_FIELDS and name not in known}
    return {name: value for name, value in given.items() if name not in scope}, scope


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

    Tokens may be given by id, symbol or name. Of several that share a symbol, one whose market rank is ten times as high
    as the next one's is meant; otherwise they are refused with their ids.
    """
    for name in raw:
        if name not in SCOPE_FIELDS:
            raise InvalidInput(f"Unknown scope {str(name)[:40]!r}. Use one of {', '.join(SCOPE_FIELDS)}.", field=str(name)[:40])
    given = {name: raw[name] for name in SCOPE_FIELDS if raw.get(name) not in (None, "", [])}
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


def check_fit(gradewire: Gradewire, connection: Connection, rule: ActiveRule, scope: Scope) -> None:
    """Refuse a rule that can tell nothing within a scope: it names what is not known, compares something with itself, or
    reads what is asked for token by token without naming any."""
    for inside, trigger, options in rules_in(rule.trigger, rule.options):
        _check_named(connection, trigger, options, inside)
        _check_compared(connection, trigger.against(options), scope, inside)
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


def _scope(connection: Connection, kind: str, value: Any) -> Scope:
    if kind == "any":
        return Scope()
    if kind == "top":
        return Scope("top", n=_top(value))
    if kind in ("category", "exchange"):
        return Scope(kind, slug=_slug(connection, kind, str(value), kind))
    named = value if isinstance(value, list) else str(value).split(",")
    named = [str(name).strip() for name in named if str(name).strip()]
    if not 1 <= len(named) <= MOST_NAMED:
        raise InvalidInput(f"Name 1 to {MOST_NAMED} {kind}.", field=kind)
    one = "token" if kind == "tokens" else "index"
    return Scope(kind, tuple(sorted({_subject_id(connection, one, name, kind) for name in named})))


def _top(value: Any) -> int:
    try:
        n = whole(value)
    except ValueError as error:
        raise InvalidInput(f"top must be a whole number from 1 to {MOST_TOP}, such as 10.", field="top") from error
    if not 1 <= n <= MOST_TOP:
        raise InvalidInput(f"top must be from 1 to {MOST_TOP}: use {1 if n < 1 else MOST_TOP}.", field="top")
    return n


def _check_named(connection: Connection, trigger: Trigger, options: Mapping[str, Any], inside: str) -> None:
    """Refuse options that name a category, exchange, token or index which is not known: they could never fire."""
    for option, field in trigger.options().fields.items():
        value, kind, name = options[option], field.metadata.get("list"), inside + option
        if value in (None, ""):
            continue
        if kind in ("categories", "exchanges"):
            _slug(connection, {"categories": "category", "exchanges": "exchange"}[kind], str(value), name)
        elif kind in ("tokens", "indices"):
            _subject_id(connection, {"tokens": "token", "indices": "index"}[kind], str(value), name)


def _check_compared(connection: Connection, against: str | None, scope: Scope, inside: str) -> None:
    """Refuse to compare the only subject of a scope with itself."""
    if against is not None and len(scope.ids) == 1 and scope.holds(Facts(against)):
        known = subjects.load(connection, [against]).get(against, unnamed(against))
        text = f"{inside.removesuffix('.options.') or 'This'} compares with {known.name}, which never moves against itself"
        raise InvalidInput(f"{text}: name other {scope.kind}, with it or without.", field=scope.kind)


def _slug(connection: Connection, kind: str, slug: str, field: str) -> str:
    column = {"category": "categories", "exchange": "exchanges"}[kind]
    known = subjects.slugs(connection, column)
    if slug not in known:
        near = difflib.get_close_matches(slug.lower(), known, 3)
        hint = f" Did you mean {' or '.join(near)}?" if near else " Nothing is known by that name yet."
        raise InvalidInput(f"Unknown {kind} {slug[:40]!r}.{hint}", field=field)
    return slug


def subject_named(connection: Connection, kind: str, name: str) -> str:
    """The subject that is meant: token:3375, index:1 or market as they are, else a token or index by its symbol or name."""
    if kind == MARKET or name.startswith(f"{kind}:"):
        number = name.partition(":")[2]
        if (name == MARKET) if kind == MARKET else (number.isascii() and number.isdigit() and len(number) < MOST_DIGITS):
            return name
        example = MARKET if kind == MARKET else f"{kind}:1"
        raise InvalidInput(f"subject: This trigger is about each {kind}: say {example}.", field="subject")
    return f"{kind}:{_subject_id(connection, kind, name, 'subject')}"


def _subject_id(connection: Connection, one: str, name: str, field: str) -> int:
    numbered = name.isascii() and name.isdigit() and len(name) < MOST_DIGITS
    found = list(subjects.load(connection, [f"{one}:{int(name)}"]).values()) if numbered else []
    found = found or subjects.by_symbol(connection, one, name)
    if not found:
        near = subjects.search(connection, one, name[:3], limit=3, offset=0)
        hint = f" Did you mean {' or '.join(f'{r.name} ({_number(r.subject)})' for r in near)}?" if near else ""
        raise InvalidInput(f"Unknown {one} {name[:40]!r}.{hint}", field=field)
    found = sorted(found, key=lambda row: row.market_rank or UNRANKED)
    if len(found) > 1 and DWARFED * (found[0].market_rank or UNRANKED) <= (found[1].market_rank or UNRANKED):
        found = found[:1]
    if len(found) > 1:
        choices = ", ".join(f"{row.name} = {_number(row.subject)}" for row in found[:4])
        raise InvalidInput(f"Several {field} are called {name[:40]!r}; give the id: {choices}.", field=field)
    return _number(found[0].subject)


def _number(subject: str) -> int:
    return int(subject.partition(":")[2])
