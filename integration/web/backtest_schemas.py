"""What a backtest takes and tells."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from marshmallow import fields, validate

from integration.domain.numerals import Whole
from integration.domain.payload import described
from integration.service.backtest import GIVEN, MOST_GIVEN
from integration.service.trial import KEPT_DAYS
from integration.web.schemas import TrueOrFalse


def _text(label: str, text: str = "", **more: Any) -> fields.String:
    return fields.String(required=True, metadata=described(label, text), **more)


def _count(label: str, text: str = "", **more: Any) -> fields.Integer:
    return fields.Integer(required=True, metadata=described(label, text), **more)


def _number(label: str, text: str = "", **more: Any) -> fields.Float:
    return fields.Float(required=True, metadata=described(label, text), **more)


def _flag(label: str, text: str = "") -> fields.Boolean:
    return fields.Boolean(required=True, metadata=described(label, text))


def _list(schema: type[Schema], label: str, text: str = "") -> fields.List[Any]:
    return fields.List(fields.Nested(schema), required=True, metadata=described(label, text))


def _free(label: str, text: str, **more: Any) -> fields.Dict:
    return fields.Dict(keys=fields.String(), metadata=described(label, text), **more)


class BacktestIn(Schema):
    """A rule to try on the stored past."""

    trigger = fields.String(required=True, metadata=described("Trigger", "The key of a trigger"))
    options = _free("Options", "Of the trigger; what is left out has its default", load_default=dict)
    scope = _free("Scope", "Who is watched; none means any", load_default=dict)
    filters = _free("Filters", "Options and scope in one, where a tool has one form for both", load_default=dict)
    since = fields.Date(
        data_key="from",
        load_default=None,
        allow_none=True,
        metadata=described("From", f"The first day, at most {KEPT_DAYS} days ago; none means 365 days before the last"),
    )
    until = fields.Date(
        data_key="to", load_default=None, allow_none=True, metadata=described("To", "The last day; none means the newest stored")
    )
    flap_days = Whole(
        load_default=7,
        validate=validate.Range(1, 365),
        metadata=described("Flap Days", "Within how many days an event in another direction counts as a flap", unit="days"),
    )
    limit = Whole(
        load_default=GIVEN,
        validate=validate.Range(0, MOST_GIVEN),
        metadata=described("Limit", "How many events to give in full, the newest; all are counted"),
    )
    fetch = TrueOrFalse(
        load_default=False,
        metadata=described("Fetch", "Have the missing days fetched, within the plan; ask again later to see what they change"),
    )


class Firing(Schema):
    """What is said beside an event. Returns are fractions, null where no price is stored."""

    id = _text("Event ID")
    subject = _text("Subject")
    as_of = _text("As Of")
    known_at = _text("Known At")
    stored = _flag("Stored", "True where live evaluation or a feed has given it already")
    reconstructed = _flag("Reconstructed", "True where it would not have come without readings that were filled in later")
    return_1d = _number("Return 1 d", allow_none=True)
    return_7d = _number("Return 7 d", allow_none=True)
    return_30d = _number("Return 30 d", allow_none=True)


class Gap(Schema):
    """A stretch without readings."""

    subject = _text("Subject")
    name = _text("Name")
    since = fields.String(required=True, data_key="from", attribute="from")
    until = fields.String(required=True, data_key="to", attribute="to")
    days = _number("Days")


class Gaps(Schema):
    """Stretches without readings, longer than anything speaks across: after each the rule begins anew."""

    count = _count("Count")
    subjects = _count("Subjects", "How many subjects have any")
    without_readings = _count("Without Readings", "How many subjects have no reading at all")
    days = _number("Days", "Of all together")
    longest = _list(Gap, "Longest", "The longest of them")


class Flap(Schema):
    """Two events in a row of one subject, in different directions."""

    subject = _text("Subject")
    name = _text("Name")
    since = fields.String(required=True, data_key="from", attribute="from")
    until = fields.String(required=True, data_key="to", attribute="to")
    directions = fields.List(fields.String(), required=True)


class Flaps(Schema):
    """Events that another one soon followed in another direction."""

    within_days = _count("Within Days")
    count = _count("Count")
    subjects = _count("Subjects")
    newest = _list(Flap, "Newest")


class Alternative(Schema):
    """What another value of one option would have given, all else as asked."""

    option = _text("Option")
    value = _number("Value")
    chosen = _flag("Chosen", "True for what was asked")
    count = _count("Count", "Events")
    flaps = _count("Flaps")


class Horizon(Schema):
    """Returns so many days after, as fractions: of events, and of every day of the same subjects."""

    days = _count("Days")
    direction = _text("Direction", "Of which events; null means all", allow_none=True)
    events_count = _count("Events")
    events_mean = _number("Mean", allow_none=True)
    events_median = _number("Median", allow_none=True)
    events_positive = _number("Positive", "The share above zero", allow_none=True)
    base_count = _count("Base Days")
    base_mean = _number("Base Mean", allow_none=True)
    base_median = _number("Base Median", allow_none=True)
    base_positive = _number("Base Positive", allow_none=True)


class Returns(Schema):
    """What came after. Not advice."""

    note = _text("Note", "How it was measured")
    horizons = _list(Horizon, "Horizons")


class Point(Schema):
    """A point of a chart."""

    as_of = _text("As Of")
    value = _number("Value", allow_none=True)


class Marked(Point):
    """An event on a chart."""

    id = _text("Event ID")
    direction = _text("Direction", allow_none=True)


class Series(Schema):
    """The number that the rule watches, of the one subject that was asked about: at most 1,000 points, extremes kept."""

    subject = _text("Subject")
    source = _text("Source")
    metric = _text("Metric")
    label = _text("Label")
    unit = _text("Unit")
    points = _list(Point, "Points")
    marks = _list(Marked, "Marks")


class Part(Schema):
    """Days of a source that are not stored."""

    source = _text("Source")
    label = _text("Label")
    subjects = _count("Subjects", "How many; null means all at once", allow_none=True)
    named = fields.List(fields.String(), required=True, metadata=described("Named", "The first of them"))
    since = fields.String(required=True, data_key="from", attribute="from")
    until = fields.String(required=True, data_key="to", attribute="to")
    days = _count("Days", "Each subject's counted")
    calls = _count("Calls", "Upstream calls that fetching them takes at most")
    why_not = _text("Why Not", "Why they cannot be fetched", allow_none=True)
    wish = _text("Wish", "The id of the wish that they be fetched", allow_none=True)
    status = _text("Status", "waiting, fetching, done or failed", allow_none=True)
    error = _text("Error", "Why it failed or still waits", allow_none=True)


class CallsTaken(Schema):
    """What switching it on takes."""

    calls_a_month = _count("Calls a Month", "Upstream calls that polling for it takes")
    added_calls_a_month = _count("Added", "Of these, what nobody else causes yet")


class Missing(Schema):
    """What the period lacks."""

    days = _count("Days")
    calls = _count("Calls", "Upstream calls that fetching all that can be had takes at most")
    wish = _text("Wish", "Of the first part that is wished for", allow_none=True)
    status = _text("Status", "Of the same", allow_none=True)
    parts = _list(Part, "Parts")


class BacktestOut(Schema):
    """What the stored past says of a rule."""

    trigger = _text("Trigger")
    label = _text("Label")
    options = _free("Options", "With every default", required=True)
    scope = _free("Scope", "In canonical form", required=True)
    since = fields.String(required=True, data_key="from", attribute="from", metadata=described("From", format="date"))
    until = fields.String(required=True, data_key="to", attribute="to", metadata=described("To", format="date"))
    watched = _count("Watched", "Subjects in the scope")
    subjects = _count("Subjects", "Of these, how many had an event")
    count = _count("Count", "Events")
    left_out = _count("Left Out", "Older events that are counted but not given")
    events = fields.List(
        _free("Event", "As it was or would have been told"), required=True, metadata=described("Events", "Newest first")
    )
    firings = _list(Firing, "Firings", "What is said of each event, in the same order")
    gaps = fields.Nested(Gaps, required=True)
    flaps = fields.Nested(Flaps, required=True, allow_none=True)
    alternatives = _list(Alternative, "Alternatives")
    returns = fields.Nested(Returns, required=True)
    series = fields.Nested(Series, required=True, allow_none=True)
    cost = fields.Nested(CallsTaken, required=True)
    missing = fields.Nested(Missing, required=True, allow_none=True)
