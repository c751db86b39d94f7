"""The command line as an operator meets it; the upstream is a real sandbox on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from integration.cli import main
from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings

EMAIL = "trader@example.com"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox(SandboxSettings(tokens=40, plan="vip", paused=True)) as running:
        yield running


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: RunningSandbox) -> CliRunner:
    for name in ("DATABASE_URL", "REDIS_URL", "TOKENMETRICS_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADEWIRE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GRADEWIRE_PLAN", "vip")
    monkeypatch.setenv("TOKENMETRICS_URL", sandbox.url)
    monkeypatch.setenv("GRADEWIRE_SANDBOX_KEY", SANDBOX_KEY)
    clock = sandbox.sandbox.clock
    monkeypatch.setenv("GRADEWIRE_MARKET_START", str(round(clock.now())))
    import time

    monkeypatch.setenv("GRADEWIRE_MARKET_ANCHOR", str(time.time_ns() // 1_000_000))
    return CliRunner()


def invoke(run: CliRunner, *arguments: str) -> Result:
    return run.invoke(main, arguments, catch_exceptions=False)


def test_a_key_is_made_shown_once_listed_by_prefix_and_revoked(run: CliRunner) -> None:
    made = invoke(run, "keys", "create", "--account", EMAIL)
    key = made.output.strip()
    assert key.startswith("gw_live_")
    listed = invoke(run, "keys", "list").output
    assert key[:12] in listed
    assert key not in listed
    assert EMAIL in listed
    assert "Revoked" in invoke(run, "keys", "revoke", key[:12]).output
    assert "False" in invoke(run, "keys", "list").output


def test_an_account_that_is_no_address_is_refused_by_name(run: CliRunner) -> None:
    ended = invoke(run, "keys", "create", "--account", "nobody")
    assert ended.exit_code == 1
    assert "is not an e-mail address" in ended.output


def test_revoking_an_unknown_key_says_where_to_look(run: CliRunner) -> None:
    ended = invoke(run, "keys", "revoke", "gw_live_none")
    assert ended.exit_code == 1
    assert "keys list" in ended.output


def test_the_catalogue_and_the_options_of_a_trigger_are_listed(run: CliRunner) -> None:
    assert "sharpe_threshold" in invoke(run, "triggers").output
    assert "direction" in invoke(run, "triggers", "sharpe_threshold").output
    unknown = invoke(run, "triggers", "moon").output
    assert "There are: " in unknown
    assert "grade_changed" in unknown


def test_polls_are_made_and_events_shown(run: CliRunner, sandbox: RunningSandbox) -> None:
    invoke(run, "keys", "create", "--account", EMAIL)
    assert "40 rows" in invoke(run, "poll", "tokens").output
    made = invoke(
        run, "subscribe", "grade_changed", "--account", EMAIL, "--to", "email", "--set", f"to={EMAIL}", "--option", "points=1"
    )
    assert made.exit_code == 0, made.output
    subscription = json.loads(made.output)
    assert subscription["options"]["points"] == 1
    assert subscription["cost"]["calls_a_month"] > 0
    first = invoke(run, "poll", "trader_grades")
    assert "done" in first.output
    sandbox.sandbox.clock.step(1)
    assert "trader_grades" in invoke(run, "poll").output
    shown = invoke(run, "events", "--json", "--limit", "3").output
    assert all(json.loads(line)["trigger"] == "grade_changed" for line in shown.splitlines())
    assert "evt_" in invoke(run, "events").output


def test_a_wrong_subscription_leaves_nothing_behind(run: CliRunner) -> None:
    invoke(run, "keys", "create", "--account", EMAIL)
    ended = invoke(
        run, "subscribe", "grade_changed", "--account", EMAIL, "--to", "email", "--set", f"to={EMAIL}", "--option", "pionts=1"
    )
    assert ended.exit_code == 1
    assert "Did you mean points?" in ended.output
    from integration.cli import _gradewire
    from integration.service.accounts import account_id
    from integration.service.destinations import list_destinations

    with _gradewire() as gradewire:
        assert list_destinations(gradewire, account_id(gradewire, EMAIL)) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("poll", "moods"), "There are:"),
        (("poll", "risk_90d"), "There are:"),
        (("poll", "prices"), "nobody wants a token of it yet"),
        (("spoilt", "7"), "`gradewire spoilt` lists"),
        (("subscribe", "grade_changed", "--account", "nobody@example.com", "--to", "email"), "keys create"),
        (("events", "--limit", "0"), "1<=x<=1000"),
    ],
)
def test_a_mistake_is_answered_with_the_remedy(run: CliRunner, arguments: tuple[str, ...], told: str) -> None:
    ended = invoke(run, *arguments)
    assert ended.exit_code != 0
    assert told in ended.output


def test_the_doctor_finds_a_good_installation_good(run: CliRunner) -> None:
    ended = invoke(run, "doctor")
    assert ended.exit_code == 0, ended.output
    for what in ("Broker", "Database", "Sandbox", "Clock", "Plan", "Worker", "Polls"):
        assert what in ended.output


def test_what_could_not_be_read_is_listed_shown_and_counted(run: CliRunner, sandbox: RunningSandbox) -> None:
    assert "Nothing yet" in invoke(run, "spoilt").output
    sandbox.sandbox.faults.add("not_json", "tokens")
    try:
        assert "failed" in invoke(run, "poll", "tokens").output
    finally:
        sandbox.sandbox.faults.clear()
    listed = invoke(run, "spoilt").output
    assert "the answer is not JSON" in listed
    assert "tokens" in listed
    shown = invoke(run, "spoilt", "1").output
    assert shown.strip()
    assert SANDBOX_KEY not in shown
    told = " ".join(invoke(run, "doctor").output.split())
    assert "2 could not be read; the last: tokens: the answer is not JSON" in told


def test_the_doctor_and_a_poll_show_what_the_operator_is_told(run: CliRunner) -> None:
    from integration.cli import _gradewire
    from integration.store.queries import notices

    text = "At this rate the plan's calls would end on 24 May 2024, before their reset on 1 June 2024."
    with _gradewire() as gradewire, gradewire.database.write() as connection:
        notices.put(connection, "plan:1", "plan", gradewire.now(), text)
    for command in (("doctor",), ("poll", "tokens")):
        assert text in " ".join(invoke(run, *command).output.split())
    assert "polls are wanted, which take about" in " ".join(invoke(run, "doctor").output.split())


def test_the_doctor_says_that_the_free_plan_withholds_a_month(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADEWIRE_PLAN", "free")
    assert "the newest 30 days are withheld: alerts would be a month old" in " ".join(invoke(run, "doctor").output.split())


def test_the_doctor_names_a_wrong_key_without_showing_it(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "tm-00000000-1111-2222-3333-444444444444"
    monkeypatch.setenv("TOKENMETRICS_API_KEY", wrong)
    ended = invoke(run, "doctor")
    assert ended.exit_code == 1
    assert "401" in ended.output
    assert wrong not in ended.output


def test_the_doctor_names_a_dead_broker_and_a_database_that_does_not_open(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/at/all.db")
    ended = invoke(run, "doctor")
    assert ended.exit_code == 1
    assert "Redis does not answer" in ended.output
    assert "DATABASE_URL" in ended.output


def test_a_database_of_another_upstream_is_refused(run: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/one.db")
    assert invoke(run, "migrate").exit_code == 0
    monkeypatch.setenv("TOKENMETRICS_API_KEY", "tm-00000000-1111-2222-3333-444444444444")
    ended = invoke(run, "migrate")
    assert ended.exit_code == 1
    assert "holds readings of a sandbox" in ended.output


def test_a_sandbox_day_that_cannot_be_read_is_explained(run: CliRunner) -> None:
    ended = invoke(run, "sandbox", "--day", "soon")
    assert ended.exit_code == 2
    assert "such as 5s" in ended.output


def test_a_sandbox_on_a_taken_port_says_so(sandbox: RunningSandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    command = [sys.executable, "-m", "integration.cli", "sandbox", "--port", port]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "Choose another --port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_answer_that_no_number_can_be_is_refused(run: CliRunner) -> None:
    ended = invoke(run, "spoilt", "9" * 20)
    assert ended.exit_code == 2
    assert "ANSWER" in ended.output


def test_the_usual_rules_of_a_compound_trigger_are_shown(run: CliRunner) -> None:
    for key in ("all_of", "data_corrected"):
        told = invoke(run, "triggers", key).output
        assert "function" not in told
        assert "trigger" in told


def test_an_account_is_deleted_after_asking_and_is_gone(run: CliRunner) -> None:
    invoke(run, "keys", "create", "--account", EMAIL)
    kept = run.invoke(main, ["accounts", "delete", EMAIL], input="n\n")
    assert kept.exit_code == 1
    assert "1 keys, 0 destinations" in kept.output
    assert EMAIL in invoke(run, "keys", "list").output
    assert "Deleted" in run.invoke(main, ["accounts", "delete", EMAIL], input="y\n").output
    assert EMAIL not in invoke(run, "keys", "list").output
    ended = invoke(run, "accounts", "delete", EMAIL, "--yes")
    assert ended.exit_code == 1
    assert "There is no account" in ended.output


def test_what_is_old_is_let_go_of_on_demand(run: CliRunner) -> None:
    ended = invoke(run, "tidy")
    assert ended.exit_code == 0
    assert "attempts: 0" in ended.output


def test_a_trace_of_an_unknown_event_says_how_to_find_one(run: CliRunner) -> None:
    ended = invoke(run, "trace", "evt_nothing")
    assert ended.exit_code == 1
    assert "`gradewire events` shows the newest" in ended.output


def test_an_event_is_traced_in_lines_or_as_json(run: CliRunner, sandbox: RunningSandbox) -> None:
    from integration.cli import _gradewire
    from integration.service import feeds
    from integration.service.accounts import account_id

    invoke(run, "keys", "create", "--account", EMAIL)
    with _gradewire() as gradewire:
        wanted = ("grade_changed", {"points": 2}, {}, feeds.Window())
        feeds.read(gradewire, account_id(gradewire, EMAIL), *wanted)
    for _ in range(2):
        assert "done" in invoke(run, "poll", "trader_grades").output
        sandbox.sandbox.clock.step(1)
    listed = invoke(run, "events", "--json", "--limit", "1").output
    event = json.loads(listed)
    found = json.loads(invoke(run, "trace", event["id"], "--json").output)
    told = invoke(run, "trace", event["id"]).output
    assert f"{event['id']}: grade_changed of {event['subject']}" in told
    assert f"Poll {found['poll']['id']}: trader_grades" in told
    assert "Nothing was owed to anyone" in told
    assert found["poll"]["id"] == found["event"]["poll_id"]
    assert found["calls"]


def test_every_command_explains_itself(run: CliRunner) -> None:
    for command in main.commands:
        assert invoke(run, command, "--help").exit_code == 0


def test_a_data_folder_that_is_a_file_is_one_clear_line(run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRADEWIRE_DATA", str(tmp_path / "file"))
    ended = invoke(run, "events")
    assert ended.exit_code == 1
    assert "GRADEWIRE_DATA" in ended.output


@pytest.mark.parametrize(
    ("url", "said"),
    [("nonsense", "DATABASE_URL must begin with"), ("postgresql://u:hunter2@127.0.0.1:1/x", "The database cannot be used: ")],
)
def test_a_database_that_cannot_be_opened_is_one_clear_line(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    ended = invoke(run, "events")
    assert ended.exit_code == 1
    assert said in ended.output
    assert "hunter2" not in ended.output


def test_events_of_an_unknown_trigger_name_the_nearest(run: CliRunner) -> None:
    ended = invoke(run, "events", "--trigger", "sharpe_treshold")
    assert ended.exit_code == 1
    assert "Did you mean sharpe_threshold?" in ended.output
