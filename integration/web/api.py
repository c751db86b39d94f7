"""The API's readings: who asks, what there is to ask for, feeds, samples, dropdowns."""

from __future__ import annotations

import difflib
import hashlib
import re
from typing import Any

import orjson
from apiflask import APIBlueprint
from flask import Response, g, json, request

from integration.derive.openapi import DEFAULT_LIMIT, MOST, WINDOW, feed_query
from integration.domain.catalogue import Trigger
from integration.domain.errors import InvalidInput, NotFound
from integration.service import feeds, offer
from integration.service.asking import split
from integration.service.wiring import Gradewire
from integration.web import schemas
from integration.web.query import moment

LISTS = ("tokens", "indices", "metrics", "grades", "categories", "exchanges")


def reading_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes that only read."""
    api = APIBlueprint("reading", __name__, url_prefix="/v1", tag="Reading")

    @api.get("/me")
    @api.output(schemas.Me)
    @api.doc(summary="Who asks")
    def me() -> Any:
        settings, owner = gradewire.settings, g.owner
        told = {"id": owner.account_id, "email": owner.email, "key_prefix": owner.prefix}
        return {**told, "plan": settings["plan"], "sandbox": settings.sandbox}

    @api.get("/triggers")
    @api.output(schemas.TriggerOut(many=True))
    @api.doc(summary="The catalogue: every trigger with its options, payload, sources and cost")
    def triggers() -> Any:
        return offer.catalogue(gradewire)

    for trigger in gradewire.catalogue.triggers.values():
        _feed_routes(gradewire, api, trigger)
    for name in LISTS:
        _list_route(gradewire, api, name)

    @api.get("/triggers/<key>")
    @api.get("/triggers/<key>/sample")
    @api.doc(hide=True)
    def unknown(key: str) -> None:
        near = difflib.get_close_matches(key, gradewire.catalogue.triggers, 1, 0.4)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(gradewire.catalogue.triggers)}."
        raise NotFound(f"Unknown trigger {key[:40]!r}. {hint}", field="trigger")

    return api


def _feed_routes(gradewire: Gradewire, api: APIBlueprint, trigger: Trigger) -> None:
    query: Any = feed_query(trigger)
    events: Any = trigger.payload(many=True)

    @api.get(f"/triggers/{trigger.key}", endpoint=f"feed_{trigger.key}")
    @api.input(query, location="query", validation=False)
    @api.output(events, headers={"X-Next-Cursor": schemas.cursor()})
    @api.doc(
        summary=f"{trigger.label}: its events, newest first",
        description=f"{trigger.description} A bare array. New options begin a feed of their own, filled with the last 30 days.",
        responses={404: "No event has the id `after_id`."},
    )
    def feed(query_data: Any) -> Response:  # noqa: ARG001 - documented here, checked by the service
        given = {name: ",".join(values) for name, values in request.args.lists()}
        window = _window({name: given.pop(name) for name in WINDOW if name in given})
        options, scope = split(trigger, given)
        texts = feeds.read(gradewire, g.owner.account_id, trigger.key, options, scope, window)
        answer = _json(f"[{','.join(texts)}]")
        if texts:
            answer.headers["X-Next-Cursor"] = orjson.loads(texts[0])["id"]
        answer.set_etag(hashlib.sha256(answer.get_data()).hexdigest()[:32], weak=True)
        answer.make_conditional(request)
        return answer

    @api.get(f"/triggers/{trigger.key}/sample", endpoint=f"sample_{trigger.key}")
    @api.output(events)
    @api.doc(summary=f"{trigger.label}: a made-up event, marked as one")
    def sample() -> Response:
        event = {**trigger.sample, "sandbox": gradewire.settings.sandbox}
        return _json(json.dumps([{**event, **trigger.more(event)}]))


def _list_route(gradewire: Gradewire, api: APIBlueprint, name: str) -> None:
    entry: Any = schemas.NumberChoice if name in ("tokens", "indices") else schemas.TextChoice

    @api.get(f"/lists/{name}", endpoint=f"list_{name}")
    @api.input(schemas.ListQuery, location="query")
    @api.output(entry(many=True))
    @api.doc(summary=f"The {name} there are, for dropdowns")
    def choices(query_data: dict[str, Any]) -> Any:
        return offer.choices(gradewire, name, query_data["q"], query_data["page"])


def _json(text: str) -> Response:
    """Stored JSON, as it is."""
    return Response(text, mimetype="application/json")


def _window(given: dict[str, str]) -> feeds.Window:
    """Which part of a feed is asked for; a parameter left empty counts as not given."""
    limit = given.get("limit") or str(DEFAULT_LIMIT)
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= MOST:
        raise InvalidInput(f"limit must be a whole number from 1 to {MOST}.", field="limit")
    since = given.get("since")
    return feeds.Window(int(limit), given.get("after_id") or None, moment(since) if since else None)
