"""Options that are rules of their own: another trigger with its options, as a compound rule or a correction asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load

from integration.domain.catalogue import Options, Trigger
from integration.domain.ids import canonical
from integration.domain.payload import described
from integration.triggers._options import nearest

#: A loaded rule: {"trigger": key, "options": its options, every default written out}.
Rule = Mapping[str, Any]
#: Why a trigger cannot stand here; empty where it can.
Refusal = Callable[[Trigger], str]
#: More text than any rule needs.
LONGEST = 20_000
#: A rule as people write it.
EXAMPLE = {"trigger": "grade_threshold", "options": {"grade": "investor", "preset": "bullish"}}
WRITTEN, PARTS = json.dumps(EXAMPLE), tuple(EXAMPLE)


@cache
def triggers() -> Mapping[str, Trigger]:
    """Every trigger by key. To be asked for inside functions only: those that ask are in the catalogue themselves."""
    from integration.triggers import load

    return load()


def loaded(key: str, options: Options) -> dict[str, Any]:
    """A rule as it is loaded. ValidationError names the option and the remedy."""
    schema = triggers()[key].options()
    for name in options:
        if name not in schema.fields:
            raise ValidationError({name[:40]: [f"Unknown option. {nearest(name, list(schema.fields))}"]})
    return {"trigger": key, "options": schema.load(options)}


def parts(rule: Rule) -> tuple[Trigger, Options]:
    """The trigger and the options of a loaded rule."""
    return triggers()[rule["trigger"]], rule["options"]


def words(rule: Rule) -> str:
    """A rule as people say it: its noun, and the options that are not what they are by default."""
    trigger, options = parts(rule)
    usual = trigger.options().load({})
    said = [f"{name} {_plain(value)}" for name, value in options.items() if value != usual[name] and value is not None]
    return f"{trigger.noun} ({', '.join(said)})" if said else trigger.noun


def _plain(value: Any) -> str:
    return json.loads(text) if (text := canonical(value)).startswith('"') else text


class Asked(dict[str, Any]):
    """A loaded rule that knows its place among those that were asked for, which are in another order once loaded."""

    def __init__(self, rule: Rule, place: int) -> None:
        super().__init__(rule)
        self.place = place


def place_of(rule: Rule, number: int) -> int:
    """The place of a rule as it was asked for, for errors to name; `number` where it was not."""
    return rule.place if isinstance(rule, Asked) else number


def _always(text: str, *errors: str) -> dict[str, Any]:
    """One text for several errors of a field, which takes texts as format strings."""
    return dict.fromkeys(errors, text.replace("{", "{{").replace("}", "}}"))


class RuleSchema(Schema):
    """A trigger by its key, and its options; loaded through the trigger's own schema."""

    trigger = fields.String(
        required=True,
        error_messages=_always("Name a trigger, such as grade_threshold.", "required", "null", "invalid"),
        metadata=described("Trigger Key", "A trigger of the catalogue", list="triggers"),
    )
    options = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        error_messages=_always('Write options as an object, such as {"level": 80}.', "null", "invalid"),
        metadata=described("Options", "As that trigger takes them; empty means its own"),
    )

    @post_load
    def _canonical(self, rule: dict[str, Any], **_: Any) -> dict[str, Any]:
        key = rule["trigger"]
        if key not in triggers():
            raise ValidationError(f"There is no trigger {key[:40]!r}. {nearest(key, list(triggers()))}", "trigger")
        try:
            return loaded(key, rule["options"])
        except ValidationError as error:
            raise ValidationError({"options": error.messages}) from error


class RuleField(fields.Nested):
    """A rule as an object, or as the same in JSON text, which a query string can carry."""

    default_error_messages = _always(f"Write a rule as {WRITTEN}.", "null", "type")

    def __init__(self, refusal: Refusal, **options: Any) -> None:
        super().__init__(RuleSchema, **options)
        self.refusal = refusal

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        value = decoded(value)
        if not isinstance(value, dict):
            raise self.make_error("type", input=value)
        for name in value:
            if name not in PARTS:
                raise ValidationError({str(name)[:40]: [f"A rule has no such part. {nearest(str(name), PARTS)}"]})
        key = value.get("trigger")
        # before its options are looked at: one that may not stand here may hold rules itself, without end
        if isinstance(key, str) and key in triggers() and (reason := self.refusal(triggers()[key])):
            raise ValidationError({"trigger": [reason]})
        return super()._deserialize(value, *args, **kwargs)


class RulesField(fields.List[Any]):
    """Rules as a list, or as the same in JSON text. Loaded in canonical order; the same one twice is refused."""

    default_error_messages = _always(f"Write conditions as a list of rules: [{WRITTEN}, …].", "null", "invalid")

    def __init__(self, refusal: Refusal, **options: Any) -> None:
        super().__init__(RuleField(refusal), **options)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        # a parser of query strings may hand over a list of texts
        only = value[0] if isinstance(value, list) and len(value) == 1 else value
        rules: list[Any] = super()._deserialize(decoded(only) if isinstance(only, str) else value, *args, **kwargs)
        seen: dict[str, int] = {}
        for place, rule in enumerate(rules):
            first = seen.setdefault(canonical(rule), place)
            if first != place:
                raise ValidationError({place: [f"It asks the same as condition {first}: leave it out."]})
        return ordered([Asked(rule, place) for place, rule in enumerate(rules)])


def ordered(rules: list[Any]) -> list[Any]:
    """Loaded rules in canonical order: the same rules are one question in whatever order they are named."""
    return sorted(rules, key=canonical)


def decoded(value: Any) -> Any:
    """What a JSON text says; anything else as it is. Raises ValidationError for a text that is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        if len(value) > LONGEST:
            raise ValueError("too long")
        read = json.loads(value)
        json.dumps(read, ensure_ascii=False).encode()  # halves of surrogate pairs are no text
        return read
    except (ValueError, RecursionError):
        raise ValidationError(f"This is no JSON text. Write a rule as {WRITTEN}.") from None
