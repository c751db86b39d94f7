"""Destinations and subscriptions of an account, for every channel."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import g, request
from werkzeug.routing import BaseConverter

from integration.domain.errors import InvalidInput
from integration.service import destinations as ways_out
from integration.service import mending, subscribe
from integration.service.wiring import Gradewire
from integration.web import destination_schemas, schemas


def destination_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of destinations."""
    api = APIBlueprint("destinations", __name__, url_prefix="/v1/destinations", tag="Destinations")

    @api.post("")
    @api.input(destination_schemas.DestinationIn)
    @api.output(destination_schemas.DestinationCreated, status_code=201)
    @api.doc(summary="Set up a way out")
    def create(json_data: dict[str, Any]) -> Any:
        channel, config = json_data.pop("channel"), json_data.pop("config")
        return ways_out.create_destination(gradewire, g.owner.account_id, channel, config, **json_data)

    @api.get("")
    @api.output(destination_schemas.DestinationOut(many=True))
    @api.doc(summary="Your destinations")
    def destinations() -> Any:
        return ways_out.list_destinations(gradewire, g.owner.account_id)

    @api.get("/<destination_id>")
    @api.output(destination_schemas.DestinationOut)
    @api.doc(summary="One destination")
    def destination(destination_id: str) -> Any:
        return ways_out.get_destination(gradewire, g.owner.account_id, destination_id)

    @api.patch("/<destination_id>")
    @api.input(destination_schemas.DestinationEdit)
    @api.output(destination_schemas.DestinationOut)
    @api.doc(
        summary="Change what is said of it, or its settings",
        description="A new address holds for deliveries that wait already: they are tried again at once.",
        responses=schemas.CONFLICT,
    )
    def edit(destination_id: str, json_data: dict[str, Any]) -> Any:
        return mending.edit_destination(gradewire, g.owner.account_id, destination_id, **json_data)

    @api.post("/<destination_id>/rotate")
    @api.input(destination_schemas.RotateIn)
    @api.output(destination_schemas.DestinationCreated)
    @api.doc(
        summary="Give it a new signing secret, shown in this answer only",
        description="The old one signs beside it until the overlap ends, so that receivers can change theirs meanwhile.",
        responses=schemas.CONFLICT,
    )
    def rotate(destination_id: str, json_data: dict[str, Any]) -> Any:
        return mending.rotate_destination(gradewire, g.owner.account_id, destination_id, json_data["overlap_hours"])

    @api.delete("/<destination_id>")
    @api.output({}, status_code=204)
    @api.doc(summary="Remove a destination with its subscriptions; also fine where it is gone already")
    def delete(destination_id: str) -> Any:
        ways_out.delete_destination(gradewire, g.owner.account_id, destination_id)
        return "", 204

    @api.post("/<destination_id>/pause")
    @api.output(destination_schemas.DestinationOut)
    @api.doc(summary="Let its deliveries wait")
    def pause(destination_id: str) -> Any:
        return ways_out.set_destination(gradewire, g.owner.account_id, destination_id, "paused")

    @api.post("/<destination_id>/resume")
    @api.output(destination_schemas.DestinationOut)
    @api.doc(summary="Go on, also after it was disabled and has been mended")
    def resume(destination_id: str) -> Any:
        return ways_out.set_destination(gradewire, g.owner.account_id, destination_id, "active")

    @api.post("/<destination_id>/test")
    @api.output(destination_schemas.TestOut)
    @api.doc(summary="Send a made-up event there now, marked as one")
    def test(destination_id: str) -> Any:
        return ways_out.test_destination(gradewire, g.owner.account_id, destination_id)

    return api


class SubscriptionId(BaseConverter):
    """An id in a path; a name of its own there is none, so that it answers to its own methods alone."""

    regex = r"(?!preview$)[^/]+"


def subscription_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of subscriptions."""
    api = APIBlueprint("subscriptions", __name__, url_prefix="/v1/subscriptions", tag="Subscriptions")
    api.record(lambda setup: setup.app.url_map.converters.update(subscription=SubscriptionId))

    @api.post("")
    @api.input(schemas.SubscriptionIn)
    @api.output(schemas.SubscriptionCreated, status_code=201)
    @api.doc(
        summary="Have a trigger's events sent to a destination, from the next reading on",
        description="The same wish again is the same subscription; one that was a shadow then tells.",
        responses={404: "You have no such destination.", **schemas.CONFLICT},
    )
    def create(json_data: dict[str, Any]) -> Any:
        what = (json_data["trigger"], json_data["options"], json_data["scope"], json_data["destination_id"])
        how = {name: json_data[name] for name in ("shadow", "corrections", "manner")} | {"key_id": g.owner.key_id}
        return subscribe.create_subscription(gradewire, g.owner.account_id, *what, **how)

    @api.post("/preview")
    @api.input(schemas.PreviewIn)
    @api.output(schemas.PreviewOut)
    @api.doc(summary="What a subscription would be and cost; nothing is made")
    def preview(json_data: dict[str, Any]) -> Any:
        return subscribe.preview_subscription(gradewire, json_data["trigger"], json_data["options"], json_data["scope"])

    @api.get("")
    @api.output(schemas.SubscriptionOut(many=True))
    @api.doc(summary="Your subscriptions")
    def subscriptions() -> Any:
        return subscribe.list_subscriptions(gradewire, g.owner.account_id)

    @api.get("/<subscription:subscription_id>")
    @api.output(schemas.SubscriptionOut)
    @api.doc(summary="One subscription")
    def subscription(subscription_id: str) -> Any:
        return subscribe.get_subscription(gradewire, g.owner.account_id, subscription_id)

    @api.patch("/<subscription:subscription_id>")
    @api.input(schemas.SubscriptionEdit)
    @api.output(schemas.SubscriptionCreated)
    @api.doc(
        summary="Change its options, scope or manner, or let a shadow tell, from the next event on",
        description="It keeps its id and what it is owed. A new rule's past is told to nobody.",
        responses=schemas.CONFLICT,
    )
    def edit(subscription_id: str, json_data: dict[str, Any]) -> Any:
        if not request.get_data():
            raise InvalidInput("Name options, scope, shadow or manner: there is nothing to change.", field="options")
        return subscribe.edit_subscription(gradewire, g.owner.account_id, subscription_id, **json_data)

    @api.delete("/<subscription:subscription_id>")
    @api.output({}, status_code=204)
    @api.doc(summary="End a subscription; also fine where it has ended already")
    def delete(subscription_id: str) -> Any:
        subscribe.delete_subscription(gradewire, g.owner.account_id, subscription_id)
        return "", 204

    @api.post("/<subscription:subscription_id>/pause")
    @api.output(schemas.SubscriptionOut)
    @api.doc(summary="Stop telling; what happens meanwhile is not told later", responses=schemas.CONFLICT)
    def pause(subscription_id: str) -> Any:
        return subscribe.set_subscription(gradewire, g.owner.account_id, subscription_id, "paused")

    @api.post("/<subscription:subscription_id>/resume")
    @api.output(schemas.SubscriptionOut)
    @api.doc(summary="Tell again, from the next event on; a shadow is a shadow again", responses=schemas.CONFLICT)
    def resume(subscription_id: str) -> Any:
        return subscribe.set_subscription(gradewire, g.owner.account_id, subscription_id, "active")

    return api
