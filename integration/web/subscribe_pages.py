"""Subscribing on the page: a form made of the catalogue, for every trigger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import g, make_response, render_template, request

from integration.derive.describe import describe_input
from integration.derive.openapi import scope_schema
from integration.domain.catalogue import Trigger
from integration.domain.errors import GradewireError, InvalidInput
from integration.service import feed_links, overview, subscribe
from integration.service.asking import trigger_of
from integration.service.wiring import Gradewire
from integration.web.repeat_pages import check_own_page

Shown = dict[str, Any]
USUAL = "grade_changed"


def subscribe_pages(gradewire: Gradewire, page: APIBlueprint) -> None:
    """Routes of the page under /subscribe."""

    @page.get("/subscribe")
    def subscribing() -> str:
        trigger = trigger_of(gradewire, request.args.get("trigger") or USUAL)
        return _form(gradewire, trigger, {"destination_id": request.args.get("destination_id", "")})

    @page.post("/subscribe")
    def make_subscription() -> Any:
        form = request.form
        try:
            check_own_page()
            trigger = trigger_of(gradewire, form.get("trigger", ""))
        except InvalidInput as error:
            return _form(gradewire, gradewire.catalogue.triggers[USUAL], {}, problem=error.message), 422
        try:
            said = _asked(gradewire, trigger, form)
            answer = make_response(_form(gradewire, trigger, form, **said))
            if "link" in said:
                answer.headers["Cache-Control"] = "no-store"  # a token that is shown once is not to be found in a cache
            return answer
        except GradewireError as error:
            return _form(gradewire, trigger, form, problem=error.message), 422


def _asked(gradewire: Gradewire, trigger: Trigger, form: Mapping[str, str]) -> Shown:
    """What a sent form leads to: the preview, or the subscription made."""
    options, scope = _part(form, "option."), _part(form, "scope.")
    if form.get("action") == "link":
        owner = overview.account_of(gradewire, g.viewer.account_id, form.get("account_id", ""))
        return {"link": feed_links.create_link(gradewire, owner, trigger.key, options, scope, form.get("label", "").strip()[:80])}
    if form.get("action") != "subscribe":
        return {"preview": subscribe.preview_subscription(gradewire, trigger.key, options, scope)}
    place = form.get("destination_id", "")
    if not place:
        raise InvalidInput("destination_id: Choose where it is to be sent; POST /v1/destinations makes a place.")
    owner = overview.destination_owner(gradewire, g.viewer.account_id, place)
    shadow = bool(form.get("shadow"))
    return {"made": subscribe.create_subscription(gradewire, owner, trigger.key, options, scope, place, shadow=shadow)}


def base_of(gradewire: Gradewire) -> str:
    """What comes before the paths of links; empty where they say it themselves."""
    return "" if gradewire.settings["public_url"] else request.host_url.rstrip("/")


def _part(form: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The fields of a part of the form; one left empty counts as not given."""
    return {name.removeprefix(prefix): text.strip() for name, text in form.items() if name.startswith(prefix) and text.strip()}


def _form(gradewire: Gradewire, trigger: Trigger, given: Mapping[str, str], **said: Any) -> str:
    return render_template(
        "subscribe.html",
        trigger=trigger,
        triggers=gradewire.catalogue.triggers.values(),
        options=[_field("option.", field, given) for field in describe_input(trigger.options)],
        scope=[_field("scope.", field, given) for field in describe_input(scope_schema(trigger))],
        destinations=overview.destination_rows(gradewire, g.viewer.account_id),
        accounts=overview.account_rows(gradewire) if g.viewer.is_operator else [],
        base=base_of(gradewire),
        given=given,
        **said,
    )


def _field(prefix: str, field: Shown, given: Mapping[str, str]) -> Shown:
    """A field of the catalogue as the form shows it: with its name, and the text that stands in it."""
    name, default = prefix + field["key"], field.get("default")
    if isinstance(default, list):
        text = "[\n" + ",\n".join(f"  {json.dumps(each)}" for each in default) + "\n]"
    elif isinstance(default, dict):
        text = json.dumps(default)
    elif isinstance(default, bool):
        text = str(default).lower()
    else:
        text = "" if default is None else str(default)
    return {**field, "name": name, "usual": text, "text": given.get(name, text)}
