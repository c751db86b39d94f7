"""Fires when a report of Token Metrics' AI about a token appears or changes.

A report is known by its hash. It changed where the hash is another than the last one known, within 360 days; a report that
was gone for a while and comes back unchanged is nothing new. It appeared where the reading before had none and none is
remembered. The first reading of a token tells nothing: what is there then is not new.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from marshmallow import Schema, fields, validate

from integration.domain.catalogue import Case, Lookback, Options, Trigger
from integration.domain.delta import MEMORY, cool_down
from integration.domain.history import Firing, History
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.triggers._levels import suppressed_field
from integration.triggers._moves import move_lookback
from integration.triggers._options import MoveOptions, Several, cooldown

SOURCE = "ai_reports"
METRIC = "reports"
KINDS = {
    "investment_analysis": "investment analysis",
    "deep_dive": "deep dive",
    "code_review": "code review",
    "investment_analysis_pointer": "investment analysis pointers",
}
APPEARED, CHANGED = "appeared", "changed"


class ReportOptions(MoveOptions):
    """Which reports, and which news of them."""

    kinds = Several(
        list(KINDS), metadata=described("Kinds", f"Which reports, comma separated, of {', '.join(KINDS)}; empty means all")
    )
    news = fields.String(
        load_default="both",
        validate=validate.OneOf([APPEARED, CHANGED, "both"]),
        metadata=described(
            "News",
            "Tell when a report appears, when it changes, or both; the first of a token that had none are not told",
        ),
    )


class Report(Schema):
    """A report that appeared or changed."""

    kind = fields.String(required=True, metadata=described("Kind"))
    title = fields.String(required=True, metadata=described("Title", "Its first line"))
    news = fields.String(required=True, metadata=described("News", "appeared or changed"))
    sha256 = fields.String(required=True, metadata=described("SHA-256", "Of the whole report"))
    previous_sha256 = fields.String(
        required=True, allow_none=True, metadata=described("Previous SHA-256", "Empty where it appeared")
    )
    length = fields.Integer(required=True, metadata=described("Length", unit="characters"))


class ReportPayload(EventPayload):
    """The news of one reading."""

    reports = fields.List(fields.Nested(Report), required=True, metadata=described("Reports"))
    reports_count = fields.Integer(required=True, metadata=described("Reports Count"))
    kinds = fields.String(required=True, metadata=described("Kinds", "Of these reports, comma separated"))
    appeared_count = fields.Integer(required=True, metadata=described("Appeared Count"))
    changed_count = fields.Integer(required=True, metadata=described("Changed Count"))
    first_title = fields.String(required=True, metadata=described("First Title", "The title of the first of them"))
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Reports, as hashes."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """A report is remembered like a side."""
    return move_lookback(options, 2, MEMORY)


def scan(history: History, options: Options) -> list[Firing]:
    """News that is told, at most one event a reading."""
    said = np.flatnonzero([text is not None for text in history.texts])
    seen = history.take(said.astype(np.int64))
    told = [orjson.loads(text or "{}") for text in seen.texts]
    by_reading: dict[int, list[dict[str, Any]]] = {}
    for kind in options["kinds"].split(","):
        for at, news in _news(seen, kind, [each.get(kind) for each in told]):
            by_reading.setdefault(at, []).append(news)
    happenings = sorted(by_reading)

    def wanted(at: int) -> list[dict[str, Any]]:
        return [news for news in by_reading[at] if options["news"] in ("both", news["news"])]

    notices = cool_down(seen.as_of, happenings, cooldown(options), lambda k: bool(wanted(happenings[k])))
    return [
        Firing(int(seen.as_of[notice.at]), _fields(wanted(notice.at)) | {"suppressed_count": notice.suppressed})
        for notice in notices
    ]


def _news(seen: History, kind: str, reports: Sequence[Mapping[str, Any] | None]) -> list[tuple[int, dict[str, Any]]]:
    """(position, report) wherever one kind appears or changes."""
    found = []
    times = seen.as_of.tolist()
    known: tuple[int, str] | None = None  # when a report was last there, and its hash
    for at, report in enumerate(reports):
        begins = not at or times[at] - times[at - 1] > seen.max_gap
        if begins or (known is not None and times[at] - known[0] > MEMORY):
            known = None
        if report is None:
            continue
        before = None if known is None else known[1]
        if not begins and before != report["sha256"]:
            news = APPEARED if before is None else CHANGED
            own = {name: report[name] for name in ("title", "sha256", "length")}
            found.append((at, {"kind": kind, "news": news, "previous_sha256": before, **own}))
        known = times[at], report["sha256"]
    return found


def _fields(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "reports": list(reports),
        "reports_count": len(reports),
        "kinds": ",".join(report["kind"] for report in reports),
        "appeared_count": sum(report["news"] == APPEARED for report in reports),
        "changed_count": sum(report["news"] == CHANGED for report in reports),
        "first_title": reports[0]["title"],
    }


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    names = [KINDS[report["kind"]] for report in event["reports"]]
    said = ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]
    verbs = {report["news"] for report in event["reports"]}
    verb = "was published or rewritten" if len(verbs) > 1 else {APPEARED: "was published", CHANGED: "was rewritten"}[verbs.pop()]
    verb = verb if len(names) == 1 else verb.replace("was", "were", 1)
    return f"{event['subject_name']}'s {said} {verb} on {day_and_month(event['as_of'])}."


_TIME = "2025-09-14T00:00:00Z"
_REPORT = {
    "kind": "deep_dive",
    "title": "Bitcoin | The First Cryptocurrency | Crypto Deep Dive",
    "news": CHANGED,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "previous_sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
    "length": 6412,
}
_EXAMPLE = {
    "reports": [_REPORT],
    "reports_count": 1,
    "kinds": "deep_dive",
    "appeared_count": 0,
    "changed_count": 1,
    "first_title": _REPORT["title"],
    "suppressed_count": 0,
}


def _known(*days: str | None, kind: str = "deep_dive") -> list[tuple[float, Any]]:
    """Hashes a day: "" is no report, None no answer."""
    rows: list[tuple[float, Any]] = []
    for day, digest in enumerate(days):
        report = {"sha256": digest, "length": 5, "title": f"Title {digest}"} if digest else None
        text = json.dumps(dict.fromkeys(KINDS) | {kind: report})
        rows.append((day, {} if digest is None else text))
    return rows


def _two(first: str, second: str) -> str:
    return json.dumps(
        {kind: {"sha256": digest, "length": 1, "title": digest} for kind, digest in zip(KINDS, (first, second), strict=False)}
    )


TRIGGER = Trigger(
    key="report_published",
    noun="Token Report",
    label="New Token Report",
    description="Triggers when an AI report about a token appears or changes.",
    semantics=1,
    subject="token",
    options=ReportOptions,
    payload=ReportPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample(
        "report_published",
        "New Token Report",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case("a report is rewritten", {}, _known("a", "a", "b"), {2: {"changed_count": 1, "first_title": "Title b"}}),
        Case("a report appears", {}, _known("", "", "a"), {2: {"appeared_count": 1, "kinds": "deep_dive"}}),
        Case("and is rewritten", {"news": "changed"}, _known("", "a", "b"), {2: {"changed_count": 1, "appeared_count": 0}}),
        Case(
            "two of one reading are one event",
            {},
            [(0, _two("a", "b")), (1, _two("c", "d"))],
            {1: {"reports_count": 2, "kinds": "investment_analysis,deep_dive", "first_title": "c"}},
        ),
        Case("one that was gone comes back changed", {}, _known("a", "", "b"), {2: {"changed_count": 1}}),
        Case("an answer is missing between", {}, _known("a", None, "b"), {2: {"reports_count": 1}}),
        Case("only code reviews", {"kinds": "code_review"}, _known("a", "b", kind="code_review"), {1: {"kinds": "code_review"}}),
    ),
    silent=(
        Case("the first reading", {}, _known("a")),
        Case("it stays as it is", {}, _known("a", "a", "a")),
        Case("it is gone, and comes back as it was", {}, _known("a", "", "a")),
        Case("another kind", {"kinds": "code_review"}, _known("a", "b")),
        Case("rewritten, where only new ones are asked for", {"news": "appeared"}, _known("a", "b")),
        Case("too long a silence lies between", {}, [_known("a")[0], (4, _known("b")[0][1])]),
    ),
)
