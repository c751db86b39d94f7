"""Fields of a schema as data: what a form, a table or an API answer needs to know of each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from marshmallow import Schema, ValidationError, fields, missing, validate

from integration.domain.catalogue import Trigger, split_source

#: The first that fits names the type.
_TYPES: tuple[tuple[type[fields.Field[Any]], str], ...] = (
    (fields.Boolean, "boolean"),
    (fields.Integer, "integer"),
    (fields.Number, "number"),
    (fields.List, "array"),
    (fields.Mapping, "object"),
    (fields.Nested, "object"),
)


def type_name(field: fields.Field[Any]) -> str:
    """A field's JSON type: string, number, integer, boolean, array or object."""
    return next((name for kind, name in _TYPES if isinstance(field, kind)), "string")


def describe_input(schema: type[Schema]) -> list[dict[str, Any]]:
    """What may be entered: key, label, help, type and required of each field, and default, choices, unit, min, max,
    list (a dropdown's source) and secret where it has them."""
    return [{**_common(key, field), "required": field.required, **_limits(field)} for key, field in schema().fields.items()]


def describe_output(schema: type[Schema]) -> list[dict[str, Any]]:
    """What an object carries: key, label, help and type of each field, whether it may be null, and its unit if it has one."""
    return [{**_common(key, field), "nullable": field.allow_none} for key, field in schema().fields.items()]


def _common(key: str, field: fields.Field[Any]) -> dict[str, Any]:
    about = field.metadata
    told = {name: about[name] for name in ("unit", "list", "secret") if name in about}
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
    return found


def possible_sources(trigger: Trigger) -> tuple[str, ...]:
    """Every source that a trigger can name, those of its default options first."""
    named = (name for options in possible_options(trigger) for name in trigger.sources(options))
    return tuple(dict.fromkeys(split_source(name)[0] for name in named))


def possible_options(trigger: Trigger) -> Iterator[dict[str, Any]]:
    """A trigger's options, loaded: the default ones, then those with each choice that each of them offers."""
    for raw in _variants(trigger.options):
        with contextlib.suppress(ValidationError):  # a choice that asks for another option too
            yield trigger.options().load(raw)


def _variants(schema: type[Schema]) -> Iterator[dict[str, Any]]:
    yield {}
    for option in describe_input(schema):
        yield from ({option["key"]: choice} for choice in option.get("choices", ()))
