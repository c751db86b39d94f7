"""Watches: what is found for an account and kept in a feed, without being sent anywhere."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from flask import g
from marshmallow import fields

from integration.domain.payload import described
from integration.service import watches
from integration.service.wiring import Gradewire
from integration.web.schemas import Cost, PreviewIn


class WatchIn(PreviewIn):
    """What is to be watched."""


class WatchOut(Schema):
    """A feed that is kept, whether anybody reads it or not."""

    id = fields.String(required=True, metadata=described("Watch ID"))
    trigger = fields.String(required=True, metadata=described("Trigger Key"))
    label = fields.String(required=True, metadata=described("Trigger"))
    options = fields.Dict(keys=fields.String(), required=True, metadata=described("Options", "With every default"))
    scope = fields.Dict(keys=fields.String(), required=True, metadata=described("Scope", "In canonical form"))
    feed = fields.String(required=True, metadata=described("Feed", "Path and query under which its events are read"))
    created_at = fields.String(required=True, metadata=described("Created At", format="date-time"))


class WatchCreated(WatchOut):
    """A watch, and what it costs."""

    cost = fields.Nested(Cost, required=True)


THERE: Any = {
    "description": "It was there already",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/WatchCreated"}}},
}


def watch_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of watches."""
    api = APIBlueprint("watches", __name__, url_prefix="/v1/watches", tag="Watches")

    @api.post("")
    @api.input(WatchIn)
    @api.output(WatchCreated, status_code=201)
    @api.doc(
        summary="Watch for a rule's events, to read them in its feed",
        description="Nothing is sent. The feed is kept awake until the watch ends; the same again is the same watch.",
        responses={200: THERE},
    )
    def create(json_data: dict[str, Any]) -> Any:
        made, fresh = watches.create_watch(gradewire, g.owner.account_id, **json_data)
        return made, 201 if fresh else 200

    @api.get("")
    @api.output(WatchOut(many=True))
    @api.doc(summary="Your watches")
    def every() -> Any:
        return watches.list_watches(gradewire, g.owner.account_id)

    @api.get("/<watch_id>")
    @api.output(WatchOut)
    @api.doc(summary="One watch; 404 once it has ended")
    def watch(watch_id: str) -> Any:
        return watches.get_watch(gradewire, g.owner.account_id, watch_id)

    @api.delete("/<watch_id>")
    @api.output({}, status_code=204)
    @api.doc(summary="End a watch; also fine where it has ended already")
    def delete(watch_id: str) -> Any:
        watches.delete_watch(gradewire, g.owner.account_id, watch_id)
        return "", 204

    return api
