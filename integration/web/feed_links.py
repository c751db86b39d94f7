"""Feeds for what sends no key: links made and revoked by the API, and read as CSV, JSON Feed or Atom."""

from __future__ import annotations

from typing import Any

import orjson
from apiflask import APIBlueprint, Schema
from flask import Response, g, request
from marshmallow import fields, validate

from integration.derive.openapi import DEFAULT_LIMIT
from integration.domain.errors import NotFound
from integration.domain.payload import described, iso
from integration.service import feed_links, feeds
from integration.service.wiring import Gradewire
from integration.web.conditional import is_known, not_modified, tag_of
from integration.web.feed_formats import Channel, as_atom, as_csv, as_json_feed
from integration.web.limits import SlidingWindow
from integration.web.query import limit_of
from integration.web.schemas import PreviewIn

#: Requests a minute with one link: sheets and readers ask a few times an hour.
REQUESTS_A_MINUTE = 60
_TYPES = {"csv": "text/csv", "json": "application/feed+json", "atom": "application/atom+xml"}


class LinkIn(PreviewIn):
    """What is to be read."""

    label = fields.String(
        load_default="",
        validate=validate.Length(max=80),
        metadata=described("Label", "What readers call it; none means the trigger"),
    )


class LinkOut(Schema):
    """A link to a feed, without its token."""

    id = fields.String(required=True, metadata=described("Link ID"))
    label = fields.String(required=True, metadata=described("Label"))
    trigger = fields.String(required=True, metadata=described("Trigger Key"))
    options = fields.Dict(keys=fields.String(), required=True, metadata=described("Options", "With every default"))
    scope = fields.Dict(keys=fields.String(), required=True, metadata=described("Scope", "In canonical form"))
    prefix = fields.String(required=True, metadata=described("Token", "Its start"))
    created_at = fields.String(required=True, metadata=described("Created At", format="date-time"))
    last_used_at = fields.String(required=True, allow_none=True, metadata=described("Last Used At", format="date-time"))


class LinkCreated(LinkOut):
    """A link to a feed with its addresses, which are shown only here. Whoever has one may read the feed."""

    token = fields.String(required=True, metadata=described("Token", "The secret part of the addresses"))
    csv = fields.String(required=True, metadata=described("CSV", "For IMPORTDATA, Excel and their like"))
    json = fields.String(required=True, metadata=described("JSON Feed", "JSON Feed 1.1"))
    atom = fields.String(required=True, metadata=described("Atom", "For feed readers"))


def link_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of links."""
    api = APIBlueprint("links", __name__, url_prefix="/v1/feeds", tag="Feed links")

    @api.post("")
    @api.input(LinkIn)
    @api.output(LinkCreated, status_code=201)
    @api.doc(
        summary="Make an address under which a rule's events can be read without a key",
        description="For spreadsheets and feed readers: `GET /feed/<token>.csv`, `.json` (JSON Feed 1.1) or `.atom`, newest "
        "first, 100 events, or `?limit=` up to 1000, with ETag. Whoever has the address can read this feed and nothing else, "
        "until the link or the key that made it is revoked.",
    )
    def create(json_data: dict[str, Any]) -> Any:
        return feed_links.create_link(gradewire, g.owner.account_id, **json_data, key_id=g.owner.key_id)

    @api.get("")
    @api.output(LinkOut(many=True))
    @api.doc(summary="Your links")
    def links() -> Any:
        return feed_links.list_links(gradewire, g.owner.account_id)

    @api.get("/<link_id>")
    @api.output(LinkOut)
    @api.doc(summary="One link; 404 once it is revoked")
    def link(link_id: str) -> Any:
        return feed_links.get_link(gradewire, g.owner.account_id, link_id)

    @api.delete("/<link_id>")
    @api.output({}, status_code=204)
    @api.doc(summary="Revoke a link at once; also fine where it is revoked already")
    def revoke(link_id: str) -> Any:
        feed_links.revoke_link(gradewire, g.owner.account_id, link_id)
        return "", 204

    return api


def linked_routes(gradewire: Gradewire) -> APIBlueprint:
    """What links lead to. There is no key: the address is the secret."""
    linked = APIBlueprint("linked", __name__, enable_openapi=False)
    window = SlidingWindow(REQUESTS_A_MINUTE)

    @linked.get("/feed/<token>.<kind>")
    def read(token: str, kind: str) -> Response:
        if kind not in _TYPES:
            raise NotFound("A feed's address ends in .csv, .json or .atom.")
        opened = feed_links.open_link(gradewire, token)
        window.check(opened.link_id, gradewire.now())
        limit = limit_of(request.args.get("limit") or str(DEFAULT_LIMIT))
        tag = tag_of(kind, limit, opened.label, opened.feed_id, feeds.ends(gradewire, opened.feed_id))
        if is_known(tag):
            return _private(not_modified(tag))
        page = feeds.page(gradewire, opened.feed_id, feeds.Window(limit))
        events = orjson.loads(f"[{','.join(page.texts)}]")
        answer = Response(_written(gradewire, opened, kind, events), mimetype=_TYPES[kind])
        answer.headers["ETag"] = tag
        return _private(answer)

    return linked


def _written(gradewire: Gradewire, opened: feed_links.Opened, kind: str, events: list[dict[str, Any]]) -> str:
    if kind == "csv":
        return as_csv(opened.trigger, events)
    base = str(gradewire.settings["public_url"]).rstrip("/")
    about = opened.trigger.description
    channel = Channel(f"{opened.label} · Gradewire", opened.feed_id, about, f"{base}/events/" if base else None)
    if kind == "json":
        return as_json_feed(channel, events)
    return as_atom(channel, events, iso(0))


def _private(answer: Response) -> Response:
    """The address is a secret: nobody else is to keep what it leads to, or to find it."""
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer
