"""What was tried, and trying it again, on the page: deliveries with their attempts, and replays of a destination."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import g, redirect, render_template, request, url_for

from integration.domain.errors import GradewireError, InvalidInput
from integration.domain.retry import HOUR
from integration.service import overview, repeating, replaying
from integration.service.destinations import get_destination, set_destination
from integration.service.wiring import Gradewire
from integration.store.queries.deliveries import STATES
from integration.web.auth import from_own_page
from integration.web.query import period

PAGE = 50
#: How far back a replay may go, as the page offers it: hours, and in words.
PERIODS = ((1, "an hour ago"), (24, "a day ago"), (72, "3 days ago"), (168, "7 days ago"), (336, "14 days ago"))
KINDS = {"failed": "What failed", "held": "What is held", "missing": "What it was never owed"}
SHOWN = 3


def repeat_pages(gradewire: Gradewire, page: APIBlueprint) -> None:
    """Routes of the page under /deliveries, and of replays under /destinations/<id>/again."""
    _delivery_pages(gradewire, page)
    _replay_parts(gradewire, page)


def check_own_page() -> None:
    """Refuse a form that another site sent."""
    if not from_own_page():
        raise InvalidInput("This form was sent by another site.")


def _delivery_pages(gradewire: Gradewire, page: APIBlueprint) -> None:
    @page.get("/deliveries")
    def deliveries() -> str:
        asked = {name: text for name, text in request.args.items() if text}
        wanted: dict[str, Any] = {name: asked.get(name) for name in ("state", "destination_id", "subscription_id", "event_id")}
        before = asked.get("before", "")
        wanted["before"] = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
        wanted |= period(asked)
        rows = overview.list_deliveries(gradewire, g.viewer.account_id, limit=PAGE + 1, **wanted)
        return render_template(
            "delivery_list.html",
            rows=rows[:PAGE],
            older={**asked, "before": rows[PAGE - 1]["id"]} if len(rows) > PAGE else None,
            asked=asked,
            states=list(STATES.values()),
            destinations=overview.destination_rows(gradewire, g.viewer.account_id),
        )

    @page.get("/deliveries/<int:delivery_id>")
    def delivery(delivery_id: int) -> str:
        return render_template("delivery.html", delivery=overview.get_delivery(gradewire, g.viewer.account_id, delivery_id))

    @page.post("/deliveries/<int:delivery_id>/retry")
    def retry(delivery_id: int) -> Any:
        check_own_page()
        repeating.retry(gradewire, g.viewer.account_id, delivery_id)
        return redirect(url_for("page.delivery", delivery_id=delivery_id), 303)


def _replay_parts(gradewire: Gradewire, page: APIBlueprint) -> None:
    @page.get("/destinations/<destination_id>/again")
    def again(destination_id: str) -> str:
        return _again(gradewire, destination_id)

    @page.get("/destinations/<destination_id>/again/count")
    def count_again(destination_id: str) -> str:
        try:
            counted = _ask(gradewire, destination_id, request.args, dry_run=True)["counted"]
        except GradewireError as error:
            return render_template("fragments/count.html", problem=error.message)
        return render_template("fragments/count.html", counted=counted)

    @page.post("/destinations/<destination_id>/again")
    def send_again(destination_id: str) -> Any:
        try:
            check_own_page()
            _ask(gradewire, destination_id, request.form)
        except GradewireError as error:
            if "HX-Request" not in request.headers:
                raise
            return _again(gradewire, destination_id, problem=error.message)
        return _answer(gradewire, destination_id)

    @page.post("/destinations/<destination_id>/resume")
    def resume_destination(destination_id: str) -> Any:
        check_own_page()
        owner = overview.destination_owner(gradewire, g.viewer.account_id, destination_id)
        set_destination(gradewire, owner, destination_id, "active")
        return redirect(url_for("page.destination", destination_id=destination_id), 303)

    @page.post("/destinations/<destination_id>/again/<replay_id>/cancel")
    def cancel_again(destination_id: str, replay_id: str) -> Any:
        check_own_page()
        replaying.cancel(gradewire, g.viewer.account_id, replay_id)
        return _answer(gradewire, destination_id)


def _ask(gradewire: Gradewire, destination_id: str, given: Any, **how: Any) -> Any:
    hours = given.get("hours", "")
    if hours not in {str(number) for number, _ in PERIODS}:
        raise InvalidInput("hours: Choose one of the periods that are offered.", field="hours")
    owner = overview.destination_owner(gradewire, g.viewer.account_id, destination_id)
    # a minute later than so long ago, for the longest period is refused a moment after
    since = gradewire.now() - int(hours) * HOUR + HOUR // 60
    return replaying.ask(gradewire, owner, given.get("kind", ""), destination_id=destination_id, since=since, **how)


def _answer(gradewire: Gradewire, destination_id: str) -> Any:
    if "HX-Request" in request.headers:
        return _again(gradewire, destination_id)
    return redirect(url_for("page.destination", destination_id=destination_id), 303)


def _again(gradewire: Gradewire, destination_id: str, problem: str | None = None) -> str:
    owner = overview.destination_owner(gradewire, g.viewer.account_id, destination_id)
    rows = replaying.list_replays(gradewire, g.viewer.account_id, limit=SHOWN, destination_id=destination_id)
    return render_template(
        "fragments/again.html",
        destination_id=destination_id,
        status=get_destination(gradewire, owner, destination_id)["status"],
        failed_and_held=replaying.undone_of(gradewire, destination_id),
        replays=rows,
        running=next((row for row in rows if row["status"] in ("waiting", "running")), None),
        kinds=KINDS,
        periods=PERIODS,
        problem=problem,
    )
