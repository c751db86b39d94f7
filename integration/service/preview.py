"""What a backtest tells: plain data, ready for JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from integration.domain.backtest import HORIZONS, Prices, base_returns, flaps, rate, returns_after, thin, watched
from integration.domain.catalogue import SubjectRow, split_source
from integration.domain.history import Floats, History, Told
from integration.domain.payload import iso
from integration.domain.retry import DAY
from integration.service.bygone import prices
from integration.service.compose import END, compose, moment, snapshots_then
from integration.service.evaluate import Catalogue, identified, unnamed
from integration.service.lacking import Lack
from integration.service.trial import Trial
from integration.store.queries import events, subjects

#: Points of a chart, gaps and flaps that are listed, subjects that are named.
POINTS, LISTED, NAMED = 1_000, 20, 20
NOT_ADVICE = (
    "Not advice. A return runs from the newest daily close that was known when the event was known, or from the close of the "
    "event's own day where that is later, to the close so many days after that. The base is the same from every day of the "
    "period, of the subjects that had an event."
)

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """An event in full."""

    identity: str
    subject: str
    told: Told
    payload: Shown
    stored: bool


def preview(connection: Connection, catalogue: Catalogue, trial: Trial) -> Shown:
    """Events, gaps, flaps, what other options would have given, what came after, and a chart."""
    inquiry, rule = trial.inquiry, trial.inquiry.rule
    fired = sorted({mark.subject for mark in trial.marks})
    named = subjects.load(connection, sorted({*fired, *(gap.subject for gap in trial.gaps)}))
    given = _given(connection, catalogue, trial, named)
    known = prices(connection, catalogue, fired, inquiry.start, END) if rule.trigger.subject == "token" and fired else {}
    after = returns_after(known, trial.marks)
    return {
        "trigger": rule.trigger.key,
        "label": rule.trigger.label,
        "options": json.loads(rule.canonical),
        "scope": json.loads(inquiry.scope.text),
        "from": _day(inquiry.start),
        "to": _day(inquiry.end - DAY),
        "watched": len(inquiry.names),
        "subjects": len(fired),
        "count": len(trial.marks),
        "left_out": len(trial.marks) - len(given),
        "events": [one.payload for one in given],
        "firings": _firings(trial, given, after),
        "gaps": _gaps(trial, named),
        "flaps": _flaps(trial, named),
        "alternatives": [
            {"option": v.option, "value": v.value, "chosen": v.rule is rule, "count": v.count, "flaps": v.flaps}
            for v in trial.variants
        ],
        "returns": {"note": NOT_ADVICE, "horizons": _horizons(trial, known, after)},
        "series": None if trial.history is None else _series(catalogue, trial, trial.history, given),
    }


def _day(milliseconds: int) -> str:
    return iso(milliseconds)[:10]


def _given(connection: Connection, catalogue: Catalogue, trial: Trial, named: Mapping[str, SubjectRow]) -> list[Given]:
    """The newest events in full, newest first: as stored, or as they would have been, beside what was known then."""
    found = identified(trial.newest)
    stored = events.payloads(connection, list(found))
    fresh = {identity: entry for identity, entry in found.items() if identity not in stored}
    moments = [moment(subject, told, trial.asked) for _, subject, told in fresh.values()]
    shots = dict(zip(fresh, snapshots_then(connection, catalogue.sources, moments), strict=True))
    given = []
    for identity, (rule, subject, told) in reversed(found.items()):
        text = stored.get(identity) or compose(
            rule.trigger, identity, named.get(subject) or unnamed(subject), told, shots[identity], sandbox=catalogue.sandbox
        )
        given.append(Given(identity, subject, told, json.loads(text), identity in stored))
    return given


def _firings(trial: Trial, given: Sequence[Given], after: Floats) -> list[Shown]:
    """What is said of each event beside it, in the same order."""
    rows = {(mark.subject, mark.as_of): row for mark, row in zip(trial.marks, after.tolist(), strict=True)}
    return [
        {
            "id": one.identity,
            "subject": one.subject,
            "as_of": iso(one.told.firing.as_of),
            "known_at": iso(one.told.known_at),
            "stored": one.stored,
            "reconstructed": (one.subject, one.told.firing.as_of) in trial.mended,
            **{
                f"return_{days}d": _number(value)
                for days, value in zip(HORIZONS, rows[one.subject, one.told.firing.as_of], strict=True)
            },
        }
        for one in given
    ]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _gaps(trial: Trial, named: Mapping[str, SubjectRow]) -> Shown:
    longest = sorted(trial.gaps, key=lambda gap: (gap.start - gap.end, gap.subject, gap.start))[:LISTED]
    return {
        "count": len(trial.gaps),
        "subjects": len({gap.subject for gap in trial.gaps}),
        "without_readings": trial.silent,
        "days": round(sum(gap.end - gap.start for gap in trial.gaps) / DAY, 2),
        "longest": [
            {
                "subject": gap.subject,
                "name": _name(named, gap.subject),
                "from": iso(gap.start),
                "to": iso(gap.end),
                "days": round((gap.end - gap.start) / DAY, 2),
            }
            for gap in longest
        ],
    }


def _name(named: Mapping[str, SubjectRow], subject: str) -> str:
    return (named.get(subject) or unnamed(subject)).name


def _flaps(trial: Trial, named: Mapping[str, SubjectRow]) -> Shown | None:
    """Firings that were soon turned round; None for a trigger whose events have no direction."""
    if "direction" not in trial.inquiry.rule.trigger.payload().fields:
        return None
    found = flaps(trial.marks, trial.inquiry.flap_days)
    return {
        "within_days": trial.inquiry.flap_days,
        "count": len(found),
        "subjects": len({one.subject for one, _ in found}),
        "newest": [
            {
                "subject": one.subject,
                "name": _name(named, one.subject),
                "from": iso(one.as_of),
                "to": iso(next_.as_of),
                "directions": [one.direction, next_.direction],
            }
            for one, next_ in found[: -LISTED - 1 : -1]
        ],
    }


def _horizons(trial: Trial, known: Mapping[str, Prices], after: Floats) -> list[Shown]:
    """Returns so many days after, of all events and of those of each direction, beside those of all days."""
    inquiry = trial.inquiry
    base = base_returns(known, inquiry.start // DAY, (inquiry.end - DAY) // DAY)
    went = np.array([mark.direction or "" for mark in trial.marks], dtype=object)
    directions: Sequence[str] = sorted({mark.direction for mark in trial.marks if mark.direction is not None})
    return [
        {
            "days": days,
            "direction": direction,
            **_rate("events", after[:, column] if direction is None else after[went == direction, column]),
            **_rate("base", base[column]),
        }
        for column, days in enumerate(HORIZONS)
        for direction in (None, *(directions if len(directions) > 1 else ()))
    ]


def _rate(of: str, returns: Floats) -> Shown:
    found = rate(returns)
    return {f"{of}_count": found.count, f"{of}_mean": found.mean, f"{of}_median": found.median, f"{of}_positive": found.positive}


def _series(catalogue: Catalogue, trial: Trial, history: History, given: Sequence[Given]) -> Shown | None:
    """The watched number over the period and where it fired; None for a trigger that watches no number."""
    inquiry, rule = trial.inquiry, trial.inquiry.rule
    seen = watched(rule.trigger, rule.options, history)
    if seen is None:
        return None
    name, metric = seen
    source = catalogue.sources[split_source(name or rule.inputs[0])[0]]
    inside = (history.as_of >= inquiry.start) & (history.as_of < inquiry.end)
    values = (history.of(name).column(metric) if name else history.column(metric))[inside]
    as_of = history.as_of[inside]
    at = dict(zip(as_of.tolist(), values.tolist(), strict=True))
    about = source.metrics[source.column(metric)]
    return {
        "subject": history.subject,
        "source": source.key,
        "metric": metric,
        "label": about.label,
        "unit": about.unit,
        "points": [{"as_of": iso(int(as_of[place])), "value": _number(values[place])} for place in thin(values, POINTS).tolist()],
        "marks": [
            {
                "id": one.identity,
                "as_of": iso(one.told.firing.as_of),
                "value": _number(at.get(one.told.firing.as_of, np.nan)),
                "direction": one.told.firing.fields.get("direction"),
            }
            for one in reversed(given)
        ],
    }


def tell_lacks(found: Sequence[Lack], wishes: Mapping[int, Any] | None = None) -> Shown | None:
    """What the period lacks and what fetching it takes; `wishes` by the id() of their lack. None where nothing is lacking."""
    if not found:
        return None
    parts = [_tell_lack(lack, (wishes or {}).get(id(lack))) for lack in found]
    first = next((part for part in parts if part["wish"]), None)
    return {
        "days": sum(lack.days for lack in found),
        "calls": sum(lack.calls for lack in found),
        "wish": first and first["wish"],
        "status": first and first["status"],
        "parts": parts,
    }


def _tell_lack(lack: Lack, wish: Any) -> Shown:
    return {
        "source": lack.source.key,
        "label": lack.source.label,
        "subjects": None if lack.subjects is None else len(lack.subjects),
        "named": [] if lack.subjects is None else list(lack.subjects[:NAMED]),
        "from": _day(lack.since),
        "to": _day(lack.until),
        "days": lack.days,
        "calls": lack.calls,
        "why_not": lack.why_not or None,
        "wish": None if wish is None else wish.id,
        "status": None if wish is None else wish.status,
        "error": None if wish is None else wish.error,
    }
