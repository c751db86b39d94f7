"""trader-grades and investor-grades: dated rows, newest first."""

import numpy as np

from integration.sandbox.endpoints.common import identity, percent_change
from integration.sandbox.market.base import Bools
from integration.sandbox.measures.investor import SCORES
from integration.sandbox.query import Query
from integration.sandbox.selection import selected
from integration.sandbox.view import Row, Rows, View, number


def trader_grades(view: View, query: Query) -> Rows:
    """Daily trader grades; the change is against the day before, in percent."""
    chosen, table = selected(view, query), view.measures.grades.trader
    least, least_change = query.minimum("traderGrade"), query.minimum("traderGradePercentChange")

    def rows_of(day: int) -> Bools:
        mask = chosen & view.measures.signals.graded(day)
        if least is not None:
            mask &= table[day] >= least
        if least_change is not None:
            mask &= 100 * (table[day] / table[max(0, day - 1)] - 1) >= least_change
        return mask

    return [_trader_row(view, day, column) for day, column in view.mixed(query, view.window(query), rows_of)]


def investor_grades(view: View, query: Query) -> Rows:
    """Daily investor grades with their parts and scores; the change is over 7 days, in percent."""
    chosen = selected(view, query)
    least = query.minimum("investorGrade")

    def rows_of(day: int) -> Bools:
        mask = chosen & view.measures.signals.graded(day)
        return mask & (view.measures.investor.investor(day) >= least) if least is not None else mask

    return [_investor_row(view, day, column) for day, column in view.mixed(query, view.window(query), rows_of)]


def _trader_row(view: View, day: int, column: int) -> Row:
    grades = view.measures.grades
    now, before = float(grades.trader[day][column]), float(grades.trader[day - 1][column])
    return {
        **identity(view.market.tokens[column]),
        "DATE": view.date(day),
        "TA_GRADE": number(grades.ta[day][column], 2),
        "QUANT_GRADE": number(grades.quant[day][column], 2),
        "TM_TRADER_GRADE": number(now, 2),
        "TM_TRADER_GRADE_24H_PCT_CHANGE": number(percent_change(now, before)),
    }


def _investor_row(view: View, day: int, column: int) -> Row:
    investor = view.measures.investor
    now, week = (float(investor.investor(index)[column]) for index in (day, day - 7))
    scores = {name: number(value, 2) for name, value in zip(SCORES, investor.scores(day)[:, column].tolist(), strict=True)}
    return {
        **identity(view.market.tokens[column]),
        "DATE": view.date(day),
        "TM_INVESTOR_GRADE": number(now, 2),
        "TM_INVESTOR_GRADE_7D_PCT_CHANGE": number(np.nan_to_num(percent_change(now, week))),
        "FUNDAMENTAL_GRADE": number(investor.fundamental(day)[column]),
        "TECHNOLOGY_GRADE": number(investor.technology(day)[column]),
        "VALUATION_GRADE": number(investor.valuation(day)[column]),
        **scores,
    }
