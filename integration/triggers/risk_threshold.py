"""Fires when a risk metric of a token becomes worse than a limit and had been within it.

Limits are asked as people say them: "value at risk worse than 5 %" is 5, and so is a drawdown of 5 %; losses are negative
fractions upstream and in the event. Worse means a larger loss, volatility, beta, correlation or kurtosis, and a lower
ratio or skew. A value at the limit breaches it; within the limit it is again only once it has gone back by the band.
Over 30, 90 or 365 days metrics are computed from daily closes; `published` ones are Token Metrics' own, over all history.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from integration.domain.catalogue import BITCOIN, Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import Sides, level_sides, observed
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.screen import Watch
from integration.triggers._levels import (
    DOWN,
    UP,
    crossed,
    crossed_at_field,
    crossing_fields,
    direction_field,
    holding,
    kept_level,
    level_lookback,
    suppressed_field,
    watch_level,
)
from integration.triggers._options import TriggerOptions, window
from integration.triggers._possible import check_crossing, fitting_band
from integration.triggers._risks import FLOOR, METRICS, PEOPLES, RATIO, SCALE, TO_BITCOIN

PUBLISHED = "published"
METRIC = "value_at_risk_95"


class RiskOptions(TriggerOptions):
    """Which metric, over which window, and how much is too much."""

    metric = fields.String(
        load_default="value_at_risk", validate=validate.OneOf(list(METRICS)), metadata=described("Metric", "What to watch")
    )
    worse_than = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(-100, 2000),
        metadata=described(
            "Worse Than",
            "Worse than this is told. Losses and volatility in percent (5 means a loss of 5 %), all else as the ratio it is; "
            "empty means a usual limit of the metric",
            suits={"metric": {name: {"unit": PEOPLES[risk.unit], "start": risk.limit} for name, risk in METRICS.items()}},
        ),
    )
    window = window()
    also_recovery = fields.Boolean(
        load_default=False, metadata=described("Also Recovery", "Tell as well when it comes back within the limit")
    )
    hysteresis = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 1000),
        metadata=described(
            "Band",
            "How far it must come back before it can breach the limit again, in the unit of the limit; "
            "empty means a little (half a percent for losses, 0.05 for ratios), or 2 % of the limit if more",
        ),
    )

    @validates_schema
    def _it_can_be_breached(self, options: dict[str, Any], **_: Any) -> None:
        risk = METRICS[options["metric"]]
        if options["window"] == PUBLISHED and not risk.published:
            raise ValidationError(f"The {risk.words} is not published: use 30d, 90d or 365d.", "window")
        if options["window"] != PUBLISHED and not risk.windowed:
            raise ValidationError(f"The {risk.words} is only published over all history: use published.", "window")
        limit = risk.limit if options["worse_than"] is None else options["worse_than"]
        check_crossing(limit, options["hysteresis"] or 0.0, risk.values, below=risk.below, field="worse_than")

    @post_load
    def _usual(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        risk = METRICS[options["metric"]]
        if options["worse_than"] is None:
            options["worse_than"] = float(risk.limit)
        if options["hysteresis"] is None:
            limit = options["worse_than"]
            wide = max(FLOOR[risk.unit], round(0.02 * abs(limit), 6))
            options["hysteresis"] = fitting_band(wide, limit, risk.values, below=risk.below)
        return options


class RiskPayload(EventPayload):
    """A breach or a recovery."""

    metric = fields.String(required=True, metadata=described("Metric", "The option's choice, such as value_at_risk or beta"))
    window = fields.String(required=True, metadata=described("Window", "Days it is computed over; published is all history"))
    state = fields.String(required=True, metadata=described("State", "breached or recovered"))
    unit = fields.String(required=True, metadata=described("Unit", "Of the values and the limit: fraction or ratio"))
    limit = fields.Float(required=True, metadata=described("Limit", "In the unit of the values; losses are negative"))
    value = fields.Float(required=True, metadata=described("Value", "Losses are negative"))
    previous_value = fields.Float(
        required=True, metadata=described("Previous Value", "The last reading that was not on the new side")
    )
    direction = direction_field()
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """Published metrics, or those of a window."""
    return ("quantmetrics",) if options["window"] == PUBLISHED else (f"risk_{options['window']}",)


def against(options: Options) -> str | None:
    """Bitcoin, where the metric is about both."""
    return BITCOIN if options["metric"] in TO_BITCOIN else None


def lookback(options: Options) -> Lookback:
    """That of a level."""
    return level_lookback(options)


def _column(options: Options) -> str:
    risk = METRICS[options["metric"]]
    return risk.published if options["window"] == PUBLISHED else risk.windowed


def _level(options: Options) -> tuple[float, float, int]:
    """The limit and the band in upstream's unit, and which side is worse."""
    risk = METRICS[options["metric"]]
    scale = SCALE[risk.unit]
    # in decimals: 29 % is 0.29, not a hair more
    limit, band = (float(Decimal(repr(options[name])) * by) for name, by in (("worse_than", scale), ("hysteresis", abs(scale))))
    return limit + 0.0, band, risk.worse


def _sides(values: Floats, options: Options) -> Sides:
    limit, band, worse = _level(options)
    return level_sides(values, limit, band, below=worse == DOWN)


def scan(history: History, options: Options) -> list[Firing]:
    """Breaches, and recoveries where they are asked for."""
    as_of, values = observed(history.as_of, history.column(_column(options)))
    limit, _, worse = _level(options)
    wanted = (UP, DOWN) if options["also_recovery"] else (worse,)
    return [
        Firing(
            int(as_of[crossing.at]),
            {
                "metric": options["metric"],
                "window": options["window"],
                "state": "breached" if crossing.side == worse else "recovered",
                "unit": "ratio" if METRICS[options["metric"]].unit == RATIO else "fraction",
                "limit": limit,
                "value": float(values[crossing.at]),
                "previous_value": float(values[crossing.before]),
                **crossing_fields(crossing, as_of),
            },
        )
        for crossing in crossed(history, as_of, _sides(values, options), options, wanted)
    ]


def holds(history: History, options: Options) -> States:
    """Whether the limit is breached."""
    values = history.column(_column(options))
    return holding(history, values, _sides(observed(history.as_of, values)[1], options), options, _level(options)[2])


def keeps(options: Options) -> Kept:
    """The metric lies on the worse side."""
    limit, band, worse = _level(options)
    return kept_level(sources(options)[0], _column(options), limit, band, options, below=worse == DOWN)


def watch(options: Options) -> tuple[Watch]:
    """The limit, for screening."""
    limit, band, worse = _level(options)
    tells = (UP, DOWN) if options["also_recovery"] else (worse,)
    return (watch_level(_column(options), limit, band, options, below=worse == DOWN, tells=tells),)


def _said(event: Mapping[str, Any], name: str, digits: int) -> str:
    """A value in the unit that people say."""
    risk = METRICS[event["metric"]]
    if risk.unit == RATIO:
        return f"{event[name]:.2f}" if digits else f"{event[name]:g}"
    people = event[name] / float(SCALE[risk.unit]) + 0.0
    return f"{people:.{digits}f} %" if digits else f"{people:g} %"


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    days = "" if event["window"] == PUBLISHED else f"{event['window'].removesuffix('d')}-day "
    breached = event["state"] == "breached"
    verb = "became worse than" if breached else "came back within"
    previous, now, limit = (_said(event, name, digits) for name, digits in (("previous_value", 1), ("value", 1), ("limit", 0)))
    return (
        f"{event['subject_name']}'s {days}{METRICS[event['metric']].words} {verb} {limit}: "
        f"{previous} → {now} on {day_and_month(event['as_of'])}."
    )


_TIME = "2021-05-19T00:00:00Z"
_EXAMPLE = {
    "metric": "value_at_risk",
    "window": "90d",
    "state": "breached",
    "unit": "fraction",
    "limit": -0.06,
    "value": -0.0634,
    "previous_value": -0.0588,
    "direction": "down",
    "crossed_at": "2021-05-19T00:00:00Z",
    "suppressed_count": 0,
}


def _metric(name: str, *values: float | None) -> list[tuple[float, Any]]:
    return [(day, {name: value}) for day, value in enumerate(values)]


TRIGGER = Trigger(
    key="risk_threshold",
    noun="Risk Limit Breach",
    label="New Risk Limit Breach",
    description="Triggers when a token's volatility, value at risk, drawdown or another risk metric becomes worse than a limit.",
    semantics=1,
    subject="token",
    options=RiskOptions,
    payload=RiskPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    against=against,
    watch=watch,
    summary=summary,
    sample=sample(
        "risk_threshold",
        "New Risk Limit Breach",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    presets={
        "A bad day could cost 5 %: value at risk over 90 days": {"metric": "value_at_risk", "worse_than": 5, "window": "90d"},
        "Falls 20 % from its high of 90 days": {"metric": "drawdown", "worse_than": 20, "window": "90d"},
        "Volatility above 80 % a year": {"metric": "volatility", "worse_than": 80, "window": "90d"},
    },
    fires=(
        Case(
            "the value at risk becomes worse than 5 %",
            {},
            [(0, -0.04), (1, -0.047), (2, -0.05)],
            {2: {"state": "breached", "limit": -0.05, "value": -0.05, "previous_value": -0.047, "direction": "down"}},
        ),
        Case(
            "volatility rises to its limit",
            {"metric": "volatility", "worse_than": 29},
            _metric("volatility", 0.26, 0.28, 0.29),
            {2: {"limit": 0.29, "direction": "up", "unit": "fraction"}},
        ),
        Case(
            "a drawdown and its recovery",
            {"metric": "drawdown", "worse_than": 20, "also_recovery": True},
            _metric("drawdown", -0.1, -0.25, -0.198, -0.195),
            {1: {"state": "breached"}, 3: {"state": "recovered", "value": -0.195}},
        ),
        Case(
            "a Sortino ratio is worse the lower it is",
            {"metric": "sortino", "worse_than": 0.5},
            _metric("sortino", 0.9, 0.52, 0.5),
            {2: {"unit": "ratio", "limit": 0.5}},
        ),
        Case("beta is worse the higher it is", {"metric": "beta"}, _metric("beta", 1.2, 1.6), {1: {"limit": 1.5, "value": 1.6}}),
        Case(
            "the published maximum drawdown",
            {"metric": "max_drawdown", "window": "published", "worse_than": 75},
            _metric("max_drawdown", -0.7, -0.77),
            {1: {"window": "published"}},
        ),
        Case(
            "what is only published",
            {"metric": "tail_ratio", "window": "published"},
            _metric("tail_ratio", 1.2, 0.95),
            {1: {"metric": "tail_ratio"}},
        ),
        Case(
            "a second reading confirms it",
            {"min_observations": 2},
            [(0, -0.04), (1, -0.06), (2, -0.07)],
            {2: {"crossed_at": "1970-01-02T00:00:00Z"}},
        ),
    ),
    silent=(
        Case("the first reading", {}, [(0, -0.2)]),
        Case("it trembles within the band", {}, [(0, -0.051), (1, -0.049), (2, -0.051), (3, -0.046), (4, -0.05)]),
        Case("a recovery that is not asked for", {}, [(0, -0.06), (1, -0.03)]),
        Case("it gets better", {"metric": "sortino", "worse_than": 0.5}, _metric("sortino", 0.6, 2.0)),
        Case("only another metric", {"metric": "volatility"}, [(0, {"volatility": 0.5}), (1, {"volatility": 0.5, "beta": 9})]),
        Case("nulls", {}, [(0, -0.04), (1, None), (2, None)]),
        Case("too long a silence lies between", {}, [(0, -0.03), (4, -0.08)]),
    ),
)
