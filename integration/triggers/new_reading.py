"""Fires when a source has a new reading of a token that says something else than the one before.

With a field chosen, only that field counts. Each field is compared with its own last value; a missing value changes
nothing. The first reading of a token fires nothing, nor does the first after too long a silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from marshmallow import Schema, ValidationError, fields, post_load, validate

from integration.domain.catalogue import Case, Lookback, Options, Trigger
from integration.domain.history import Firing, History
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.posting import event_text
from integration.triggers._options import nearest
from integration.triggers._values import number, plain


class Watched(NamedTuple):
    """What people call a source, and the numbers it has."""

    label: str
    fields: tuple[str, ...]


_BARS = ("open", "high", "low", "close", "volume")
#: Every source about tokens that is polled and has numbers.
SOURCES = {
    "ai_reports": Watched("AI reports", ("reports",)),
    "daily_ohlcv": Watched("Daily prices", _BARS),
    "hourly_ohlcv": Watched("Hourly prices", _BARS),
    "hourly_signals": Watched("Hourly trading signals", ("close", "signal")),
    "investor_grades": Watched(
        "Investor grades",
        (
            "tm_investor_grade", "tm_investor_grade_7d_pct_change", "fundamental_grade", "technology_grade", "valuation_grade",
            "defi_usage_score", "community_score", "exchange_score", "vc_score", "tokenomics_score", "defi_scanner_score",
            "activity_score", "security_score", "repository_score", "collaboration_score",
        ),
    ),
    "levels": Watched("Resistance and support levels", ("count",)),
    "price_predictions": Watched(
        "Price predictions", ("current_price", "base_price", "bear_price", "moon_price", "scenarios")
    ),
    "prices": Watched("Prices", ("price",)),
    "quantmetrics": Watched(
        "Quant metrics",
        (
            "volatility", "all_time_return", "cagr", "sharpe", "sortino", "max_drawdown", "skew", "kurtosis", "tail_ratio",
            "risk_reward_ratio", "profit_factor", "daily_value_at_risk", "daily_return_avg", "daily_return_std",
        ),
    ),
    "tm_grade": Watched(
        "TM grades",
        ("tm_grade", "quant_grade", "tm_grade_24h_pct_change", "tm_trader_grade_24h_change", "fundamental_grade"),
    ),
    "top_market_cap": Watched("Market cap ranks", ("market_rank",)),
    "trader_grades": Watched(
        "Trader grades", ("tm_trader_grade", "ta_grade", "quant_grade", "tm_trader_grade_24h_pct_change")
    ),
    "trading_signals": Watched(
        "Trading signals",
        (
            "trading_signal", "token_trend", "trading_signals_returns", "holding_returns", "tm_trader_grade",
            "tm_investor_grade",
        ),
    ),
}  # fmt: skip
METRIC = "sharpe"
#: What is told of a token beside its quant metrics, so that one event is enough to describe it.
BESIDE = ("trader_grades", "investor_grades", "tm_grade")


class ReadingOptions(Schema):
    """Which source, and what of it."""

    source = fields.String(
        load_default="quantmetrics",
        validate=validate.OneOf(list(SOURCES)),
        metadata=described("Source", "Which readings to watch, such as quantmetrics or trader_grades"),
    )
    field = fields.String(
        load_default="",
        metadata=described(
            "Only If Changed",
            "Tell only when this field of the source changes, such as sharpe; empty means any",
            suits={"source": {key: {"choices": list(watched.fields)} for key, watched in SOURCES.items()}},
        ),
    )

    @post_load
    def _known_field(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        options["field"] = name = options["field"].strip().lower()
        label, known = SOURCES[options["source"]]
        if name and name not in known:
            raise ValidationError(f"{label} have no field {name[:40]!r}. {nearest(name, known)}", "field")
        return options


class ChangedField(Schema):
    """A field that says something else than before."""

    field = fields.String(required=True, metadata=described("Field"))
    old = fields.Float(required=True, metadata=described("Old Value"))
    new = fields.Float(required=True, metadata=described("New Value"))


def _known(label: str, text: str = "", unit: str = "") -> fields.Float:
    about = described(label, f"{text or label}; empty where it is not known", **({"unit": unit} if unit else {}))
    return fields.Float(required=True, allow_none=True, metadata=about)


class ReadingPayload(EventPayload):
    """A reading and what is new in it. Numbers are in the unit that the source has them in."""

    source = fields.String(required=True, metadata=described("Source"))
    field = fields.String(required=True, metadata=described("Field", "The field that was asked for, else the first that changed"))
    old_value = fields.Float(required=True, metadata=described("Old Value", "Of that field"))
    new_value = fields.Float(required=True, metadata=described("New Value", "Of that field"))
    changed = fields.List(fields.Nested(ChangedField), required=True, metadata=described("Changed"))
    changed_count = fields.Integer(required=True, metadata=described("Changed Count"))
    changed_fields = fields.String(required=True, metadata=described("Changed Fields", "Their names, comma separated"))
    values = fields.Dict(
        keys=fields.String(),
        values=fields.Float(allow_none=True),
        required=True,
        metadata=described("Values", "Every field of the reading by name; empty where it is missing"),
    )
    sharpe = _known("Sharpe Ratio")
    sortino = _known("Sortino Ratio")
    volatility = _known("Volatility", unit="fraction")
    max_drawdown = _known("Largest Drawdown", "The largest drawdown, a negative fraction", "fraction")
    daily_value_at_risk = _known("Value at Risk, 1 Day", "The daily value at risk, a negative fraction", "fraction")
    valuation_grade = _known("Valuation Grade", unit="points")
    tm_trader_grade = _known("Trader Grade", unit="points")
    tm_investor_grade = _known("Investor Grade", unit="points")
    tm_grade = _known("TM Grade", unit="points")
    momentum = fields.String(
        required=True,
        allow_none=True,
        metadata=described("Momentum", "Token Metrics' word, such as Gaining Momentum; empty where it is not known"),
    )
    discord_text = fields.String(
        required=True, metadata=described("Discord Text", "All of it in a few lines, ready to post in Discord")
    )


def beside(options: Options) -> tuple[str, ...]:
    """What is polled with the quant metrics."""
    return BESIDE if options["source"] == "quantmetrics" else ()


def more(event: Mapping[str, Any]) -> dict[str, Any]:
    """The token's main numbers by themselves, from the snapshot, and a text of them."""
    shots = event["snapshot"]
    numbers = {name: shots.get(name, {}).get("value") for name in _NUMBERS}
    return {**numbers, "momentum": shots.get("momentum", {}).get("text"), "discord_text": event_text(event)}


_NUMBERS = tuple(
    name
    for name, field in ReadingPayload._declared_fields.items()
    if isinstance(field, fields.Float) and name not in ("old_value", "new_value")
)


def sources(options: Options) -> tuple[str, ...]:
    """The source that is chosen."""
    return (options["source"],)


def lookback(_options: Options) -> Lookback:
    """The last value of each field, at most one silence ago."""
    return Lookback(1)


def _changes(history: History) -> dict[int, dict[str, tuple[float, float]]]:
    """By row the fields that changed there, each with its old and new value."""
    found: dict[int, dict[str, tuple[float, float]]] = {}
    for name in history.metrics:
        column = history.column(name)
        rows = np.flatnonzero(~np.isnan(column))
        values, times = column[rows], history.as_of[rows]
        near = np.diff(times) <= history.max_gap
        for at in (np.flatnonzero((values[1:] != values[:-1]) & near) + 1).tolist():
            found.setdefault(int(rows[at]), {})[name] = float(values[at - 1]), float(values[at])
    return found


def scan(history: History, options: Options) -> list[Firing]:
    """Readings in which the chosen field, or any, changed."""
    firings = []
    for row, changes in sorted(_changes(history).items()):
        field = options["field"] or next(iter(changes))
        if field not in changes:
            continue
        old, new = changes[field]
        fields_ = {
            "source": options["source"],
            "field": field,
            "old_value": old,
            "new_value": new,
            "changed": [{"field": name, "old": before, "new": now} for name, (before, now) in changes.items()],
            "changed_count": len(changes),
            "changed_fields": ", ".join(changes),
            "values": {name: number(history.values[row, place]) for place, name in enumerate(history.metrics)},
        }
        firings.append(Firing(int(history.as_of[row]), fields_))
    return firings


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    others = event["changed_count"] - 1
    more = f" and {others} more field{'s' if others > 1 else ''}" if others else ""
    return (
        f"{event['subject_name']} has a new reading in {SOURCES[event['source']].label}: {event['field'].replace('_', ' ')} "
        f"{plain(event['old_value'])} → {plain(event['new_value'])}{more} on {day_and_month(event['as_of'])}."
    )


_TIME = "2023-11-07T00:00:00Z"
_EXAMPLE: dict[str, Any] = {
    "source": "quantmetrics",
    "field": "sharpe",
    "old_value": 0.7,
    "new_value": 0.71,
    "changed": [{"field": "sharpe", "old": 0.7, "new": 0.71}, {"field": "sortino", "old": 1.03, "new": 1.04}],
    "changed_count": 2,
    "changed_fields": "sharpe, sortino",
    "values": {
        "volatility": 0.53,
        "all_time_return": 1.99,
        "cagr": 0.27,
        "sharpe": 0.71,
        "sortino": 1.04,
        "max_drawdown": -0.77,
        "skew": 0.08,
        "kurtosis": 3.37,
        "tail_ratio": 1.15,
        "risk_reward_ratio": 0.49667926,
        "profit_factor": 1.14,
        "daily_value_at_risk": -0.05,
        "daily_return_avg": 0.001711601383,
        "daily_return_std": 0.0576565368,
    },
}


_SNAPSHOT = {
    "tm_trader_grade": 84.16,
    "tm_investor_grade": 71.2,
    "valuation_grade": 53.39,
    **{name: _EXAMPLE["values"][name] for name in ("sharpe", "sortino", "volatility", "max_drawdown", "daily_value_at_risk")},
    "tm_grade": 77.3,
}
_SAMPLE = {
    **sample(
        "new_reading",
        "New Reading",
        ("token:3924", 3924, "Polkadot", "DOT"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Polkadot", "as_of": _TIME}),
        _TIME,
    ),
    "snapshot": {
        **{name: {"value": value, "as_of": _TIME} for name, value in _SNAPSHOT.items()},
        "momentum": {"value": 4.0, "as_of": _TIME, "text": "Gaining Momentum"},
    },
}


def _ratios(*pairs: tuple[float | None, float | None]) -> list[tuple[float, Any]]:
    """Sharpe and Sortino ratio by day."""
    return [(day, {"sharpe": sharpe, "sortino": sortino}) for day, (sharpe, sortino) in enumerate(pairs)]


TRIGGER = Trigger(
    key="new_reading",
    noun="Reading",
    label="New Reading",
    description="Triggers when a source has a new reading of a token, or when one field of it changes.",
    semantics=1,
    subject="token",
    options=ReadingOptions,
    payload=ReadingPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample={**_SAMPLE, **more(_SAMPLE)},
    beside=beside,
    more=more,
    presets={
        "Every day's quant metrics: Sharpe ratio, value at risk, drawdown": {"source": "quantmetrics"},
        "Every day's trader grades": {"source": "trader_grades"},
        "Every day's trading signal": {"source": "trading_signals"},
    },
    fires=(
        Case(
            "each reading that says something new",
            {},
            _ratios((0.7, 1.03), (0.71, 1.03), (0.71, 1.04)),
            {
                1: {"field": "sharpe", "old_value": 0.7, "new_value": 0.71, "changed_fields": "sharpe"},
                2: {"field": "sortino", "changed": [{"field": "sortino", "old": 1.03, "new": 1.04}]},
            },
        ),
        Case(
            "only a chosen field, told with all that changed",
            {"field": "sortino"},
            _ratios((0.7, 1.03), (0.71, 1.03), (0.72, 1.04)),
            {2: {"field": "sortino", "new_value": 1.04, "changed_count": 2, "changed_fields": "sharpe, sortino"}},
        ),
        Case("a value that was missing is compared with the last", {}, _ratios((0.7, None), (None, None), (0.8, None)), {2: {}}),
        Case(
            "another source",
            {"source": "trader_grades", "field": "tm_trader_grade"},
            [(0, {"tm_trader_grade": 58.58}), (1, {"tm_trader_grade": 76.47})],
            {1: {"source": "trader_grades", "old_value": 58.58}},
        ),
        Case(
            "the field however it is written",
            {"field": " Sharpe "},
            _ratios((0.7, None), (0.8, None)),
            {1: {"field": "sharpe"}},
        ),
    ),
    silent=(
        Case("the first reading", {}, _ratios((0.7, 1.03))),
        Case("the same again", {}, _ratios((0.7, 1.03), (0.7, 1.03))),
        Case("another field than the chosen one", {"field": "sortino"}, _ratios((0.7, 1.03), (0.8, 1.03))),
        Case("a value becomes missing", {}, _ratios((0.7, 1.03), (0.7, None))),
        Case("a value is known for the first time", {}, _ratios((0.7, None), (0.7, 1.03))),
        Case("too long a silence lies between", {}, [_ratios((0.7, 1.03))[0], (4, _ratios((0.8, 1.04))[0][1])]),
    ),
)
