"""Events on from a cursor."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from flask import Response, g, json
from marshmallow import INCLUDE, fields, validate
from werkzeug.routing import BaseConverter

from integration.domain.payload import EventPayload, described
from integration.service import event_log, firing, overview
from integration.service.wiring import Gradewire
from integration.store.queries.event_log import View
from integration.web import schemas
from integration.web.query import check_known, moment
from integration.web.schemas import TrueOrFalse

DEFAULT_LIMIT = 100


def _text(label: str, text: str = "", **more: Any) -> fields.String:
    return fields.String(metadata=described(label, text), **more)


class ViewQuery(Schema):
    """Which events."""

    trigger = _text("Trigger", "Only events of these triggers: keys, comma separated")
    subject = fields.String(metadata=described("Subject", "Only events about it: token:<id>, index:<id> or market"))
    subscription_id = _text("Subscription ID", "Only what is owed to this subscription")
    all = fields.Boolean(
        load_default=False, metadata=described("All", "Every event there is, not only those owed to your subscriptions")
    )
    since = _text("Since", "Only events known since this time: ISO 8601 or milliseconds since 1970")
    cursor = _text("Cursor", "Go on from here; none begins with the oldest event")


class EventsQuery(ViewQuery):
    """Which events, and how many at a time."""

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT, validate=validate.Range(1, event_log.MOST), metadata=described("Limit", "Events at most")
    )


class AnyEvent(EventPayload):
    """An event of any trigger, which adds fields of its own."""

    class Meta:
        """Fields of its trigger are not listed here."""

        unknown = INCLUDE


class OneEvent(AnyEvent):
    """An event of any trigger, which adds fields of its own."""


class EventsOut(Schema):
    """Events, oldest first, and where to go on."""

    events = fields.List(fields.Nested(AnyEvent), required=True, metadata=described("Events"))
    cursor = _text("Cursor", "Send it to go on after these", required=True)
    more = TrueOrFalse(
        required=True, metadata=described("More", "Whether there is more by now; true even after an empty answer, so go on")
    )


class TestIn(Schema):
    """A test event to make."""

    trigger = _text("Trigger", "The key of a trigger", required=True)
    subject = _text(
        "Subject", "token:<id>, index:<id>, or a symbol or name; none means the sample's", allow_none=True, load_default=None
    )
    destination_id = _text("Destination ID", "Deliver it there", allow_none=True, load_default=None)
    subscription_id = _text("Subscription ID", "Deliver it as this subscription's", allow_none=True, load_default=None)


class TestEventOut(Schema):
    """A test event that was made."""

    event = fields.Nested(AnyEvent, required=True)
    delivery_id = fields.Integer(
        required=True, allow_none=True, metadata=described("Delivery ID", "Where it goes to a destination; watch it by this")
    )


class EventId(BaseConverter):
    """An id in a path; a name of its own there is none, so that it answers to its own methods alone."""

    regex = r"(?!(?:stream|test|latest)$)[^/]+"


def event_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of events."""
    api = APIBlueprint("events", __name__, url_prefix="/v1/events", tag="Events")
    api.record(lambda setup: setup.app.url_map.converters.update(event=EventId))
    any_event: Any = OneEvent

    @api.get("/<event:event_id>")
    @api.output(any_event)
    @api.doc(summary="One event")
    def event(event_id: str) -> Response:
        return Response(overview.event_text(gradewire, event_id, g.owner.account_id), mimetype="application/json")

    @api.get("")
    @api.input(EventsQuery, location="query")
    @api.output(EventsOut)
    @api.doc(
        summary="Events in the order they were found, on from a cursor",
        description="Nothing is ever added before a cursor: who keeps the last one and goes on from it misses none. To rewind, "
        "send an older one, or since. By default each event owed to a subscription of yours comes once.",
        responses={400: "The cursor is none, or none of this database.", 404: "You have no such subscription."},
    )
    def events(query_data: dict[str, Any]) -> Response:
        check_known(EventsQuery)
        view = view_asked(gradewire, g.owner.account_id, query_data, tests=not query_data["all"])
        after = event_log.begin(gradewire, view, query_data.get("cursor"))
        page = event_log.read(gradewire, view, after, query_data["limit"])
        texts = ",".join(event.text for event in page.events)
        body = f'{{"events":[{texts}],"cursor":"{page.cursor}","more":{"true" if page.more else "false"}}}'
        return Response(body, mimetype="application/json")

    @api.post("/test")
    @api.input(TestIn)
    @api.output(TestEventOut, status_code=201)
    @api.doc(
        summary="Make a test event, marked as one, and deliver it as a real one",
        description="Without destination and subscription it only reaches readers of your event list and its stream.",
        responses={404: "You have no such destination or subscription.", **schemas.CONFLICT},
    )
    def test(json_data: dict[str, Any]) -> Response:
        made = firing.fire(gradewire, g.owner.account_id, json_data.pop("trigger"), **json_data)
        return Response(json.dumps(made), status=201, mimetype="application/json")

    return api


def view_asked(gradewire: Gradewire, account_id: str, query: dict[str, Any], *, tests: bool) -> View:
    """What a query asks to see."""
    return event_log.view_of(
        gradewire,
        account_id,
        everything=query["all"],
        tests=tests,
        triggers=query.get("trigger"),
        subject=query.get("subject"),
        subscription_id=query.get("subscription_id"),
        since=moment(query["since"]) if query.get("since") else None,
    )
