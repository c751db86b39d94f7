"""What an owner was told beside the events: a destination that fails or was disabled, a rule that flaps."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from apiflask.fields import Integer, String
from apiflask.validators import Range
from flask import g

from integration.domain.payload import described
from integration.service import overview
from integration.service.wiring import Gradewire


class NoticeQuery(Schema):
    """How many."""

    limit = Integer(load_default=20, validate=Range(1, 100), metadata=described("Limit", "1 to 100"))


class NoticeOut(Schema):
    """A notice; each was told by e-mail too, where a mail server is set."""

    kind = String(required=True, metadata=described("Kind", "failing, refused, disabled, recovered or flapping"))
    at = String(required=True, metadata=described("At"))
    title = String(required=True, metadata=described("Title"))
    text = String(required=True, metadata=described("Text"))
    destination_id = String(required=True, allow_none=True, metadata=described("Destination ID", "None where it is about none"))


def notice_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of notices."""
    api = APIBlueprint("notices", __name__, url_prefix="/v1/notices", tag="Notices")

    @api.get("")
    @api.input(NoticeQuery, location="query")
    @api.output(NoticeOut(many=True))
    @api.doc(summary="What you were told about your destinations and rules in the last 90 days, newest first")
    def notices(query_data: dict[str, Any]) -> Any:
        return overview.owner_notices(gradewire, g.owner.account_id, **query_data)

    return api
