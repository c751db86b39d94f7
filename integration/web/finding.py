"""Searches: tokens, indices, what is known of one, what happened lately. And texts: by template, or by Token Metrics AI."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema
from flask import Response, g
from marshmallow import ValidationError, fields, validate

from integration.domain.numerals import Whole
from integration.domain.payload import SnapshotValue, described
from integration.service import finding, questions
from integration.service.compose import SNAPSHOT
from integration.service.wiring import Gradewire
from integration.web.events import AnyEvent
from integration.web.query import check_known

LONGEST_QUESTION = 2_000


def _text(label: str, text: str = "", **more: Any) -> fields.String:
    return fields.String(metadata=described(label, text), **more)


def _some(label: str, text: str = "") -> fields.String:
    return _text(label, text, load_default=None, allow_none=True, validate=validate.Length(max=200))


def _limit(default: int) -> Whole:
    about = described("Limit", "How many at most")
    return Whole(load_default=default, validate=validate.Range(1, finding.MOST), metadata=about)


def _not_blank(text: str) -> None:
    if not text.strip():
        raise ValidationError("It is blank: write what you want to know.")


class FindQuery(Schema):
    """What is looked for."""

    q = fields.String(
        required=True,
        validate=validate.Length(1, 100),
        metadata=described("Name, Symbol or ID", "Or a part of it", minLength=1),
    )
    limit = _limit(10)


class SubjectOut(Schema):
    """A token or an index."""

    id = fields.Integer(required=True, metadata=described("ID", "The Token Metrics id"))
    subject = _text("Subject", "token:<id> or index:<id>", required=True)
    name = _text("Name", required=True)
    symbol = _text("Symbol", required=True)
    label = _text("Label", "Name and symbol", required=True)
    market_rank = fields.Integer(required=True, allow_none=True, metadata=described("Market Cap Rank"))
    categories = _text("Categories", "Comma separated", required=True)
    exchanges = _text("Exchanges", "Comma separated", required=True)


class MetricsQuery(Schema):
    """Of what the metrics are wanted."""

    token = _some("Token", "Id, symbol or name of a token")
    index = _some("Index", "Id, symbol or name of an index")


class MetricOut(Schema):
    """One metric's newest value."""

    key = _text("Key", required=True)
    label = _text("Label", required=True)
    value = fields.Float(required=True, metadata=described("Value", "As Token Metrics has it"))
    unit = _text("Unit", required=True, allow_none=True)
    source = _text("Source", required=True)
    as_of = _text("As Of", required=True)


class _MetricsOut(Schema):
    """What is known of a token or an index."""

    id = fields.Integer(required=True, metadata=described("ID", "The Token Metrics id"))
    subject = _text("Subject", required=True)
    subject_name = _text("Name", required=True)
    subject_symbol = _text("Symbol", required=True)
    as_of = _text("As Of", "Of the newest of them", required=True, allow_none=True)
    momentum = _text("Momentum", "Token Metrics' word", required=True, allow_none=True)
    discord_text = _text("Discord Text", "The main metrics in a few lines, ready to post", required=True)
    snapshot = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(SnapshotValue),
        required=True,
        metadata=described("Snapshot", "The main metrics, each with its own date"),
    )
    metrics = fields.List(fields.Nested(MetricOut), required=True, metadata=described("Metrics", "All of them"))


MetricsOut: Any = _MetricsOut.from_dict(
    {
        metric: fields.Float(required=True, allow_none=True, metadata=described(metric, "Empty where it is not known"))
        for _, metric in SNAPSHOT
    },
    name="MetricsOut",
)


class LatestQuery(Schema):
    """Which events."""

    trigger = _some("Trigger", "The key of a trigger; none means all")
    token = _some("Token", "Id, symbol or name of a token")
    index = _some("Index", "Id, symbol or name of an index")
    limit = _limit(10)


class LatestEvent(AnyEvent):
    """An event of any trigger, which adds fields of its own."""


class DescribeIn(Schema):
    """What a text is wanted about; one of these."""

    token = _some("Token", "Id, symbol or name of a token")
    index = _some("Index", "Id, symbol or name of an index")
    event_id = _some("Event ID", "The id of an event")


class DescribedOut(Schema):
    """A text, ready to post in Discord."""

    kind = fields.String(required=True, validate=validate.OneOf(["token", "index", "event"]))
    text = _text("Text", "Discord's markdown, at most 2,000 characters", required=True)
    characters = fields.Integer(required=True, metadata=described("Characters"))
    subject = _text("Subject", required=True)
    subject_id = fields.Integer(required=True, allow_none=True, metadata=described("Subject ID"))
    subject_name = _text("Name", required=True)
    subject_symbol = _text("Symbol", required=True)
    event_id = _text("Event ID", required=True, allow_none=True)


class QuestionIn(Schema):
    """A question to Token Metrics AI."""

    question = fields.String(
        required=True,
        validate=[validate.Length(1, LONGEST_QUESTION), _not_blank],
        metadata=described("Question", "Such as: What is the outlook of Bitcoin?", minLength=1),
    )


class AnswerOut(Schema):
    """What Token Metrics AI says."""

    question = _text("Question", required=True)
    answer = _text("Answer", required=True)
    sandbox = fields.Boolean(required=True, metadata=described("Sandbox", "True where the sandbox made it up"))


def finding_routes(gradewire: Gradewire) -> APIBlueprint:
    """Routes of searches and texts."""
    api = APIBlueprint("finding", __name__, url_prefix="/v1", tag="Finding")
    many_events: Any = LatestEvent(many=True)

    @api.get("/tokens")
    @api.input(FindQuery, location="query")
    @api.output(SubjectOut(many=True))
    @api.doc(summary="Find tokens by name, symbol or id", description="The best fit first; an empty array where none fits.")
    def tokens(query_data: dict[str, Any]) -> Any:
        return finding.find(gradewire, "token", query_data["q"], query_data["limit"])

    @api.get("/indices")
    @api.input(FindQuery, location="query")
    @api.output(SubjectOut(many=True))
    @api.doc(summary="Find indices by name, symbol or id", description="The best fit first; an empty array where none fits.")
    def indices(query_data: dict[str, Any]) -> Any:
        return finding.find(gradewire, "index", query_data["q"], query_data["limit"])

    @api.get("/metrics")
    @api.input(MetricsQuery, location="query")
    @api.output(MetricsOut(many=True))
    @api.doc(
        summary="What is known now of a token or an index",
        description="One entry for each that is so called, the largest first. It causes no upstream call: what nobody watches "
        "may be old or missing.",
    )
    def metrics(query_data: dict[str, Any]) -> Any:
        return finding.metrics_of(gradewire, query_data["token"], query_data["index"])

    @api.get("/events/latest")
    @api.input(LatestQuery, location="query")
    @api.output(many_events)
    @api.doc(
        summary="The newest events of all rules, newest first",
        description="Of a trigger with any options, of the last 100,000 events. To be told of each once, read a feed instead.",
    )
    def latest(query_data: dict[str, Any]) -> Response:
        check_known(LatestQuery)
        texts = finding.latest_events(gradewire, **query_data)
        return Response(f"[{','.join(texts)}]", mimetype="application/json")

    @api.post("/describe")
    @api.input(DescribeIn)
    @api.output(DescribedOut)
    @api.doc(summary="A text about a token, an index or an event, ready to post", responses={404: "There is no such event."})
    def describe(json_data: dict[str, Any]) -> Any:
        return finding.describe(gradewire, g.owner.account_id, **json_data)

    @api.post("/tmai")
    @api.input(QuestionIn)
    @api.output(AnswerOut)
    @api.doc(
        summary="Ask Token Metrics AI",
        description="It takes one of the plan's calls, and up to half a minute.",
        responses={403: "The Token Metrics plan does not include it.", 503: "Token Metrics does not answer as it should."},
    )
    def tmai(json_data: dict[str, Any]) -> Any:
        return questions.question(gradewire, json_data["question"])

    return api
