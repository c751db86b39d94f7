"""For those who watch: /healthz (this process answers), /readyz (the work can be done), /metrics (Prometheus)."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import structlog
from apiflask import APIBlueprint
from flask import Response, request
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from integration.domain.errors import Unauthenticated
from integration.service.measures import ALONE, Measure, frequent, seldom
from integration.service.readiness import Finding, readiness
from integration.service.wiring import Gradewire
from integration.web.auth import bearer, from_here

log = structlog.get_logger()
Thing = TypeVar("Thing")

#: Whoever asks again within so many seconds gets the same answer; asking costs at most this share of the time.
READY_S, FREQUENT_S, SELDOM_S, SHARE = 2.0, 5.0, 15.0, 0.05


class Kept(Generic[Thing]):
    """Something that is made anew at most every so many seconds, and the less often the longer that takes.

    Who asks while it is being made gets what was made before, so that a database that hangs holds one thread, not all.
    """

    def __init__(self, make: Callable[[], Thing], seconds: float) -> None:
        self._make, self._seconds = make, seconds
        self._lock, self._value, self._until = threading.Lock(), list[Thing](), 0.0

    def __call__(self) -> Thing:
        """The thing; raises what making it raises."""
        if not self._lock.acquire(blocking=not self._value):
            return self._value[0]
        try:
            began = time.monotonic()
            if not self._value or began >= self._until:
                self._value[:] = [self._make()]
                ended = time.monotonic()
                self._until = ended + max(self._seconds, (ended - began) / SHARE)
            return self._value[0]
        finally:
            self._lock.release()


def watching_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes for monitoring. The metrics need a token, or come from this machine."""
    watching = APIBlueprint("watching", __name__, enable_openapi=False)
    found = Kept(lambda: list(readiness(gradewire)), READY_S)
    registry = CollectorRegistry()
    registry.register(_Measures(gradewire))
    ProcessCollector(registry=registry)

    @watching.get("/healthz")
    def healthz() -> Any:
        return {"ok": True}

    @watching.get("/readyz")
    def readyz() -> Any:
        findings = found()
        reasons = [f"{each.what}: {each.text}" for each in findings if each.level != "good"]
        checks = {each.what.lower(): _check(each) for each in findings}
        return {"ready": not reasons, "reasons": reasons, "checks": checks}, 503 if reasons else 200

    @watching.get("/metrics")
    def metrics() -> Response:
        _check_access(gradewire)
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(registry), content_type=kind)

    return watching


def _check(finding: Finding) -> dict[str, Any]:
    return {"ok": finding.level == "good", "text": finding.text}


def _check_access(gradewire: Gradewire) -> None:
    token = str(gradewire.settings["metrics_token"])
    if token:
        allowed = hmac.compare_digest(token.encode(), (bearer() or "").encode())
    else:
        allowed = from_here()
    if not allowed:
        remedy = "Send it as Authorization: Bearer …" if token else "Set GRADEWIRE_METRICS_TOKEN to read them from elsewhere"
        raise Unauthenticated(f"The metrics are for the operator. {remedy}.")


class _Measures(Collector):
    """What is measured, in Prometheus' form. Where the database is away, that is all there is to say."""

    def __init__(self, gradewire: Gradewire) -> None:
        self._parts = (Kept(lambda: frequent(gradewire), FREQUENT_S), Kept(lambda: seldom(gradewire), SELDOM_S))

    def describe(self) -> list[Metric]:
        """Nothing in advance: to say what there is, the database would have to be asked."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every measure."""
        measures = list[Measure]()
        try:
            measures = [measure for part in self._parts for measure in part()]
        except SQLAlchemyError as error:
            log.warning("metrics_failed", error=str(getattr(error, "orig", error)))
        yield from map(_family, measures)
        yield _family(Measure("database_up", "Whether the database answers", {ALONE: float(bool(measures))}))


def _family(measure: Measure) -> Metric:
    make = CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily
    family = make(f"gradewire_{measure.name}", measure.help, labels=measure.labels)
    for labels, value in measure.samples.items():
        family.add_metric(labels, value)
    return family
