"""Random options and readings for any trigger, made from its schema and its own cases: a new trigger needs nothing here."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from marshmallow import ValidationError, fields, validate

from integration.domain.catalogue import Trigger
from integration.domain.history import History, Log
from integration.triggers import load
from tests.triggers.logs import DAY, history_of, loaded, log_of, others_of, source_of


def _choices(field: fields.Field[Any]) -> st.SearchStrategy[Any]:
    if "examples" in field.metadata:
        return st.sampled_from(field.metadata["examples"])
    for validator in field.validators:
        if isinstance(validator, validate.OneOf):
            return st.sampled_from(list(validator.choices))
        if isinstance(validator, validate.Range):
            low, high = validator.min, validator.max
            near = [value for value in (low, low + 1, low + 2, high) if low <= value <= high]
            if isinstance(field, fields.Integer):
                return st.sampled_from([int(value) for value in near]) | st.integers(int(low), int(high))
            return st.sampled_from([float(value) for value in near]) | st.floats(low, high)
    return st.booleans()


def options_of(trigger: Trigger) -> st.SearchStrategy[dict[str, Any]]:
    """Loaded options: those of a case, with up to three of the others at random."""
    given_by_cases = [case.options for case in (*trigger.fires, *trigger.silent)]
    each = {name: _choices(field) for name, field in trigger.options().fields.items()}

    @st.composite
    def draw_options(draw: st.DrawFn) -> dict[str, Any]:
        base = dict(draw(st.sampled_from(given_by_cases)))
        varied = {name: draw(each[name]) for name in draw(st.lists(st.sampled_from(list(each)), max_size=3, unique=True))}
        try:
            return loaded(trigger, {**base, **varied})
        except ValidationError:
            return loaded(trigger, base)

    return draw_options()


def _named(trigger: Trigger, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    return {"text": value} if isinstance(value, str) else {sys.modules[trigger.scan.__module__].METRIC: value}


def _rules(value: Any) -> Iterator[tuple[Trigger, Mapping[str, Any]]]:
    """The rules that loaded options hold, at any depth."""
    if isinstance(value, Mapping) and value.keys() == {"trigger", "options"}:
        yield load()[value["trigger"]], value["options"]
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _rules(each)


def _said(trigger: Trigger, options: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What the cases say of each name that these options' sources have; those of the rules that the options hold as well."""
    clock, others = source_of(trigger, options), others_of(trigger, options)
    possible = {metric.name for metric in clock.metrics} | {"text"}
    possible |= {f"{name}.{m}" for name, source in others.items() for m in (*(x.name for x in source.metrics), "text")}
    found: dict[str, list[Any]] = {}
    for speaker, asked in ((trigger, options), *_rules(options)):
        spoken = speaker.sources(asked)[0]
        prefix = "" if spoken == trigger.sources(options)[0] else f"{spoken}."
        for case in (*speaker.fires, *speaker.silent):
            for _, value in case.readings:
                for name, each in _named(speaker, value).items():
                    whole = name if "." in name else prefix + name
                    if whole in possible and each is not None:
                        found.setdefault(whole, []).append(each)
    return found


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    for each in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _floats(each)


def values_of(trigger: Trigger, options: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """One reading of the rule's clock and of what stands beside it: texts of the cases, or numbers near theirs and the options'.

    Mostly all numbers of a kind move together, as they would by chance almost never.
    """
    said = _said(trigger, options)
    asked = sorted(set(_floats(options)))
    near = [*asked, *(a - b for a in asked for b in asked), *(a + b for a in asked for b in asked)]
    numbers = sorted({0.0, *(float(v) for values in said.values() for v in values if isinstance(v, int | float))})
    wild = st.sampled_from([float("inf"), -1e308, 1e308])

    def number(own: Sequence[float]) -> st.SearchStrategy[Any]:
        pool = [*own, *near]
        some = st.sampled_from(pool) | st.sampled_from(pool).map(lambda v: v + 1e-7) | wild
        return st.one_of(some, some, some, st.none())

    each: dict[str, st.SearchStrategy[Any]] = {}
    for name, values in said.items():
        texts = sorted({v for v in values if isinstance(v, str)})
        own = sorted({0.0, *(float(v) for v in values if isinstance(v, int | float))})
        each[name] = st.sampled_from([*texts, None]) if texts else number(own)
    metrics = [metric.name for metric in source_of(trigger, options).metrics]
    if any("." in name or name == "text" for name in each):
        return st.fixed_dictionaries(each)
    together = number(numbers).map(lambda v: dict.fromkeys(metrics, v))
    return together | st.fixed_dictionaries(each) if len(each) > 1 else together


#: Steps between readings in tenths of the cadence: mostly one interval, some less, some more, some beyond any max_gap.
STEPS = st.sampled_from([10, 10, 10, 10, 10, 10, 10, 10, 1, 9, 11, 15, 20, 21, 25, 30, 31, 40])
#: How long a value stays: with readings ten days apart, 36 of them are as long as the memory of a side.
STAYS = st.sampled_from([1, 1, 1, 1, 1, 2, 3, 31, 34, 35, 36, 37])
#: With readings ten days or a month apart, a short log is longer than any memory.
CADENCES = st.sampled_from([DAY, 3_600_000, 10 * DAY, 30 * DAY])


def palette(draw: st.DrawFn, value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A few values that come again and again: sides are left and taken again more often than among many."""
    return st.sampled_from(draw(st.lists(value, min_size=2, max_size=6)))


@st.composite
def rules_with_history(draw: st.DrawFn, trigger: Trigger, max_size: int = 30) -> tuple[dict[str, Any], History]:
    """Loaded options and an in-order history with nulls, repeats, gaps and long quiet."""
    options = draw(options_of(trigger))
    source, cadence = source_of(trigger, options), draw(CADENCES)
    stay = STAYS if cadence == 10 * DAY else st.sampled_from([1, 1, 1, 2, 3])
    value = palette(draw, values_of(trigger, options))
    as_of, readings = 1_500_000 * 1000, []
    for step, stays, reading in draw(st.lists(st.tuples(STEPS, stay, value), max_size=max_size)):
        for again in range(stays):
            as_of += (10 if again else step) * cadence // 10
            readings.append((as_of, reading))
    return options, history_of(source, trigger, readings, cadence, others_of(trigger, options))


@st.composite
def rules_with_log(draw: st.DrawFn, trigger: Trigger, max_size: int = 25) -> tuple[dict[str, Any], Log]:
    """Loaded options and a log in which readings come late, twice, corrected, out of order or several at once."""
    options = draw(options_of(trigger))
    source, cadence = source_of(trigger, options), draw(CADENCES)
    value = palette(draw, values_of(trigger, options))
    arrival = st.tuples(
        st.sampled_from([1, 1, 1, 1, 2, 3, 5]),  # how far market time went on, in intervals
        st.sampled_from([0, 0, 0, 0, 0, 0, 1, 1, 2, 3]),  # how late the reading is, in intervals
        st.sampled_from([0, 0, 0, 4, 6]),  # and in tenths of one
        st.sampled_from([0, 1, 1, 1]),  # 0: in the same poll as the one before
        value,
    )
    newest, known_at, entries = 20 * cadence, 20 * cadence, []
    for forward, late, tenths, apart, reading in draw(st.lists(arrival, max_size=max_size)):
        on_time = not late and not tenths
        newest += forward * cadence if on_time else 0
        known_at += apart * cadence // 3
        as_of = newest - late * cadence - tenths * cadence // 10 if draw(st.booleans()) or on_time else newest
        entries.append((as_of, known_at, reading))
    return options, log_of(source, trigger, entries, cadence, others_of(trigger, options))
