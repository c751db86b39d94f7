"""`gradewire backtest` as an operator meets it; the upstream is a real sandbox on loopback."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from integration.cli import main
from integration.sandbox import RunningSandbox
from tests.test_cli import EMAIL, invoke, run, sandbox

__all__ = ["run", "sandbox"]  # fixtures

NAMED = ("--scope", "tokens=BTC,ETH")
POINTS = ("--option", "points=1")


@pytest.fixture
def ready(run: CliRunner) -> CliRunner:
    invoke(run, "poll", "tokens")
    return run


def told(ready: CliRunner, *arguments: str) -> dict[str, object]:
    ended = ready.invoke(main, ("backtest", "grade_changed", *POINTS, *NAMED, "--json", *arguments), catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    found: dict[str, object] = json.loads(ended.stdout)
    return found


def spent(running: RunningSandbox) -> int:
    from integration.sandbox import SANDBOX_KEY

    return int(running.sandbox.calls.report(SANDBOX_KEY)["endpoints"].get("trader-grades", 0))


def test_what_is_missing_is_said_then_fetched_after_asking(ready: CliRunner, sandbox: RunningSandbox) -> None:
    before = spent(sandbox)
    ended = invoke(ready, "backtest", "grade_changed", *POINTS, *NAMED)
    assert "0 events" in ended.output
    assert "Missing: 730 days of 2 subjects of Trader grades" in " ".join(ended.output.split())
    refused = ready.invoke(main, ("backtest", "grade_changed", *POINTS, *NAMED, "--fetch"), input="n\n")
    assert "Fetching the missing days takes up to 13 of the" in refused.output
    assert spent(sandbox) == before
    fetched = ready.invoke(main, ("backtest", "grade_changed", *POINTS, *NAMED, "--fetch"), input="y\n", catch_exceptions=False)
    assert fetched.exit_code == 0, fetched.output
    assert spent(sandbox) - before == 13
    shown = " ".join(fetched.output.split())
    for words in ("fetched with 13 calls", "evt_", "cooldown_hours", "Flaps:", "2 subjects, 2 watched"):
        assert words in shown
    assert "Missing" not in shown


def test_as_json_it_is_one_object_and_nothing_else(ready: CliRunner) -> None:
    before = told(ready)
    assert before["count"] == 0
    after = told(ready, "--fetch", "--yes", "--limit", "5")
    assert int(str(after["count"])) > 5
    assert after["missing"] is None
    events = after["events"]
    assert isinstance(events, list)
    assert len(events) == 5
    assert {event["trigger"] for event in events} == {"grade_changed"}


def test_one_is_not_many(ready: CliRunner) -> None:
    one = ("backtest", "grade_changed", *POINTS, "--scope", "tokens=BTC", "--to", "2023-11-02", "--from", "2023-11-02")
    shown = " ".join(invoke(ready, *one).output.split())
    assert "0 events of 0 subjects, 1 watched" in shown
    assert "Missing: 1 day of 1 subject of Trader grades" in shown
    assert "takes up to 1 call (" in shown


def test_a_period_is_taken(ready: CliRunner) -> None:
    found = told(ready, "--from", "2023-11-01", "--to", "2023-11-30", "--fetch", "--yes")
    assert (found["from"], found["to"]) == ("2023-11-01", "2023-11-30")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("grade_change",), "Did you mean grade_changed?"),
        (("grade_changed", "--option", "pionts=1"), "Did you mean points?"),
        (("grade_changed", "--from", "2001-01-01"), "400 days"),
        (("grade_changed", "--from", "soon"), "%Y-%m-%d"),
        (("grade_changed", "--scope", "tokens=NOCOIN"), "Unknown token"),
    ],
)
def test_a_mistake_is_answered_with_the_remedy(ready: CliRunner, arguments: tuple[str, ...], says: str) -> None:
    ended = ready.invoke(main, ("backtest", *arguments))
    assert ended.exit_code != 0
    assert says in ended.output


def test_a_subscription_is_made_as_a_shadow(ready: CliRunner) -> None:
    invoke(ready, "keys", "create", "--account", EMAIL)
    to = ("--account", EMAIL, "--to", "email", "--set", f"to={EMAIL}")
    assert json.loads(invoke(ready, "subscribe", "grade_changed", *to, "--shadow").output)["status"] == "shadow"


def test_a_share_of_days_has_no_sign_and_a_return_has_one() -> None:
    from integration.cli_backtest import _returns

    figures = {"events_count": 4, "events_mean": 0.026, "events_positive": 0.75, "base_mean": -0.001, "base_positive": 0.473}
    console = Console(file=io.StringIO(), width=200, record=True)
    _returns(console, {"horizons": [{"days": 7, "direction": "up", **figures}], "note": "Not advice."})
    cells = [cell.strip() for line in console.export_text().splitlines() if "7 d" in line for cell in line.split("│")[1:-1]]
    assert cells == ["7 d, up", "4", "+2.6 %", "75.0 %", "-0.1 %", "47.3 %"]
