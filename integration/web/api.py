"""The API's readings: who asks, what there is to ask for, feeds, samples, dropdowns."""

from __future__ import annotations

import difflib
from typing import Any, NamedTuple

from apiflask import APIBlueprint
from flask import Response, g, json, request

from integration.derive.openapi import DEFAULT_LIMIT, WINDOW, feed_query
from integration.domain.catalogue import Trigger
from integration.domain.errors import InvalidInput, NotFound
from integration.domain.payload import id_of
from integration.service import feeds, offer
from integration.service.wiring import Gradewire
from integration.web import schemas
from integration.web.conditional import is_known, not_modified, tag_of
from integration.web.query import limit_of, moment

FLAGS = {"": False, "0": False, "false": False, "no": False, "1": True, "true": True, "yes": True}
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

    @api.output(events, headers={"X-Next-Cursor": schemas.cursor()})
    @api.doc(
        summary=f"{trigger.label}: its events, newest first",
        description=f"{trigger.description} A bare array. New options begin a feed of their own, filled with the last 30 days.",
        responses={404: "No event has the id `after_id`."},
    )
    def feed() -> Response:
        query_string = (g.owner.account_id, trigger.key, request.query_string)
        asked = feeds.remembered(gradewire, query_string, lambda: _asked(gradewire, trigger))
        window, array = asked.window, None
        if window.plain and "If-None-Match" not in request.headers:
            ends, array = feeds.array(gradewire, asked.feed, window.limit)
        else:
            ends = feeds.ends(gradewire, asked.feed)
        tag = tag_of(asked.feed, asked.written, ends)
        if is_known(tag):
            return not_modified(tag)
        if array is None and window.plain:
            _, array = feeds.array(gradewire, asked.feed, window.limit)
        newest = None if array is None else id_of(array[:200].decode(errors="ignore")) or None
        if array is None:
            page = feeds.page(gradewire, asked.feed, window)
            array, newest = f"[{','.join(page.texts)}]".encode(), page.newest
        cursor = json.dumps(newest or window.after_id).encode()
        answer = _json(b'{"data":%b,"next_cursor":%b}' % (array, cursor) if asked.envelope else array)
        if newest:
            answer.headers["X-Next-Cursor"] = newest
        answer.headers["ETag"] = tag
        return answer

    api.input(query, location="query", validation=False)(feed)  # for the documentation; the service itself reads and checks
    api.get(f"/triggers/{trigger.key}", endpoint=f"feed_{trigger.key}")(feed)

    @api.get(f"/triggers/{trigger.key}/sample", endpoint=f"sample_{trigger.key}")
    @api.output(events)
    @api.doc(summary=f"{trigger.label}: a made-up event, marked as one")
    def sample() -> Response:
        event = {**trigger.sample, "sandbox": gradewire.settings.sandbox}
        return _json(json.dumps([{**event, **trigger.more(event)}]))


class _Asked(NamedTuple):
    """What the query of a feed means, and those of its parameters that choose a part, as they are written."""

    feed: str
    window: feeds.Window
    envelope: bool
    written: dict[str, str]


def _asked(gradewire: Gradewire, trigger: Trigger) -> _Asked:
    given = {name: ",".join(values) for name, values in request.args.lists()}
    written = {name: given.pop(name) for name in WINDOW if name in given}
    window, envelope = _window(written), _flag("envelope", written)
    return _Asked(feeds.enter_as_written(gradewire, g.owner.account_id, trigger, given), window, envelope, written)


def _list_route(gradewire: Gradewire, api: APIBlueprint, name: str) -> None:
    entry: Any = schemas.NumberChoice if name in ("tokens", "indices") else schemas.TextChoice

    @api.get(f"/lists/{name}", endpoint=f"list_{name}")
    @api.input(schemas.ListQuery, location="query")
    @api.output(entry(many=True))
    @api.doc(summary=f"The {name} there are, for dropdowns")
    def choices(query_data: dict[str, Any]) -> Any:
        return offer.choices(gradewire, name, query_data["q"], query_data["page"])


def _json(text: str | bytes) -> Response:
    """Stored JSON, as it is."""
    return Response(text, mimetype="application/json")


def _window(given: dict[str, str]) -> feeds.Window:
    """Which part of a feed is asked for; a parameter left empty counts as not given."""
    limit = limit_of(given.get("limit") or str(DEFAULT_LIMIT))
    since, after_id, before_id = (given.get(name) or None for name in ("since", "after_id", "before_id"))
    if after_id and before_id:
        raise InvalidInput("Go on after an event or back before one, not both.", field="before_id")
    return feeds.Window(limit, after_id, moment(since) if since else None, before_id, _flag("bundle", given))


def _flag(name: str, given: dict[str, str]) -> bool:
    text = given.get(name, "").lower()
    if text not in FLAGS:
        raise InvalidInput(f"{name} must be true or false.", field=name)
    return FLAGS[text]
