"""Fields of a schema as data: what a form, a table or an API answer needs to know of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from typing import Any, cast

from marshmallow import Schema, ValidationError, fields, missing, validate

from integration.domain.catalogue import Options, Trigger, split_source

#: The first that fits names the type.
_TYPES: tuple[tuple[type[fields.Field[Any]], str], ...] = (
    (fields.Boolean, "boolean"),
    (fields.Integer, "integer"),
    (fields.Number, "number"),
    (fields.List, "array"),
    (fields.Mapping, "object"),
    (fields.Nested, "object"),
)


#: What a field's metadata say that whoever makes a form of it needs: see `described`.
_TOLD = ("unit", "list", "secret", "when", "suits")


def type_name(field: fields.Field[Any]) -> str:
    """A field's JSON type: string, number, integer, boolean, array or object."""
    return next((name for kind, name in _TYPES if isinstance(field, kind)), "string")


def describe_input(schema: type[Schema]) -> list[dict[str, Any]]:
    """What may be entered: key, label, help, type and required of each field, and default, choices, several (of which any
    may be named, comma separated), unit, min, max, list (a dropdown's source), secret, when and suits where it has them."""
    return [{**_common(key, field), "required": field.required, **_limits(field)} for key, field in schema().fields.items()]


def describe_output(schema: type[Schema]) -> list[dict[str, Any]]:
    """What an object carries: key, label, help and type of each field, whether it may be null, its unit if it has one, and
    the fields of what it holds, where those are known."""
    return [{**_common(key, field), "nullable": field.allow_none, **_held(field)} for key, field in schema().fields.items()]


def _held(field: fields.Field[Any]) -> dict[str, Any]:
    inner = field.inner if isinstance(field, fields.List) else field
    if not isinstance(inner, fields.Nested):
        return {}
    return {"fields": describe_output(type(inner.schema))}


def _common(key: str, field: fields.Field[Any]) -> dict[str, Any]:
    about = field.metadata
    told = {name: about[name] for name in _TOLD if name in about}
    label = about.get("label", key)
    return {"key": key, "label": label, "help": about.get("description", label), "type": type_name(field), **told}


def _limits(field: fields.Field[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if field.load_default is not missing and not callable(field.load_default):
        found["default"] = field.load_default
    elif "default" in field.metadata:  # what is made anew each time, as people write it
        found["default"] = field.metadata["default"]
    for check in field.validators:
        if isinstance(check, validate.OneOf):
            found["choices"] = list(check.choices)
        elif isinstance(check, validate.Range):
            found |= {key: edge for key, edge in (("min", check.min), ("max", check.max)) if edge is not None}
    if hasattr(field, "choices"):
        found["several"] = list(field.choices)
    return found


def possible_sources(trigger: Trigger) -> tuple[str, ...]:
    """Every source that a trigger can name, those of its default options first."""
    named = (name for options in possible_options(trigger) for name in trigger.sources(options))
    return tuple(dict.fromkeys(split_source(name)[0] for name in named))


def possible_options(trigger: Trigger) -> tuple[Options, ...]:
    """A trigger's options, loaded: the default ones, then one example for each other set of sources that it can name."""
    return _possible(trigger.options, trigger.sources)


@cache
def _possible(schema: type[Schema], sources: Callable[[Options], tuple[str, ...]]) -> tuple[Options, ...]:
    found: dict[tuple[str, ...], Options] = {}
    for raw in _variants(schema):
        options = loaded(schema, raw)
        if options is not None:
            found.setdefault(sources(options), options)
    return tuple(found.values())


def _variants(schema: type[Schema]) -> Iterator[dict[str, Any]]:
    """The default options, then with each one and each two of the others that may be chosen instead."""
    others = [{option["key"]: value} for option in describe_input(schema) for value in _others(option)]
    yield {}
    yield from others
    yield from ({**one, **two} for one, two in combinations(others, 2) if one.keys() != two.keys())


def _others(option: Mapping[str, Any]) -> Sequence[Any]:
    """What an option may be instead of its default, where that can change which sources are read."""
    if option["type"] == "boolean":
        return [not option.get("default")]
    if option["type"] in ("number", "integer") and not option.get("default"):
        return [_number(option)]
    return [choice for choice in option.get("choices", ()) if choice != option.get("default")]


def _number(option: Mapping[str, Any]) -> float:
    return float(min(max(1, option.get("min", 1)), option.get("max", 1)))


def loaded(schema: type[Schema], raw: dict[str, Any]) -> Options | None:
    """Options that are loaded; where a choice asks for a number too, with one. None where they do not go together."""
    described = {option["key"]: option for option in describe_input(schema)}
    for _ in range(2):
        try:
            return cast("Options", schema().load(raw))
        except ValidationError as error:
            missing_ = [key for key in error.messages_dict if key in described and raw.get(key) is None]
            raw = {**raw, **{key: _number(described[key]) for key in missing_ if described[key]["type"] in ("number", "integer")}}
    return None
