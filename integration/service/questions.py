"""Questions to Token Metrics AI, within the plan's calls and the part of them that polling leaves to people."""

from __future__ import annotations

import math
from typing import Any

from integration.domain.errors import BudgetSpent, Forbidden, TooMany, UpstreamRefused
from integration.service.wiring import Gradewire
from integration.store.queries import budget

#: The smallest plan that includes it.
PLAN = "premium"
_KIND = "questions"


def question(gradewire: Gradewire, text: str) -> dict[str, Any]:
    """The answer to a question. It takes one of the plan's calls.

    Raises Forbidden where the plan does not include it, TooMany where its calls are spent, UpstreamError where no answer came.
    """
    settings = gradewire.settings
    if not settings.includes(PLAN):
        mine = str(settings["plan"]).capitalize()
        raise Forbidden(
            f"Token Metrics AI is in the {PLAN.capitalize()} plan of Token Metrics and up, and this is the {mine} plan."
        )
    try:
        _take(gradewire)
        answer = gradewire.client.ask(text)
    except BudgetSpent as spent:
        wait = max(1, math.ceil((spent.retry_at - gradewire.now()) / 1000))
        raise TooMany(f"{spent.message} Ask again in {wait} s.", retry_after=wait) from spent
    except UpstreamRefused as refused:
        raise Forbidden(refused.message) from refused
    return {"question": text, "answer": answer, "sandbox": settings.sandbox}


def _take(gradewire: Gradewire) -> None:
    """Count a question of this month; BudgetSpent once people have asked as much as polling leaves them."""
    plan, now = gradewire.budget, gradewire.now()
    share = max(1, int(gradewire.settings["reserve_percent"]))
    start, allowed = now - now % plan.month_ms, max(1, plan.per_month * share // 100)
    with gradewire.database.write() as connection:
        taken = budget.take(connection, _KIND, start, allowed)
    if not taken:
        text = f"The {allowed} questions a month that the plan has room for are asked."
        raise BudgetSpent(text, retry_at=start + plan.month_ms)
