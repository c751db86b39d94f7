"""What the API takes and gives. Each shape validates, serialises and documents."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from marshmallow import fields, validate

from integration.domain.numerals import Whole
from integration.domain.payload import described


def _text(label: str, text: str = "", **more: Any) -> fields.String:
    return fields.String(metadata=described(label, text), **more)


def _when(label: str, **more: Any) -> fields.String:
    return fields.String(metadata=described(label, format="date-time"), **more)


def _free(label: str, text: str, **more: Any) -> fields.Dict:
    return fields.Dict(keys=fields.String(), metadata=described(label, text), **more)


def _address() -> fields.String:
    about = described("Address", "Begins with https://", format="uri", minLength=1)
    return fields.String(required=True, validate=validate.Length(1, 2000), metadata=about)


def cursor() -> fields.String:
    """The header that says where to go on."""
    return _text("Cursor", "The newest event's id: send it as after_id to get only what came later")


class TrueOrFalse(fields.Boolean):
    """Just that: neither 1 nor "yes"."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class ErrorBody(Schema):
    """What went wrong."""

    code = _text("Code", "For programs", required=True)
    message = fields.String(
        required=True, validate=validate.Length(max=249), metadata=described("Message", "For people: what is wrong, what to do")
    )
    field = _text("Field", "The field that is wrong, if it is one", required=True, allow_none=True)


class Error(Schema):
    """Every error."""

    error = fields.Nested(ErrorBody, required=True)


class Me(Schema):
    """Who asks."""

    id = _text("Account ID", required=True)
    email = _text("E-mail", required=True)
    key_prefix = _text("Key", "The start of the key that was sent", required=True)
    plan = _text("Plan", "The Token Metrics plan that is polled with", required=True)
    sandbox = fields.Boolean(required=True, metadata=described("Sandbox", "True where the market is Gradewire's sandbox"))


class TriggerOut(Schema):
    """A trigger of the catalogue."""

    key = _text("Key", required=True)
    noun = _text("Noun", required=True)
    label = _text("Label", required=True)
    description = _text("Description", required=True)
    subject = fields.String(required=True, validate=validate.OneOf(["token", "index", "market"]))
    options = fields.List(_free("Option", "Key, label, help, type, default, choices, unit, min, max, when, suits"), required=True)
    presets = fields.List(_free("Preset", "Options that people often ask for, by what they call them"), required=True)
    scope = fields.List(_free("Scope", "Ways to say who is watched; at most one may be given"), required=True)
    payload = fields.List(_free("Payload Field", "Key, label, help, type, nullable, unit, format, fields"), required=True)
    sources = fields.List(
        _free("Source", "What is polled for it: how often, the calls a month that takes, whether it can be had"),
        required=True,
    )
    available = fields.Boolean(required=True, metadata=described("Available", "Whether it can be subscribed to here"))
    reason = _text("Reason", "Why not, if not", required=True, allow_none=True)
    sample = _free("Sample", "A made-up event", required=True)


class NumberChoice(Schema):
    """An entry of a dropdown."""

    id = fields.Integer(required=True)
    name = _text("Name", required=True)


class TextChoice(Schema):
    """An entry of a dropdown."""

    id = _text("ID", required=True)
    name = _text("Name", required=True)


class ListQuery(Schema):
    """Part of a dropdown."""

    q = fields.String(
        load_default="", validate=validate.Length(max=100), metadata=described("Search", "Part of a name or symbol")
    )
    page = Whole(load_default=0, validate=validate.Range(0, 1000), metadata=described("Page", "From 0; 100 a page"))


class Cost(Schema):
    """What a wish costs in upstream calls, how old its data are on this plan, and how often it may come true."""

    calls_a_month = fields.Integer(required=True, metadata=described("Calls a Month", "What polling for this takes"))
    added_calls_a_month = fields.Integer(required=True, metadata=described("Added", "Of these, what nobody else causes yet"))
    total_calls_a_month = fields.Integer(required=True, metadata=described("Total", "What all wishes take, with this one"))
    plan_calls_a_month = fields.Integer(required=True, metadata=described("Of the Plan's", "Calls a month that the plan has"))
    calls_taken = fields.Integer(required=True, metadata=described("Taken", "Calls taken in this month so far"))
    data_age_days = fields.Integer(required=True, metadata=described("Age of Data", "Days that the plan withholds", unit="days"))
    events_a_year = fields.Float(
        required=True,
        allow_none=True,
        metadata=described("Events a Year", "Estimated from what is stored; null where that is too little"),
    )
    text = _text("In Words", "All of it in a sentence", required=True)


class HookIn(Schema):
    """A webhook subscription."""

    target_url = _address()
    event = _text("Event", "The key of a trigger", required=True)
    options = _free("Options", "Of the trigger; what is left out has its default", load_default=dict)
    scope = _free("Scope", "Who is watched; none means any", load_default=dict)
    filters = _free("Filters", "Options and scope in one, where a tool has one form for both", load_default=dict)
    secret = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=200),
        metadata=described("Signing Secret", "whsec_ and base64 of 24 to 64 bytes; none makes one"),
    )
    corrections = TrueOrFalse(
        load_default=None,
        allow_none=True,
        metadata=described("Corrections", "Also tell where an event would not have fired on restated data; none means no"),
    )
    bundle = TrueOrFalse(
        load_default=None,
        allow_none=True,
        metadata=described("Bundle", "Send what a poll brings as one object, its events in it; none means no"),
    )


class HookQuery(Schema):
    """Which hooks."""

    target_url = _text("Address", "Only hooks at this address")
    event = _text("Event", "Only hooks of this trigger")


class HookOut(Schema):
    """A webhook subscription."""

    id = _text("Hook ID", required=True)
    event = _text("Event", required=True)
    target_url = _text("Address", required=True)
    destination_id = _text("Destination ID", "To rotate its secret or to set headers", required=True)
    options = _free("Options", "With every default", required=True)
    scope = _free("Scope", "In canonical form", required=True)
    status = _text("Status", "active or paused", required=True)
    reason = _text("Reason", required=True, allow_none=True)
    corrections = fields.Boolean(required=True, metadata=described("Corrections", "Whether corrections are told too"))
    bundle = fields.Boolean(required=True, metadata=described("Bundle", "Whether a poll comes as one"))
    created_at = _when("Created At", required=True)


class HookCreated(HookOut):
    """A webhook subscription, and what it costs; its secret is shown only here, and only where it is new."""

    secret = _text(
        "Signing Secret",
        "Check Standard Webhooks signatures with it; null where it was shown before",
        required=True,
        allow_none=True,
    )
    cost = fields.Nested(Cost, required=True)


#: The answer to a POST of a hook that is there already.
HOOK_THERE: Any = {
    "description": "It was there already",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/HookCreated"}}},
}
CONFLICT = {409: "It contradicts what is already there."}


def _manner(without: str) -> fields.String:
    text = "each: every event by itself; grouped: more than five of a poll, or thirty in an hour, as a digest; "
    text += f"bundle: what a poll brings as one; {without}"
    manners = validate.OneOf(["each", "grouped", "bundle"])
    return fields.String(load_default=None, allow_none=True, validate=manners, metadata=described("Manner", text))


class SubscriptionIn(Schema):
    """A wish: a rule's events, within a scope, at a destination."""

    trigger = _text("Trigger", "The key of a trigger", required=True)
    options = _free("Options", "Of the trigger; what is left out has its default", load_default=dict)
    scope = _free("Scope", "Who is watched; none means any", load_default=dict)
    destination_id = _text("Destination ID", required=True)
    shadow = TrueOrFalse(
        load_default=False,
        metadata=described("Shadow", "Only record what it would send, until it is wished for or changed to be no shadow"),
    )
    corrections = TrueOrFalse(
        load_default=None,
        allow_none=True,
        metadata=described(
            "Corrections", "Also tell where an event would not have fired on restated data; none means webhooks only"
        ),
    )
    manner = _manner("none means what the channel is used to: chat and e-mail group")


class SubscriptionEdit(Schema):
    """What a wish is changed to. What is left out stays as it is."""

    options = _free(
        "Options", "Of the trigger, all of them: what is left out of these has its default", load_default=None, allow_none=True
    )
    scope = _free("Scope", "Who is watched; empty means any", load_default=None, allow_none=True)
    manner = _manner("none means as it is")
    shadow = TrueOrFalse(
        load_default=None, allow_none=True, metadata=described("Shadow", "false lets a shadow tell, from the next event on")
    )


class SubscriptionOut(Schema):
    """A wish."""

    id = _text("Subscription ID", required=True)
    trigger = _text("Trigger", required=True)
    options = _free("Options", "With every default", required=True)
    scope = _free("Scope", "In canonical form", required=True)
    destination_id = _text("Destination ID", required=True)
    channel = _text("Channel", required=True)
    destination = _text("Destination", required=True)
    status = _text("Status", "active, paused, shadow (what it would send is only recorded) or ended", required=True)
    reason = _text("Reason", required=True, allow_none=True)
    shadow = fields.Boolean(required=True, metadata=described("Shadow", "Whether it only records, also after a pause"))
    corrections = fields.Boolean(required=True, metadata=described("Corrections", "Whether corrections are told too"))
    manner = _text("Manner", "each event by itself, grouped into digests, or a bundle of each poll", required=True)
    created_at = _when("Created At", required=True)


class SubscriptionCreated(SubscriptionOut):
    """A new wish, and what it costs."""

    cost = fields.Nested(Cost, required=True)


class PreviewIn(Schema):
    """A wish that is not made yet."""

    trigger = _text("Trigger", "The key of a trigger", required=True)
    options = _free("Options", "Of the trigger; what is left out has its default", load_default=dict)
    scope = _free("Scope", "Who is watched; none means any", load_default=dict)


class PreviewOut(Schema):
    """What a wish would be, and what it would cost."""

    trigger = _text("Trigger", required=True)
    options = _free("Options", "With every default", required=True)
    scope = _free("Scope", "In canonical form", required=True)
    cost = fields.Nested(Cost, required=True)
