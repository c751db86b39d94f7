"""Control of the sandbox under /_sandbox/: no part of the vendor's API, no key needed."""

from datetime import date
from typing import Any

from flask import Blueprint, Response, request

from integration.sandbox.clock import Clock
from integration.sandbox.envelope import as_json
from integration.sandbox.state import FURTHEST_DAYS, Sandbox, last_date

_CLOCK_FIELDS = frozenset({"step_days", "paused", "day_seconds", "date"})
_FAULT_FIELDS = frozenset({"kind", "endpoint", "times", "after", "value"})


def control_blueprint(sandbox: Sandbox) -> Blueprint:
    """Routes for clock, faults and calls."""
    blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")

    @blueprint.get("/clock")
    def clock() -> Response:
        return as_json(clock_report(sandbox.clock))

    @blueprint.post("/clock")
    def set_clock() -> Response:
        move_clock(sandbox, body_of(_CLOCK_FIELDS))
        return as_json(clock_report(sandbox.clock))

    _add_fault_routes(blueprint, sandbox)

    @blueprint.get("/calls")
    def calls() -> Response:
        return as_json(sandbox.calls.report(sandbox.settings.key) | {"plan": sandbox.plan.name})

    @blueprint.errorhandler(ValueError)
    @blueprint.errorhandler(TypeError)
    def bad(error: Exception) -> Response:
        return as_json({"error": str(error)}, 400)

    return blueprint


def _add_fault_routes(blueprint: Blueprint, sandbox: Sandbox) -> None:
    @blueprint.get("/faults")
    def faults() -> Response:
        return as_json({"faults": sandbox.faults.report()})

    @blueprint.post("/faults")
    def add_fault() -> Response:
        sandbox.faults.add(**body_of(_FAULT_FIELDS))
        return as_json({"faults": sandbox.faults.report()}, 201)

    @blueprint.delete("/faults")
    def clear_faults() -> Response:
        return as_json({"deleted": sandbox.faults.clear()})


def body_of(fields: frozenset[str]) -> dict[str, Any]:
    """The JSON object of the request; ValueError names the fields there are."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict) or not body or not fields.issuperset(body):
        raise ValueError(f"send a JSON object with one or more of {', '.join(sorted(fields))}")
    return body


def clock_report(clock: Clock) -> dict[str, Any]:
    """The clock's state: market time in UTC epoch ms, wall seconds per market day."""
    now, today = clock.now(), clock.today()
    return {
        "market_time": now,
        "market_date": today.isoformat(),
        "day_seconds": clock.day_seconds,
        "paused": clock.paused,
    }


def move_clock(sandbox: Sandbox, body: dict[str, Any]) -> None:
    """Jump, step, set speed, pause or resume, in that order; ValueError changes nothing that comes after it."""
    clock = sandbox.clock
    if "date" in body:
        day = date.fromisoformat(str(body["date"]))
        first, last = sandbox.market.first, last_date(sandbox.market)
        if not first <= day <= last:
            raise ValueError(f"date must be {first} to {last}")
        clock.jump(day)
    if "step_days" in body:
        if not abs(float(body["step_days"])) <= FURTHEST_DAYS:
            raise ValueError(f"step_days must be a number from -{FURTHEST_DAYS} to {FURTHEST_DAYS}")
        clock.step(float(body["step_days"]))
    if "day_seconds" in body:
        clock.set_speed(float(body["day_seconds"]))
    if "paused" in body:
        (clock.pause if body["paused"] else clock.resume)()
