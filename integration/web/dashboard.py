"""The page: what happened, what was told, what polling took, what arrived in the inboxes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app, g, redirect, render_template, request, session, url_for
from markupsafe import Markup

from integration.domain.errors import InvalidInput, NotFound
from integration.service import overview
from integration.service.inbox import receiver
from integration.service.wiring import Gradewire
from integration.web.auth import Viewer, from_own_page, log_in, require_viewer, safe_next
from integration.web.destination_pages import destination_pages
from integration.web.docs import chapters
from integration.web.feed_pages import feed_pages
from integration.web.filters import FILTERS
from integration.web.repeat_pages import repeat_pages
from integration.web.subscribe_pages import subscribe_pages

#: A mail's HTML is a stranger's: it is shown in a frame that may run, send and open nothing.
MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
_PUBLIC = ("page.login", "page.logout", "page.docs")

Fragment = Callable[[Gradewire, Viewer], dict[str, Any]]


def _at_glance(gradewire: Gradewire, viewer: Viewer) -> dict[str, Any]:
    counts = overview.latest_deliveries(gradewire, viewer.account_id, limit=1)["counts"]
    return {**overview.market(gradewire), "counts": counts}


def _mail(gradewire: Gradewire, viewer: Viewer) -> dict[str, Any]:
    return {"mails": overview.mails(gradewire, viewer.email)}


#: The parts of the page that refresh themselves. The webhook inbox is the installation's: only its operator sees it.
FRAGMENTS: dict[str, Fragment] = {
    "glance": _at_glance,
    "events": lambda gradewire, _: {"events": overview.latest_events(gradewire)},
    "deliveries": lambda gradewire, viewer: overview.latest_deliveries(gradewire, viewer.account_id),
    "warnings": lambda gradewire, viewer: {"notices": overview.owner_notices(gradewire, viewer.account_id)},
    "upstream": lambda gradewire, _: overview.upstream(gradewire),
    "mail": _mail,
    "hooks": lambda gradewire, viewer: {"hooks": overview.hooks(gradewire) if viewer.is_operator else None},
}


def page_routes(gradewire: Gradewire, *, open_page: bool) -> APIBlueprint:
    """Routes of the page."""
    page = APIBlueprint("page", __name__, enable_openapi=False)
    for name, filter_ in FILTERS.items():
        page.add_app_template_filter(filter_, name)

    @page.before_request
    def check() -> None:
        if request.endpoint not in _PUBLIC:
            require_viewer(gradewire, open_page=open_page)

    @page.get("/")
    def index() -> str:
        parts = {name: _fragment(gradewire, name)[0] for name in FRAGMENTS}
        base = str(gradewire.settings["public_url"] or request.host_url).rstrip("/")
        inbox = base + receiver(gradewire)[0] if g.viewer.is_operator else "https://example.com/hook"
        return render_template("index.html", parts=parts, base=base, inbox=inbox, sandbox=gradewire.settings.sandbox)

    @page.get("/fragments/<name>")
    def fragment(name: str) -> Any:
        if name not in FRAGMENTS:
            raise NotFound
        html, version = _fragment(gradewire, name)
        return ("", 204) if request.args.get("v") == version else html

    @page.get("/events/<event_id>")
    def event(event_id: str) -> str:
        return render_template("event.html", **overview.event_page(gradewire, event_id, g.viewer.account_id))

    destination_pages(gradewire, page)
    repeat_pages(gradewire, page)
    subscribe_pages(gradewire, page)
    feed_pages(gradewire, page)
    _inbox_pages(page, gradewire)
    _doors(page, gradewire)
    return page


def _fragment(gradewire: Gradewire, name: str) -> tuple[str, str]:
    """(HTML, version) of a part; the version lets the browser keep what has not changed."""
    inner = render_template(f"fragments/{name}.html", **FRAGMENTS[name](gradewire, g.viewer))
    version = hashlib.sha256(inner.encode()).hexdigest()[:16]
    # inner is the rendering of an escaping template
    return render_template("fragment.html", name=name, version=version, inner=Markup(inner)), version  # noqa: S704


def _inbox_pages(page: APIBlueprint, gradewire: Gradewire) -> None:
    @page.get("/inbox/mail/<int(max=9007199254740991):mail_id>")
    def mail(mail_id: int) -> str:
        return render_template("mail.html", mail=overview.mail(gradewire, mail_id, g.viewer.email))

    @page.get("/inbox/mail/<int(max=9007199254740991):mail_id>/html")
    def mail_html(mail_id: int) -> Response:
        answer = Response(overview.mail(gradewire, mail_id, g.viewer.email).html, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = MAIL_POLICY
        return answer

    @page.get("/inbox/hooks/<int(max=9007199254740991):hook_id>")
    def hook(hook_id: int) -> str:
        if not g.viewer.is_operator:
            raise NotFound
        return render_template("hook.html", hook=overview.hook(gradewire, hook_id))


def _doors(page: APIBlueprint, gradewire: Gradewire) -> None:
    @page.route("/login", methods=["GET", "POST"])
    def login() -> Any:
        after = safe_next(request.values.get("next", "/"))
        if request.method == "GET":
            return render_template("login.html", after=after, problem=None)
        try:
            log_in(gradewire, request.form.get("key", ""))
        except InvalidInput as error:
            return render_template("login.html", after=after, problem=error.message), 422
        return redirect(after, 303)

    @page.post("/logout")
    def logout() -> Any:
        if from_own_page():
            session.clear()
        return redirect(url_for("page.login"), 303)

    @page.get("/docs")
    def docs() -> str:
        spec: Any = current_app._get_spec()  # type: ignore[attr-defined]
        return render_template("docs.html", spec=spec, chapters=chapters(spec))
