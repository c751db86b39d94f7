"""Replays over HTTP: count, start, watch, cancel."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from flask import g
from marshmallow import fields, validate

from integration.domain.payload import described
from integration.service import replaying
from integration.service.wiring import Gradewire
from integration.web import schemas
from integration.web.query import check_known, period
from integration.web.schemas import TrueOrFalse


def _text(label: str, text: str = "", **more: Any) -> fields.String:
    return fields.String(metadata=described(label, text), **more)


def _count(label: str, text: str) -> fields.Integer:
    return fields.Integer(required=True, metadata=described(label, text))


class ReplayIn(Schema):
    """What is to be sent again."""

    kind = fields.String(
        required=True,
        validate=validate.OneOf(replaying.KINDS),
        metadata=described(
            "Kind",
            "failed: what is dead or expired; held: what a disabled destination was owed; missing: events of the subscription's "
            "rule and scope that it was never owed, because it was paused for example",
        ),
    )
    destination_id = _text("Destination ID", "All of its subscriptions", allow_none=True, load_default=None)
    subscription_id = _text("Subscription ID", "Only this one", allow_none=True, load_default=None)
    since = _text(
        "Since",
        "ISO 8601 or milliseconds, at most 14 days ago; may be left out for held",
        allow_none=True,
        load_default=None,
    )
    until = _text("Until", "Before this time; none means now", allow_none=True, load_default=None)
    dry_run = TrueOrFalse(load_default=False, metadata=described("Dry Run", "Only count; nothing is sent"))


class ReplayQuery(Schema):
    """Which replays."""

    destination_id = _text("Destination ID")
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 500), metadata=described("Limit"))


class ReplayOut(Schema):
    """A replay and how far it is."""

    id = _text("Replay ID", "null for a dry run", required=True, allow_none=True)
    kind = _text("Kind", required=True)
    destination_id = _text("Destination ID", required=True)
    subscription_id = _text("Subscription ID", required=True, allow_none=True)
    since = fields.String(required=True, metadata=described("Since", format="date-time"))
    until = fields.String(required=True, metadata=described("Until", format="date-time"))
    status = _text(
        "Status",
        "waiting (for what is due to be tried), running, done, cancelled, failed; or dry_run",
        required=True,
    )
    counted = _count("Counted", "How many there were to send when it was asked for")
    done = _count("Done", "How many have been made due")
    error = _text("Error", required=True, allow_none=True)
    created_at = fields.String(required=True, metadata=described("Created At", format="date-time"))
    ended_at = fields.String(required=True, allow_none=True, metadata=described("Ended At", format="date-time"))


#: The answer to a dry run.
COUNTED: Any = {
    "description": "Counted only",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ReplayOut"}}},
}


def replay_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of replays."""
    api = APIBlueprint("replays", __name__, url_prefix="/v1/replays", tag="Replays")

    @api.post("")
    @api.input(ReplayIn)
    @api.output(ReplayOut, status_code=201)
    @api.doc(
        summary="Send again what failed, is held or is missing",
        description="A job that goes on in the background, one at a time for a destination. Events keep their ids.",
        responses={200: COUNTED, 404: "You have no such destination or subscription.", **schemas.CONFLICT},
    )
    def create(json_data: dict[str, Any]) -> Any:
        shown = replaying.ask(gradewire, g.owner.account_id, **json_data | period(json_data))
        return shown, 201 if shown["id"] else 200

    @api.get("")
    @api.input(ReplayQuery, location="query")
    @api.output(ReplayOut(many=True))
    @api.doc(summary="Your replays, newest first")
    def replays(query_data: dict[str, Any]) -> Any:
        check_known(ReplayQuery)
        return replaying.list_replays(gradewire, g.owner.account_id, **query_data)

    @api.get("/<replay_id>")
    @api.output(ReplayOut)
    @api.doc(summary="One replay, and how far it is")
    def replay(replay_id: str) -> Any:
        return replaying.get_replay(gradewire, g.owner.account_id, replay_id)

    @api.post("/<replay_id>/cancel")
    @api.output(ReplayOut)
    @api.doc(summary="End a replay; what is due already is still sent. Also fine where it is over")
    def cancel(replay_id: str) -> Any:
        return replaying.cancel(gradewire, g.owner.account_id, replay_id)

    return api
