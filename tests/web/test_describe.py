"""What is made of the catalogue: forms, tables, parameters."""

from __future__ import annotations

import dataclasses

import pytest
from marshmallow import Schema, fields, validate

from integration import channels, sources, triggers
from integration.derive.catalogue import describe_trigger
from integration.derive.describe import describe_input, describe_output, possible_options, possible_sources
from integration.derive.openapi import WINDOW, feed_query
from integration.domain.ids import canonical
from integration.domain.payload import described


def test_a_field_is_described_by_its_type_limits_and_words():
    class Form(Schema):
        size = fields.Float(load_default=1.5, validate=validate.Range(0, 9), metadata=described("Size", "How big", unit="cm"))
        kind = fields.String(required=True, validate=validate.OneOf(["a", "b"]))
        secret = fields.String(load_default=lambda: "made up", metadata=described("Secret", secret=True))
        parts = fields.List(fields.Integer())

    assert describe_input(Form) == [
        {"key": "size", "label": "Size", "help": "How big", "type": "number", "unit": "cm", "required": False, "default": 1.5,
         "min": 0, "max": 9},
        {"key": "kind", "label": "kind", "help": "kind", "type": "string", "required": True, "choices": ["a", "b"]},
        {"key": "secret", "label": "Secret", "help": "Secret", "type": "string", "secret": True, "required": False},
        {"key": "parts", "label": "parts", "help": "parts", "type": "array", "required": False},
    ]  # fmt: skip


@pytest.mark.parametrize("trigger", triggers.load().values(), ids=lambda trigger: trigger.key)
def test_every_trigger_says_all_that_its_sample_carries(trigger):
    assert {field["key"] for field in describe_output(trigger.payload)} == trigger.sample.keys()
    assert all(option["label"] and option["help"] for option in describe_input(trigger.options))
    assert set(trigger.sources(trigger.options().load({}))) <= set(possible_sources(trigger))


def test_a_choice_of_source_is_seen():
    assert possible_sources(triggers.load()["grade_changed"]) == ("trader_grades", "investor_grades", "tm_grade")


@pytest.mark.parametrize(
    ("key", "beside"),
    [("hourly_signal_flipped", "trading_signals"), ("signal_flipped", "trader_grades"), ("price_moved", "risk_30d")],
)
def test_what_stands_beside_the_clock_only_with_some_options_is_seen(key, beside):
    trigger = triggers.load()[key]
    assert beside in possible_sources(trigger)
    assert beside not in trigger.sources(trigger.options().load({}))


def test_options_that_need_another_one_are_tried_with_it():
    lines = {options["line"] for options in possible_options(triggers.load()["price_level"])}
    assert "own" in lines


@pytest.mark.parametrize("trigger", triggers.load().values(), ids=lambda trigger: trigger.key)
def test_what_goes_with_a_choice_names_a_choice_there_is(trigger):
    options = {option["key"]: option for option in describe_input(trigger.options)}
    for option in options.values():
        for told in ("when", "suits"):
            for other, values in option.get(told, {}).items():
                there = [True, False] if options[other]["type"] == "boolean" else options[other]["choices"]
                assert set(values) <= set(there), (option["key"], told)


@pytest.mark.parametrize("trigger", triggers.load().values(), ids=lambda trigger: trigger.key)
def test_every_preset_can_be_asked_for(trigger):
    for label, preset in trigger.presets.items():
        loaded = trigger.options().load(dict(preset))
        assert {key: loaded[key] for key in preset} == preset, label


def test_texts_that_hold_a_time_say_so_and_lists_say_what_they_hold():
    described = describe_trigger(triggers.load()["index_ranking"], sources.load())
    payload = {field["key"]: field for field in described["payload"]}
    assert payload["as_of"]["format"] == "date-time"
    assert "format" not in payload["summary"]
    assert {"symbol", "weight"} <= {field["key"] for field in payload["entered"]["fields"]}


@pytest.mark.parametrize("channel", channels.load().values(), ids=lambda channel: channel.key)
def test_every_channel_says_what_it_needs(channel):
    assert [field for field in describe_input(channel.config) if field["required"]]


def test_an_option_may_not_take_the_name_of_a_feeds_own_parameter():
    class Clash(Schema):
        limit = fields.Integer()

    trigger = triggers.load()["sharpe_threshold"]
    assert WINDOW.keys() < feed_query(trigger)().fields.keys()
    with pytest.raises(TypeError, match="limit"):
        feed_query(dataclasses.replace(trigger, options=Clash))


@pytest.mark.parametrize("trigger", triggers.load().values(), ids=lambda trigger: trigger.key)
def test_every_option_has_a_default_to_show_and_it_is_what_is_loaded(trigger):
    shown = {field["key"]: field["default"] for field in describe_input(trigger.options)}
    assert canonical(trigger.options().load(shown)) == canonical(trigger.options().load({}))
