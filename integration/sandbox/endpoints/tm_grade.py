"""tm-grade, fundamental-grade, technology-grade and their histories (names only upstream: values are made up).

Grades and changes of tm-grade are strings, as the vendor's types declare.
"""

from collections.abc import Callable

from integration.sandbox.endpoints.common import identity, percent_change, require
from integration.sandbox.endpoints.signals import BULLISH
from integration.sandbox.measures.investor import SCORES, grade_class
from integration.sandbox.query import Query
from integration.sandbox.selection import columns, selected
from integration.sandbox.view import Row, Rows, View, number

RowOf = Callable[[View, int, int], Row]

_SIGNALS = ((80, "Strong Buy"), (60, "Buy"), (40, "Neutral"), (20, "Sell"), (0, "Strong Sell"))
_MOMENTUM = ((10, "Momentum Surging"), (2, "Gaining Momentum"), (-2, "Holding Steady"), (-10, "Losing Momentum"))
_FUNDAMENTAL = ("COMMUNITY_SCORE", "EXCHANGE_SCORE", "VC_SCORE", "TOKENOMICS_SCORE", "DEFI_SCANNER_SCORE")
_TECHNOLOGY = ("ACTIVITY_SCORE", "SECURITY_SCORE", "REPOSITORY_SCORE", "COLLABORATION_SCORE", "DEFI_SCANNER_SCORE")
_NULLABLE = frozenset({"VC_SCORE", "TOKENOMICS_SCORE", "DEFI_SCANNER_SCORE", "SECURITY_SCORE"})


def tm_grade(view: View, query: Query) -> Rows:
    """The newest TM grade of each token."""
    return _newest(view, query, _tm_row)


def tm_grade_history(view: View, query: Query) -> Rows:
    """TM grades by day, newest first, with the day's trading signal."""
    require(query, "token_id", "symbol", "token_name")

    def row(view: View, day: int, column: int) -> Row:
        signal = int(view.measures.signals.signal[day][column])
        found = _tm_row(view, day, column) | {"DATE": view.stamp(day), "TRADING_SIGNAL": signal}
        if query.version == "v3":
            found |= {"TOKEN_SIGNAL_STR": BULLISH[signal], "TM_LINK": view.market.tokens[column].link}
        return found

    return _history(view, query, row)


def fundamental_grade(view: View, query: Query) -> Rows:
    """The newest fundamental grade of each token."""
    return _newest(view, query, _fundamental_row)


def fundamental_grade_history(view: View, query: Query) -> Rows:
    """Fundamental grades by day, newest first."""
    return _history(view, query, lambda view, day, column: _dated(_fundamental_row, view, day, column))


def technology_grade(view: View, query: Query) -> Rows:
    """The newest technology grade of each token."""
    return _newest(view, query, lambda view, day, column: _dated(_technology_row, view, day, column))


def technology_grade_history(view: View, query: Query) -> Rows:
    """Technology grades by day, newest first."""
    return _history(view, query, lambda view, day, column: _dated(_technology_row, view, day, column))


def _newest(view: View, query: Query, row: RowOf) -> Rows:
    day = view.newest
    if day < 0:
        return []
    graded = view.measures.signals.graded(day)
    return [row(view, day, column) for column in query.cut([c for c in columns(view, query).tolist() if graded[c]])]


def _history(view: View, query: Query, row: RowOf) -> Rows:
    chosen = selected(view, query)
    pairs = view.mixed(query, view.window(query), lambda day: chosen & view.measures.signals.graded(day))
    return [row(view, day, column) for day, column in pairs]


def _dated(row: RowOf, view: View, day: int, column: int) -> Row:
    return row(view, day, column) | {"DATE": view.stamp(day)}


def _tm_row(view: View, day: int, column: int) -> Row:
    """One token's TM grade: by edition with the two FUNDAMENTAL fields (1) or QUANT_GRADE (2)."""
    grades = view.measures.grades
    now, before = (round(float(grades.trader[index][column]), 2) for index in (day, day - 1))
    row = identity(view.market.tokens[column])
    if view.settings.tm_grade_edition == 1:
        fundamental = float(view.measures.investor.fundamental(day)[column])
        row |= {"FUNDAMENTAL_GRADE": str(fundamental), "FUNDAMENTAL_GRADE_CLASS": grade_class(fundamental)}
    else:
        row["QUANT_GRADE"] = str(number(grades.quant[day][column], 2))
    return row | {
        "TM_GRADE": str(now),
        "TM_GRADE_24h_PCT_CHANGE": str(percent_change(now, before)),
        "TM_TRADER_GRADE_24H_CHANGE": str(round(now - before, 2)),
        "TM_GRADE_SIGNAL": next(name for least, name in _SIGNALS if now >= least),
        "MOMENTUM": momentum(now - before),
    }


def momentum(change: float) -> str:
    """MOMENTUM of a change in points (the limits are made up)."""
    if change == 0:
        return "No Momentum"
    return next((name for least, name in _MOMENTUM if change >= least), "Momentum Crashing")


def _fundamental_row(view: View, day: int, column: int) -> Row:
    grade = float(view.measures.investor.fundamental(day)[column])
    row = identity(view.market.tokens[column])
    row |= {"FUNDAMENTAL_GRADE": number(grade), "FUNDAMENTAL_GRADE_CLASS": grade_class(grade)}
    return row | _scores(view, day, column, _FUNDAMENTAL)


def _technology_row(view: View, day: int, column: int) -> Row:
    grade = number(view.measures.investor.technology(day)[column])
    return identity(view.market.tokens[column]) | {"TECHNOLOGY_GRADE": grade} | _scores(view, day, column, _TECHNOLOGY)


def _scores(view: View, day: int, column: int, names: tuple[str, ...]) -> Row:
    """Scores 0 to 10; those that upstream never has null here are 5 where they have no value."""
    every = dict(zip(SCORES, view.measures.investor.scores(day)[:, column].tolist(), strict=True))
    found = {name: number(every[name], 2) for name in names}
    return {name: 5 if value is None and name not in _NULLABLE else value for name, value in found.items()}
