"""sentiments, ai-reports, crypto-investors and the chat: texts that say they are the sandbox's."""

from datetime import UTC, datetime

import numpy as np

from integration.sandbox.clock import DAY_MS, date_ms
from integration.sandbox.market.token import SANDBOX_LINK
from integration.sandbox.query import Query
from integration.sandbox.selection import columns
from integration.sandbox.view import Row, Rows, View, number

_SENTIMENT, _INVESTORS = 91, 92
_HOUR_MS = DAY_MS // 24
_MOST_HOURS = 720
_NOTE = "This text was made up by a sandbox. It is not from Token Metrics and says nothing about a real token."
_EDITION_DAYS, _FIRST_REVIEW = 30, 3
"""A report is rewritten every so many days; a code review appears with a token's third edition."""
_SECTIONS = ("Executive Summary", "Market Position", "Technology", "Tokenomics", "Community", "Risks", "Outlook")
_FILLER = (
    "The section on {topic} of {name} holds this placeholder in place of an analyst's words. Its length is like that "
    "of a real report, so that whoever stores, shortens, translates or summarises reports can be tried out. "
)


def sentiments(view: View, query: Query) -> Rows:
    """Hourly market sentiment, newest first, for the last 30 days: the mean TA grade with hourly noise."""
    newest = view.now // _HOUR_MS
    oldest = max(newest - _MOST_HOURS, date_ms(view.market.first) // _HOUR_MS)
    return [_sentiment_row(view, hour) for hour in query.cut(list(range(newest, oldest, -1)))]


def ai_reports(view: View, query: Query) -> Rows:
    """Four Markdown texts of a few KB a token, rewritten every 30 days: on days when (day index + token id) % 30 is 0.

    For every fifth token CODE_REVIEW is empty until its third edition since the listing.
    """
    rows = []
    for column in query.cut(columns(view, query).tolist()):
        token = view.market.tokens[column]
        age = (view.today + token.token_id) % _EDITION_DAYS
        edition, count = view.date(view.today - age), (view.today - age - int(view.market.listed[column])) // _EDITION_DAYS + 1
        row: Row = {"TOKEN_ID": token.token_id, "TOKEN_SYMBOL": token.symbol, "TOKEN_NAME": token.name}
        for key, title, repeats in (
            ("INVESTMENT_ANALYSIS_POINTER", "Investment Analysis", 2),
            ("INVESTMENT_ANALYSIS", "Investment Analysis", 3),
            ("DEEP_DIVE", "Crypto Deep Dive", 3),
            ("CODE_REVIEW", "Code Review", 2),
        ):
            hidden = key == "CODE_REVIEW" and column % 5 == 4 and count < _FIRST_REVIEW
            row[key] = "" if hidden else _report(token.name, title, edition, repeats)
        rows.append(row)
    return rows


def crypto_investors(view: View, query: Query) -> Rows:
    """Forty made-up investors."""
    figures = view.market.draw(_INVESTORS).lognormal(0.5, 0.6, (40, 3))
    rows = [
        {
            "INVESTOR_NAME": f"Sandbox Capital {place + 1}",
            "INVESTOR_WEBSITE": f"{SANDBOX_LINK}/investors/{place + 1}",
            "INVESTOR_TWITTER": f"{SANDBOX_LINK}/investors/{place + 1}/profile",
            "ROUND_COUNT": int(1 + rounds * 12),
            "ROI_AVERAGE": number(mean, 4),
            "ROI_MEDIAN": number(median * 0.6, 4),
        }
        for place, (rounds, mean, median) in enumerate(figures.tolist())
    ]
    return query.cut(rows)


def chat(question: str) -> Row:
    """The body of POST /tmai."""
    answer = f"Sandbox answer, not Token Metrics. {_NOTE} You asked: {question}"
    return {
        "success": True,
        "message": "AI Chatbot response successful",
        "answer": answer,
        "thread": [{"user": question}, {"chatbot": answer}],
    }


def _report(name: str, title: str, edition: str, repeats: int) -> str:
    parts = [f"# {name} | {title} | SANDBOX\n\n{_NOTE} Edition of {edition}.\n"]
    parts += [f"## {topic}\n{_FILLER.format(topic=topic.lower(), name=name) * repeats}\n" for topic in _SECTIONS]
    return "\n".join(parts)


def _sentiment_row(view: View, hour: int) -> Row:
    day = max(0, min(view.today, (hour * _HOUR_MS - date_ms(view.market.first)) // DAY_MS))
    graded = view.measures.signals.graded(day)
    technical = view.measures.grades.ta[day][graded]
    level = 35 + 0.3 * float(technical.mean()) if len(technical) else 50.0
    noise = view.market.draw(_SENTIMENT, hour).normal(0, 4, 3)
    news, reddit, twitter = (round(float(np.clip(level + part, 0, 100)), 2) for part in noise)
    row: Row = {"DATETIME": datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%d %H:00:00.000")}
    grades = {"MARKET": round((news + reddit + twitter) / 3, 2), "NEWS": news, "REDDIT": reddit, "TWITTER": twitter}
    for source, grade in grades.items():
        row[f"{source}_SENTIMENT_GRADE"] = grade
        row[f"{source}_SENTIMENT_LABEL"] = "positive" if grade >= 60 else "negative" if grade < 40 else "neutral"
        if source != "MARKET":
            row[f"{source}_SUMMARY"] = (
                f"Sandbox {source.lower()} summary. {_NOTE} " + _FILLER.format(topic="news", name="the market") * 2
            )
    return row
