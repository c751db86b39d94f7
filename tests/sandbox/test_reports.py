"""AI reports: made up, and rewritten on the days that the sandbox says."""

from datetime import date, timedelta
from typing import Any

from tests.sandbox.conftest import asker, made

START = date(2024, 1, 1)
KINDS = ("INVESTMENT_ANALYSIS_POINTER", "INVESTMENT_ANALYSIS", "DEEP_DIVE", "CODE_REVIEW")


def test_each_report_is_rewritten_every_thirty_days_and_only_then() -> None:
    app = made(tokens=40, start=START)
    clock, ask = app.extensions["sandbox"].clock, asker(app)
    seen: list[dict[str, Any]] = []
    for _ in range(61):
        seen.append(ask("/v2/ai-reports", token_id=3375).json["data"][0])
        clock.step(1)
    changed = [day for day in range(1, 61) if seen[day] != seen[day - 1]]
    assert len(changed) == 2
    assert changed[1] - changed[0] == 30
    for day in changed:
        assert all(f"Edition of {START + timedelta(day)}." in seen[day][kind] for kind in KINDS)
        assert all(seen[day][kind] != seen[day - 1][kind] for kind in KINDS)
