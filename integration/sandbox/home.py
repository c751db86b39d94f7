"""The page at /: says that this is a sandbox, with the clock and the plan."""

from html import escape

from flask import Blueprint, Response

from integration.sandbox.endpoints import ENDPOINTS
from integration.sandbox.state import Sandbox
from integration.sandbox.vendor import CHAT

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>SANDBOX DATA, not Token Metrics</title>
<style>body{{font:16px/1.5 sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}}
strong{{background:#fd0;padding:0 .3em}}dt{{font-weight:bold}}code{{font-size:.9em}}</style></head><body>
<h1><strong>SANDBOX DATA</strong>, not Token Metrics</h1>
<p>This server stands in for the Token Metrics API. {source} Nothing here is advice, and nothing here is about
the real market of today.</p>
<dl>
<dt>Market date</dt><dd>{date} ({state}, one market day every {day:g} seconds)</dd>
<dt>Plan</dt><dd>{plan}: {minute} calls a minute, {month} a month of 30 market days</dd>
<dt>Key</dt><dd><code>{key}</code> in the header <code>x-api-key</code></dd>
<dt>Endpoints under /v2/ and /v3/</dt><dd><code>{endpoints}</code></dd>
<dt>Control</dt><dd><code>/_sandbox/clock</code>, <code>/_sandbox/faults</code>, <code>/_sandbox/calls</code></dd>
</dl></body></html>
"""


def home_blueprint(sandbox: Sandbox) -> Blueprint:
    """The route /."""
    blueprint = Blueprint("home", __name__)

    @blueprint.get("/")
    def home() -> Response:
        replay = sandbox.settings.replay is not None
        page = _PAGE.format(
            source="Prices are past ones, replayed; grades, signals and indices are made up."
            if replay
            else "Prices and everything computed from them are made up by a seeded model.",
            date=sandbox.clock.today().isoformat(),
            state="paused" if sandbox.clock.paused else "running",
            day=sandbox.clock.day_seconds,
            plan=escape(sandbox.plan.name),
            minute=sandbox.plan.calls_per_minute,
            month=sandbox.plan.calls_per_month,
            key=escape(sandbox.settings.key),
            endpoints=", ".join([*ENDPOINTS, CHAT]),
        )
        return Response(page, mimetype="text/html")

    return blueprint
