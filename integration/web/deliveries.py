"""What an account is owed, what was tried, and trying it again."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import g

from integration.service import overview, repeating
from integration.service.wiring import Gradewire
from integration.web import schemas
from integration.web.delivery_schemas import DeliveryOut, DeliveryQuery, DeliveryWithAttempts
from integration.web.query import check_known, period


def delivery_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of deliveries."""
    api = APIBlueprint("deliveries", __name__, url_prefix="/v1/deliveries", tag="Deliveries")

    @api.get("")
    @api.input(DeliveryQuery, location="query")
    @api.output(DeliveryOut(many=True))
    @api.doc(summary="What you are owed, newest first")
    def deliveries(query_data: dict[str, Any]) -> Any:
        check_known(DeliveryQuery)
        return overview.list_deliveries(gradewire, g.owner.account_id, **query_data | period(query_data))

    @api.get("/<int:delivery_id>")
    @api.output(DeliveryWithAttempts)
    @api.doc(summary="One delivery with every attempt")
    def delivery(delivery_id: int) -> Any:
        return overview.get_delivery(gradewire, g.owner.account_id, delivery_id)

    @api.post("/<int:delivery_id>/retry")
    @api.output(DeliveryOut)
    @api.doc(
        summary="Send it again, now, under the same id",
        description="Also where it was delivered. One that is being sent right now is left to that.",
        responses=schemas.CONFLICT,
    )
    def retry(delivery_id: int) -> Any:
        return repeating.retry(gradewire, g.owner.account_id, delivery_id)

    return api
