"""Options that are taken can fire: for each there is a history, within what its metrics can be, at which the rule does."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError, fields, validate

from integration.domain.catalogue import Trigger
from integration.triggers import load
from integration.triggers._conditions import RuleField
from tests.laws import examples
from tests.triggers.logs import loaded
from tests.triggers.reach import Search

TRIGGERS = load()
EVERY = pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)


def within(check: validate.Range) -> Callable[[float], bool]:
    return lambda value: bool(check.min <= value <= check.max)


def choices(field: fields.Field[Any]) -> st.SearchStrategy[Any]:
    """Anything a field takes, most often an end of its range or a number that people write."""
    if isinstance(field, RuleField):
        return st.sampled_from([each for each in TRIGGERS.values() if not field.refusal(each)]).flatmap(
            lambda each: st.fixed_dictionaries({"trigger": st.just(each.key), "options": taken(each)})
        )
    if "examples" in field.metadata:
        return st.sampled_from(field.metadata["examples"])
    for check in field.validators:
        if isinstance(check, validate.OneOf):
            return st.sampled_from(list(check.choices))
        if isinstance(check, validate.Range):
            low, high = check.min, check.max
            usual = [value for value in (0, 1, 2, 5, 50, 99, 99.99, 100) if low <= value <= high]
            if isinstance(field, fields.Integer):
                return st.sampled_from([low, high, low + 1, high - 1]) | st.integers(int(low), int(high))
            rounded = st.floats(low, high).map(lambda value: round(value, 2)).filter(within(check))
            return st.sampled_from([low, high, *usual]) | rounded
    return st.booleans() if isinstance(field, fields.Boolean) else st.just(field.load_default)


@st.composite
def taken(draw: st.DrawFn, trigger: Trigger) -> dict[str, Any]:
    """Options that are taken: any at all, of which those are left out again that are refused."""
    each = trigger.options().fields
    names = draw(st.lists(st.sampled_from(list(each)), unique=True, max_size=len(each)))
    asked = {name: draw(choices(each[name])) for name in names}
    while True:
        try:
            return loaded(trigger, asked)
        except ValidationError:
            asked.popitem()


@EVERY
@examples(25)
@given(data=st.data())
def test_what_is_taken_can_fire(trigger: Trigger, data: st.DataObject) -> None:
    options = data.draw(taken(trigger))
    assert Search(trigger, options, Random(0)).fires(), f"{trigger.key} can never fire: {json.dumps(options)}"
