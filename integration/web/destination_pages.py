"""Destinations on the page: looked at, changed, their secret rotated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apiflask import APIBlueprint
from flask import Response, g, make_response, redirect, render_template, request, url_for
from marshmallow import ValidationError

from integration.derive.describe import describe_input
from integration.domain.catalogue import Channel
from integration.domain.errors import InvalidInput
from integration.service import destinations, mending, overview
from integration.service.asking import first_problem
from integration.service.wiring import Gradewire
from integration.web.auth import from_own_page
from integration.web.destination_schemas import DestinationEdit, RotateIn


def destination_pages(gradewire: Gradewire, page: APIBlueprint) -> None:
    """Routes under /destinations, of the page."""

    @page.get("/destinations")
    def destinations() -> str:
        return render_template("destinations.html", rows=overview.destination_rows(gradewire, g.viewer.account_id))

    @page.get("/destinations/<destination_id>")
    def destination(destination_id: str) -> Response:
        return _page(gradewire, destination_id)

    @page.post("/destinations/<destination_id>")
    def save_destination(destination_id: str) -> Any:
        try:
            _check_origin()
            owner = overview.destination_owner(gradewire, g.viewer.account_id, destination_id)
            mending.edit_destination(gradewire, owner, destination_id, **_entered(request.form))
        except InvalidInput as error:
            return _page(gradewire, destination_id, problem=error.message), 422
        return redirect(url_for("page.destination", destination_id=destination_id), 303)

    @page.post("/destinations/<destination_id>/rotate")
    def rotate_destination(destination_id: str) -> Any:
        try:
            _check_origin()
            owner = overview.destination_owner(gradewire, g.viewer.account_id, destination_id)
            hours = _loaded(RotateIn, {"overlap_hours": _number(request.form.get("overlap_hours", ""))})
            secret = mending.rotate_destination(gradewire, owner, destination_id, **hours)["secret"]
        except InvalidInput as error:
            return _page(gradewire, destination_id, problem=error.message), 422
        return _page(gradewire, destination_id, secret=secret)


def _check_origin() -> None:
    if not from_own_page():
        raise InvalidInput("This form was sent by another site.")


def _page(gradewire: Gradewire, identity: str, *, problem: str | None = None, secret: str | None = None) -> Response:
    owner = overview.destination_owner(gradewire, g.viewer.account_id, identity)
    shown = destinations.get_destination(gradewire, owner, identity)
    settings = _editable(gradewire.channels[shown["channel"]])
    parts = {"destination": shown, "settings": settings, "problem": problem, "secret": secret}
    answer = make_response(render_template("destination.html", **parts))
    answer.headers["Cache-Control"] = "no-store"  # a secret that is shown once is not to be found in a cache
    return answer


def _editable(channel: Channel) -> list[dict[str, Any]]:
    """The settings that can be entered anew: not those that nobody enters, nor a secret that is rotated instead."""
    declared = channel.config._declared_fields
    left_out = {name for name, field in declared.items() if field.metadata.get("hidden")} | (
        {"secret"} if channel.signed else set()
    )
    return [field for field in describe_input(channel.config) if field["key"] not in left_out]


def _entered(form: Mapping[str, str]) -> dict[str, Any]:
    """What the form says: fields that were left empty are taken back, settings that were left empty stay as they are."""
    about: dict[str, Any] = {name: form.get(name, "").strip() for name in ("label", "description")}
    about["owner_email"] = form.get("owner_email", "").strip() or None
    about |= {name: _number(form.get(name, "")) for name in ("rate", "concurrency")}
    about = _loaded(DestinationEdit, about)
    given = {name.removeprefix("config."): text for name, text in form.items() if name.startswith("config.") and text.strip()}
    cleared = {name.removeprefix("clear."): "" for name in form if name.startswith("clear.")}
    return {**about, "config": {**cleared, **given}}


def _loaded(schema: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema().load(given)
    except ValidationError as error:
        name, text = first_problem(error)
        raise InvalidInput(f"{name}: {text}", field=name) from error
    return loaded


def _number(text: str) -> int | str | None:
    """A whole number as one; anything else for the schema to judge."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text or None
