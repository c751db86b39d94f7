"""What every trigger promises, whatever it is about."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from marshmallow import RAISE, Schema, ValidationError, fields, missing, validate

from integration.domain import ids
from integration.domain.catalogue import Case, Trigger, semantics_of, split_source, told_by
from integration.domain.history import Firing
from integration.domain.payload import EventPayload, iso
from integration.sources import load as load_sources
from integration.triggers import load
from tests.triggers.logs import DAY, case_history, case_log, cut, loaded, others_of, plain, source_of

TRIGGERS = load()
EVERY = pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
CASES = [(t, case) for t in TRIGGERS.values() for case in (*t.fires, *t.silent)]
EVERY_CASE = pytest.mark.parametrize(("trigger", "case"), CASES, ids=[f"{t.key}: {case.name}" for t, case in CASES])
COMMON = set(EventPayload().fields)

#: One file a trigger: canonical default options, event id, rule id; the event at token:3375 and 2021-05-14T00:00:00Z.
GOLDEN = Path(__file__).with_name("golden")


def own_fields(trigger: Trigger) -> set[str]:
    return set(trigger.payload().fields) - COMMON


def asked(schema: Schema) -> dict[str, Any]:
    """Options as a query string says them: only strings, JSON for what is none of its own; what is empty is left out."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in schema.load({}).items()
        if value is not None
    }


@EVERY
def test_it_says_what_zapier_lets_a_trigger_say(trigger: Trigger) -> None:
    assert re.fullmatch(r"[a-zA-Z]+[a-zA-Z0-9_]*", trigger.key)
    assert len(trigger.key) >= 2
    assert trigger.label.startswith("New ")
    assert 2 <= len(trigger.label) <= 64
    assert all(word[0].isupper() for word in trigger.label.split())
    assert 2 <= len(trigger.noun) <= 255
    assert re.fullmatch(r"Triggers when [^.]+\.", trigger.description)
    assert len(trigger.description) <= 1000


@EVERY
def test_its_key_is_its_file_and_its_first_docstring_sentence_says_when_it_fires(trigger: Trigger) -> None:
    module = trigger.scan.__module__
    assert module == f"integration.triggers.{trigger.key}"
    assert (__import__(module, fromlist=["x"]).__doc__ or "").startswith("Fires when ")


def fired(trigger: Trigger, case: Case) -> list[Firing]:
    """What a case tells, in order of as_of."""
    options = loaded(trigger, case.options)
    told = told_by(trigger, options, case_log(trigger, options, case.readings))
    return sorted((each.firing for each in told), key=lambda firing: firing.as_of)


@EVERY_CASE
def test_each_case_fires_on_the_named_days_with_the_named_fields_and_nowhere_else(trigger: Trigger, case: Case) -> None:
    firings = fired(trigger, case)
    assert [firing.as_of for firing in firings] == [round(day * DAY) for day in sorted(case.fires)]
    for firing, day in zip(firings, sorted(case.fires), strict=True):
        wanted = case.fires[day]
        assert {name: firing.fields[name] for name in wanted} == wanted


@EVERY
def test_it_has_cases_that_fire_and_cases_that_are_silent(trigger: Trigger) -> None:
    assert len(trigger.fires) >= 3
    assert len(trigger.silent) >= 3
    assert all(case.fires for case in trigger.fires)
    assert not any(case.fires for case in trigger.silent)


@EVERY_CASE
def test_a_single_reading_is_silent(trigger: Trigger, case: Case) -> None:
    options = loaded(trigger, case.options)
    for _, value in case.readings:
        assert trigger.scan(case_history(trigger, options, [(7, value)]), options) == []


@EVERY
def test_no_reading_at_all_is_silent(trigger: Trigger) -> None:
    options = loaded(trigger, {})
    assert trigger.scan(case_history(trigger, options, []), options) == []


@EVERY_CASE
def test_a_firing_has_exactly_the_own_fields_and_makes_a_valid_event_and_a_sentence(trigger: Trigger, case: Case) -> None:
    for firing in fired(trigger, case):
        assert set(firing.fields) == own_fields(trigger) - set(trigger.more(trigger.sample))
        event = {**trigger.sample, **firing.fields, "as_of": iso(firing.as_of)}
        event["summary"] = trigger.summary(event)
        event |= trigger.more(event)
        decoded = json.loads(json.dumps(event, allow_nan=False))
        trigger.payload(unknown=RAISE).load(decoded)
        assert_types(trigger.payload(), decoded)
        assert event["subject_name"] in event["summary"] or trigger.subject == "market"
        assert event["summary"].endswith(".")


def assert_types(schema: Schema, event: dict[str, Any]) -> None:
    """Loading is forgiving ("1" is a number); what a reader gets is not."""
    types: dict[type, Any] = {fields.String: str, fields.Float: float, fields.Boolean: bool, fields.Integer: int}
    for name, field in schema.fields.items():
        if event[name] is None:
            assert field.allow_none
        elif type(field) in types:
            assert type(event[name]) is types[type(field)], name


@EVERY
def test_the_sample_is_a_valid_event_with_exactly_the_payloads_keys(trigger: Trigger) -> None:
    sample = json.loads(json.dumps(trigger.sample, allow_nan=False))
    assert set(sample) == set(trigger.payload().fields)
    trigger.payload(unknown=RAISE).load(sample)
    assert_types(trigger.payload(), sample)
    assert sample["is_sample"] is True
    assert (sample["trigger"], sample["label"]) == (trigger.key, trigger.label)
    subject = trigger.subject if sample["subject_id"] is None else f"{trigger.subject}:{sample['subject_id']}"
    assert sample["subject"] == subject
    assert re.fullmatch(r"evt_[a-z2-7]{26}", sample["id"])


@EVERY
def test_the_sample_carries_its_own_summary(trigger: Trigger) -> None:
    assert trigger.summary(trigger.sample) == trigger.sample["summary"]


@EVERY
def test_own_payload_fields_hide_no_common_field(trigger: Trigger) -> None:
    for name, field in EventPayload().fields.items():
        assert type(trigger.payload().fields[name]) is type(field)
    assert own_fields(trigger)


@EVERY
def test_every_option_and_payload_field_is_described(trigger: Trigger) -> None:
    for schema in (trigger.options(), trigger.payload()):
        for field in schema.fields.values():
            assert field.metadata["label"][0].isupper()
            assert field.metadata["description"]
    assert all(field.required for field in trigger.payload().fields.values())


@EVERY
def test_every_option_has_a_default(trigger: Trigger) -> None:
    assert all(field.load_default is not missing for field in trigger.options().fields.values())
    assert set(loaded(trigger, {})) == set(trigger.options().fields)


@EVERY
def test_an_unknown_option_is_refused(trigger: Trigger) -> None:
    with pytest.raises(ValidationError, match="Unknown field"):
        loaded(trigger, {"tresshold": 1})


@EVERY
def test_a_value_that_is_no_number_is_refused(trigger: Trigger) -> None:
    for name, field in trigger.options().fields.items():
        if isinstance(field, fields.Integer | fields.Float):
            for wrong in ("nan", "inf", "-inf", "much", True, [1], 1e300, float("nan"), "1_0", "١٢", "１", "0x1", "1,5", "1 0"):
                with pytest.raises(ValidationError) as refused:
                    loaded(trigger, {name: wrong})
                assert list(refused.value.messages) == [name]


@EVERY
def test_a_part_of_a_whole_is_refused_with_the_nearest_whole_number(trigger: Trigger) -> None:
    for name, field in trigger.options().fields.items():
        if isinstance(field, fields.Integer):
            (span,) = (check for check in field.validators if isinstance(check, validate.Range))
            for wrong, near in ((span.min + 0.4, span.min), (str(span.max - 0.4), span.max), (span.min - 0.6, span.min)):
                with pytest.raises(ValidationError) as refused:
                    loaded(trigger, {name: wrong})
                assert refused.value.messages == {name: [f"Must be a whole number, such as {near}."]}


@EVERY
def test_defaults_given_as_in_a_query_string_are_the_same_rule(trigger: Trigger) -> None:
    schema = trigger.options()
    assert ids.canonical(schema.load(asked(schema))) == ids.canonical(schema.load({}))


@EVERY_CASE
def test_canonical_options_load_again_as_the_same_rule(trigger: Trigger, case: Case) -> None:
    text = ids.canonical(loaded(trigger, case.options))
    assert ids.canonical(loaded(trigger, json.loads(text))) == text


@EVERY_CASE
def test_options_read_back_from_their_canonical_text_fire_the_same(trigger: Trigger, case: Case) -> None:
    options = loaded(trigger, case.options)
    again = loaded(trigger, json.loads(ids.canonical(options)))
    history = case_history(trigger, options, case.readings)
    assert json.dumps(plain(trigger.scan(history, again))) == json.dumps(plain(trigger.scan(history, options)))


@EVERY
def test_ids_are_the_golden_ones(trigger: Trigger) -> None:
    options = loaded(trigger, {})
    canonical, semantics = ids.canonical(options), semantics_of(trigger, options)
    event = ids.event_id(trigger.key, semantics, canonical, "token:3375", 1_620_950_400_000)
    rule = ids.rule_id(trigger.key, semantics, canonical)
    assert (GOLDEN / f"{trigger.key}.txt").read_text(encoding="utf-8") == f"{canonical}\n{event}\n{rule}\n"


def test_every_golden_file_is_a_triggers() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(TRIGGERS)


def test_ids_of_all_cases_differ_unless_the_question_is_the_same() -> None:
    asked_by: dict[str, set[tuple[str, str, str, float]]] = {}
    for trigger, case in CASES:
        canonical = ids.canonical(loaded(trigger, case.options))
        for day in case.fires:
            for subject in ("token:1", "token:11"):
                event = ids.event_id(trigger.key, trigger.semantics, canonical, subject, round(day * DAY))
                asked_by.setdefault(event, set()).add((trigger.key, canonical, subject, day))
    assert asked_by
    assert all(len(questions) == 1 for questions in asked_by.values())


@EVERY_CASE
def test_its_sources_exist_and_are_about_its_subject(trigger: Trigger, case: Case) -> None:
    clock, *others = trigger.sources(loaded(trigger, case.options))
    assert load_sources()[clock].subject == trigger.subject
    for name in others:
        key, one = split_source(name)
        assert load_sources()[key].subject == (one.partition(":")[0] if one else load_sources()[key].subject)
        assert one or load_sources()[key].subject in (trigger.subject, "market")


@EVERY_CASE
def test_scan_reads_what_is_read_only(trigger: Trigger, case: Case) -> None:
    options = loaded(trigger, case.options)
    before = json.dumps(options, sort_keys=True)
    history = case_history(trigger, options, case.readings)
    assert not history.values.flags.writeable
    values = history.values.tobytes()
    trigger.scan(history, options)
    assert json.dumps(options, sort_keys=True) == before
    assert history.values.tobytes() == values


@EVERY_CASE
def test_case_prefixes_fire_a_prefix(trigger: Trigger, case: Case) -> None:
    options = loaded(trigger, case.options)
    history = case_history(trigger, options, case.readings)
    whole = plain(trigger.scan(history, options))
    for stop in range(len(history.as_of) + 1):
        known = [firing for firing in whole if firing[0] in history.as_of[:stop]]
        assert plain(trigger.scan(cut(history, 0, stop), options)) == known


@EVERY
def test_extreme_numbers_neither_fail_nor_warn(trigger: Trigger) -> None:
    options = loaded(trigger, {})
    extremes = [1e308, -1e308, 0.0, -0.0, 5e-324, float("inf"), float("-inf"), None, 1e308, 1e308]
    metrics = [metric.name for metric in source_of(trigger, options).metrics]
    metrics += [f"{name}.{m.name}" for name, source in others_of(trigger, options).items() for m in source.metrics]
    readings = [(day, dict.fromkeys(metrics, value)) for day, value in enumerate(extremes)]
    for firing in trigger.scan(case_history(trigger, options, readings), options):
        assert trigger.summary({**trigger.sample, **firing.fields})
