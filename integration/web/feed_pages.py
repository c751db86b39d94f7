"""Links to feeds on the page: looked at and revoked. They are made where one subscribes."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import g, redirect, render_template, url_for

from integration.service import feed_links
from integration.service.wiring import Gradewire
from integration.web.repeat_pages import check_own_page


def feed_pages(gradewire: Gradewire, page: APIBlueprint) -> None:
    """Routes of the page under /feeds."""

    @page.get("/feeds")
    def feeds() -> str:
        labels = {key: trigger.label for key, trigger in gradewire.catalogue.triggers.items()}
        return render_template("feeds.html", rows=feed_links.list_links(gradewire, g.viewer.account_id), labels=labels)

    @page.post("/feeds/<link_id>/revoke")
    def revoke_feed(link_id: str) -> Any:
        check_own_page()
        feed_links.revoke_link(gradewire, g.viewer.account_id, link_id)
        return redirect(url_for("page.feeds"), 303)
