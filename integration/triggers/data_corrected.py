"""Fires when an event of another rule, already told, would not have fired or would say something else on restated data.

Told events are never changed or taken back. Whenever a reading restates an earlier one, or comes late, what was told up
to then is compared with what the last versions of all readings known by then say; the first time they differ, one
correction is told for that time. What stands beside the rule's clock counts as it was known at each of the clock's
readings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from integration.domain.catalogue import Case, Lookback, Options, Trigger, semantics_of
from integration.domain.corrections import Correction, corrections
from integration.domain.history import Firing, History, Log, Told, max_gap
from integration.domain.ids import canonical, event_id
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.triggers._conditions import EXAMPLE, RuleField, loaded, parts, triggers

KEY = "data_corrected"
#: What is asked where nothing else is.
USUAL = "sharpe_threshold"
REASONS = {"would_not_have_fired": "would not have fired", "would_differ": "would differ"}


def _refusal(trigger: Trigger) -> str:
    """Why events of a trigger cannot be corrected."""
    return "Corrections are not corrected: name the trigger whose events you were told." if trigger.tell is not None else ""


class CorrectionOptions(Schema):
    """Whose events are watched."""

    of = RuleField(
        _refusal,
        load_default=lambda: loaded(USUAL, {}),
        metadata=described(
            "Of",
            "The rule whose events you were told: a trigger with its options, as an object or as JSON text",
            default={"trigger": USUAL},
            examples=[EXAMPLE, {"trigger": "grade_changed", "options": {"points": 5}}, {"trigger": USUAL, "options": {}}],
        ),
    )


class CorrectionPayload(EventPayload):
    """What was told, and what would be told now."""

    corrects = fields.String(required=True, metadata=described("Corrects", "The id of the event"))
    corrected_trigger = fields.String(required=True, metadata=described("Corrected Trigger", "Its trigger key"))
    corrected_label = fields.String(required=True, metadata=described("Corrected Label", "Its trigger in words"))
    corrected_as_of = fields.String(required=True, metadata=described("Corrected As Of", "The time that it was told for"))
    corrected_known_at = fields.String(required=True, metadata=described("Told At", "When Gradewire learnt of it"))
    reason = fields.String(required=True, metadata=described("Reason", "would_not_have_fired or would_differ"))
    old = fields.Dict(required=True, metadata=described("Old", "The event's own fields, as they were told"))
    new = fields.Dict(
        required=True,
        allow_none=True,
        metadata=described("New", "The same on restated data; empty where it would not have fired"),
    )
    changed_fields = fields.String(
        required=True, metadata=described("Changed Fields", "The names of the fields that differ, comma separated")
    )


def inside(options: Options) -> dict[str, tuple[Trigger, Options]]:
    """The rule whose events are watched."""
    return {"of": parts(options["of"])}


def sources(options: Options) -> tuple[str, ...]:
    """Those of the rule whose events are watched."""
    trigger, asked = parts(options["of"])
    return trigger.sources(asked)


def lookback(options: Options) -> Lookback:
    """That of the rule whose events are watched."""
    trigger, asked = parts(options["of"])
    return trigger.lookback(asked)


def scan(_history: History, _options: Options) -> list[Firing]:
    """Nothing: what was told cannot be seen in readings that are settled; see `tell`."""
    return []


def tell(log: Log, options: Options) -> list[Told]:
    """Corrections of what the rule told over a log, in the order they became known."""
    trigger, asked = parts(options["of"])
    reach = trigger.lookback(asked).total(max_gap(log.cadence))
    found = corrections(log, lambda history: trigger.scan(history, asked), reach)
    return [
        Told(Firing(each.told.firing.as_of, _fields(each, trigger, asked, log.subject)), each.known_at, each.restated)
        for each in found
    ]


def _fields(correction: Correction, trigger: Trigger, asked: Options, subject: str) -> dict[str, Any]:
    as_of, old = correction.told.firing.as_of, dict(correction.told.firing.fields)
    new = None if correction.now is None else dict(correction.now.fields)
    return {
        "corrects": event_id(trigger.key, semantics_of(trigger, asked), canonical(asked), subject, as_of),
        "corrected_trigger": trigger.key,
        "corrected_label": trigger.label,
        "corrected_as_of": iso(as_of),
        "corrected_known_at": iso(correction.told.known_at),
        "reason": "would_not_have_fired" if new is None else "would_differ",
        "old": old,
        "new": new,
        "changed_fields": ", ".join(name for name, value in (new or {}).items() if value != old[name]),
    }


def summary(event: Mapping[str, Any]) -> str:
    """One sentence; where the event would differ, it ends with what would have been told."""
    trigger = triggers()[event["corrected_trigger"]]
    what = f"the {trigger.noun} of {event['subject_name']} on {day_and_month(event['corrected_as_of'])}"
    if event["new"] is None:
        return f"Correction: on restated data {what} would not have fired."
    instead = trigger.summary({**event, **event["new"], "as_of": event["corrected_as_of"]})
    return f"Correction: on restated data {what} would read: {instead}"


_TIME, _TOLD = "2021-05-14T00:00:00Z", "2021-05-14T00:12:31Z"
_OLD = {
    "direction": "up",
    "level": 1.0,
    "sharpe": 1.06,
    "previous_sharpe": 0.94,
    "window": "90d",
    "relative_to_btc": False,
    "crossed_at": _TIME,
    "suppressed_count": 0,
}
_EXAMPLE = {
    "corrects": "evt_samplesamplesamplesamplesa",
    "corrected_trigger": "sharpe_threshold",
    "corrected_label": "New Sharpe Ratio Crossing",
    "corrected_as_of": _TIME,
    "corrected_known_at": _TOLD,
    "reason": "would_not_have_fired",
    "old": _OLD,
    "new": None,
    "changed_fields": "",
}


def _sharpe(*arrivals: tuple[float, float | None, float]) -> list[tuple[float, Any]]:
    """(day, Sharpe ratio, the day on which it became known)."""
    return [(day, {"sharpe": sharpe, "known_at": known_at}) for day, sharpe, known_at in arrivals]


def _grades(*arrivals: tuple[float, float, float]) -> list[tuple[float, Any]]:
    return [(day, {"tm_trader_grade": grade, "known_at": known_at}) for day, grade, known_at in arrivals]


_GRADE = {"of": {"trigger": "grade_changed", "options": {}}}

TRIGGER = Trigger(
    key=KEY,
    noun="Correction",
    label="New Correction",
    description="Triggers when an event already told would not have fired, or would say something else, on restated data.",
    semantics=1,
    subject="token",
    options=CorrectionOptions,
    payload=CorrectionPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    tell=tell,
    inside=inside,
    summary=summary,
    sample=sample(
        KEY,
        "New Correction",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        "Correction: on restated data the Sharpe Ratio Crossing of Bitcoin on 14 May 2021 would not have fired.",
        _TIME,
    ),
    fires=(
        Case(
            "the reading that made it fire is restated",
            {},
            _sharpe((0, 0.9, 0), (1, 1.1, 1), (1, 0.95, 1.5)),
            {1: {"reason": "would_not_have_fired", "new": None}},
        ),
        Case(
            "the reading before is restated: it was above already",
            {},
            _sharpe((0, 0.9, 0), (1, 1.1, 1), (2, 1.1, 2), (0, 1.2, 3)),
            {1: {"reason": "would_not_have_fired"}},
        ),
        Case(
            "it would have fired with other numbers",
            {},
            _sharpe((0, 0.9, 0), (1, 1.1, 1), (0, 0.8, 2)),
            {1: {"reason": "would_differ", "changed_fields": "previous_sharpe"}},
        ),
        Case(
            "a reading comes late: it crossed a day before",
            {},
            _sharpe((0, 0.9, 0), (2, 1.1, 2), (1, 1.2, 2.5)),
            {2: {"reason": "would_not_have_fired"}},
        ),
        Case(
            "a grade that was told is restated",
            _GRADE,
            _grades((0, 50, 0), (1, 65, 1), (2, 65, 2), (1, 52, 3)),
            {1: {"corrected_trigger": "grade_changed", "reason": "would_not_have_fired"}},
        ),
        Case(
            "it is corrected once, however often it is restated",
            {},
            _sharpe((0, 0.9, 0), (1, 1.1, 1), (0, 0.8, 2), (0, 1.2, 3), (1, 0.9, 4)),
            {1: {"reason": "would_differ"}},
        ),
    ),
    silent=(
        Case("nothing is restated or late", {}, [(0, {"sharpe": 0.9}), (1, {"sharpe": 1.1}), (2, {"sharpe": 0.8})]),
        Case("a restated reading changes nothing that was told", {}, _sharpe((0, 0.9, 0), (1, 1.1, 1), (2, 1.2, 2), (2, 1.3, 3))),
        Case("nothing was told", {}, _sharpe((0, 0.9, 0), (1, 0.8, 1), (0, 1.2, 2))),
        Case("it is restated before anything is told", {}, _sharpe((0, 0.9, 0), (0, 0.8, 0.5), (1, 1.1, 1))),
        Case("a late reading that is missing", {}, _sharpe((0, 0.9, 0), (2, 1.1, 2), (1, None, 3))),
    ),
)
