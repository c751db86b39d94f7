"""Health, readiness and metrics, each over a real database of both kinds; a process that dies is a process that dies."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import delete, insert, text, update

from integration.domain.retry import DAY, MINUTE
from integration.service.wiring import Gradewire, wall_clock
from integration.store.database import Database
from integration.store.queries import deliveries, installation, notices, tallies
from integration.store.tables import account, delivery, destination, event, heartbeat, rule, subscription
from integration.web import create_app
from integration.web.watching import Kept
from tests.web.conftest import NOW, Asker, Wall, asker

Found = dict[tuple[str, frozenset[tuple[str, str]]], float]


def ready(gradewire: Gradewire) -> tuple[int, dict[str, Any]]:
    """Asked anew: what was found before is kept for a moment."""
    answer = create_app(gradewire).test_client().get("/readyz")
    return answer.status_code, answer.get_json()


@pytest.fixture
def today(both: Gradewire, wall: Wall) -> Gradewire:
    """By the real clock, which is the database's too."""
    wall.ms = wall_clock()
    return both


def beaten(gradewire: Gradewire, *, ago: int = 0) -> None:
    with gradewire.database.write() as connection:
        for part in ("worker", "poller"):
            installation.beat(connection, part, gradewire.now() - ago)


def scraped(gradewire: Gradewire) -> Found:
    answer = create_app(gradewire).test_client().get("/metrics")
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def number(found: Found, name: str, **labels: str) -> float:
    return found[f"gradewire_{name}", frozenset(labels.items())]


def owed(database: Database, count: int, now: int = NOW) -> None:
    """So many events, each owed to a destination of one account since a time."""
    common = {"account_id": "acc_1", "status": "active", "created_at": NOW, "changed_at": NOW}
    wish = {"rule_id": "rul_1", "scope": "{}", "origin": "api"}
    when = {"as_of": NOW, "known_at": NOW, "created_at": NOW, "payload": "{}"}
    with database.write() as connection:
        connection.execute(insert(account).values(id="acc_1", email="eve@example.com", created_at=NOW))
        connection.execute(insert(rule).values(id="rul_1", trigger="t", semantics=1, options="{}", created_at=NOW))
        place = {"channel": "webhook", "label": "the label", "hint": "hook.example", "config": b"sealed"}
        connection.execute(insert(destination).values(id="dst_1", **place, **common))
        connection.execute(insert(subscription).values(id="sub_1", destination_id="dst_1", **wish, **common))
        same = {"rule_id": "rul_1", "trigger": "t", **when}
        each = range(1, count + 1)
        connection.execute(insert(event), [{"seq": n, "id": f"evt_{n}", "subject": f"token:{n}", **same} for n in each])
        deliveries.insert_deliveries(connection, [(n, "sub_1", "dst_1") for n in each], now)


# -- alive and ready


def test_a_process_that_answers_is_healthy_whatever_else_is_broken(both: Gradewire) -> None:
    both.database.close()
    assert create_app(both).test_client().get("/healthz").get_json() == {"ok": True}


def test_it_is_ready_once_worker_and_poller_have_moved(today: Gradewire) -> None:
    status, told = ready(today)
    assert (status, told["ready"]) == (503, False)
    assert [reason.partition(":")[0] for reason in told["reasons"]] == ["Worker", "Poller"]
    beaten(today)
    status, told = ready(today)
    assert (status, told["ready"], told["reasons"]) == (200, True, [])
    assert set(told["checks"]) == {"broker", "database", "clocks", "worker", "poller", "deliveries"}
    assert all(check["ok"] for check in told["checks"].values())


def test_a_worker_that_stands_still_is_named(today: Gradewire) -> None:
    beaten(today, ago=3 * MINUTE)
    status, told = ready(today)
    assert status == 503
    assert told["checks"]["worker"]["ok"] is False
    assert told["checks"]["poller"]["ok"] is True


@pytest.mark.parametrize(("waited", "wanted"), [(4 * MINUTE, 200), (6 * MINUTE, 503)])
def test_a_delivery_that_waits_though_workers_beat_is_told_of(today: Gradewire, waited: int, wanted: int) -> None:
    owed(today.database, 3, today.now() - waited)
    beaten(today)
    status, told = ready(today)
    assert status == wanted
    assert told["reasons"] == [] or "has waited 0:06:00" in told["reasons"][0]


def test_a_clock_that_is_ahead_is_told_of(today: Gradewire) -> None:
    beaten(today, ago=-10 * MINUTE)
    status, told = ready(today)
    assert status == 503
    assert "A worker's clock is 0:10:00 ahead" in told["reasons"][0]


def test_a_database_whose_clock_is_another_is_told_of(postgresql_database: Database, gradewire: Gradewire, wall: Wall) -> None:
    here = Gradewire(gradewire.settings, postgresql_database, gradewire.vault, now=wall)  # the tests' clock is not today's
    beaten(here)
    status, told = ready(here)
    assert status == 503
    assert re.search(r"This machine and the database's are .* apart", told["reasons"][0])


def test_a_database_that_takes_nothing_is_told_of_without_its_address(gradewire: Gradewire, tmp_path: Path) -> None:
    beaten(gradewire)
    with gradewire.database.write() as connection:
        connection.execute(text("DROP TABLE heartbeat"))
    status, told = ready(gradewire)
    assert status == 503
    assert told["reasons"][0].startswith("Database: It takes nothing")
    assert str(tmp_path) not in str(told)


def test_a_broker_that_does_not_answer_is_told_of(gradewire: Gradewire) -> None:
    beaten(gradewire)
    gradewire.settings = gradewire.settings.replace(broker_url="redis://:hunter2@127.0.0.1:1/0")
    status, told = ready(gradewire)
    assert status == 503
    assert told["reasons"][0].startswith("Broker: Redis does not answer")
    assert "hunter2" not in str(told)


def test_a_broker_that_answers_is_fine(gradewire: Gradewire, redis_url: str) -> None:
    beaten(gradewire)
    gradewire.settings = gradewire.settings.replace(broker_url=redis_url)
    assert ready(gradewire)[1]["checks"]["broker"] == {"ok": True, "text": "Redis answers."}


def test_who_asks_again_at_once_gets_the_same_answer_and_costs_nothing(gradewire: Gradewire) -> None:
    client = create_app(gradewire).test_client()
    first = client.get("/readyz").get_json()
    with gradewire.database.write() as connection:
        connection.execute(delete(heartbeat))
    assert client.get("/readyz").get_json() == first
    with gradewire.database.read() as connection:
        assert connection.execute(heartbeat.select()).all() == []


# -- metrics


def test_the_metrics_say_what_the_database_holds(both: Gradewire, wall: Wall) -> None:
    owed(both.database, 5)
    with both.database.write() as connection:
        connection.execute(update(delivery).where(delivery.c.event_seq > 3).values(state=deliveries.DELIVERED))
        tallies.add(connection, "attempts", {("delivered", ""): 2, ("retry", "timeout"): 1})
        tallies.add(connection, "attempts", {("delivered", ""): 1})
        notices.put(connection, "data.stale:1", "data.stale", NOW, "It stands still.")
        notices.put(connection, "plan:1", "plan", NOW - 2 * DAY, "That was before.")
        connection.execute(update(destination).values(opened=1, next_send_at=NOW + MINUTE))
    beaten(both)
    wall.ms += 7_000
    found = scraped(both)
    assert number(found, "deliveries", state="pending") == 3
    assert number(found, "deliveries", state="delivered") == 2
    assert number(found, "deliveries", state="dead") == 0
    assert number(found, "deliveries_due") == 3
    assert number(found, "oldest_due_seconds") == 7
    assert number(found, "attempts_total", outcome="delivered", error="") == 3
    assert number(found, "attempts_total", outcome="retry", error="timeout") == 1
    assert number(found, "heartbeat_age_seconds", part="worker") == 7
    assert number(found, "events_total") == 5
    assert number(found, "notices", kind="data.stale") == 1
    assert ("gradewire_notices", frozenset({("kind", "plan")})) not in found
    assert (number(found, "breakers_open"), number(found, "destinations", status="active")) == (1, 1)
    assert number(found, "upstream_calls_allowed", window="month") == 5_000
    assert number(found, "database_bytes") > 100_000
    assert number(found, "database_up") == 1
    assert found["process_resident_memory_bytes", frozenset()] > 1e7


def test_what_polls_brought_is_counted(market: Any, gradewire: Gradewire) -> None:
    found = scraped(gradewire)
    assert number(found, "source_newest_timestamp_seconds", source="trader_grades") == (NOW - DAY) / 1000


def test_no_label_and_no_line_names_an_account_or_what_is_its_own(both: Gradewire) -> None:
    owed(both.database, 3)
    answer = create_app(both).test_client().get("/metrics").text
    assert [each for each in ("acc_", "eve@", "dst_", "sub_", "the label", "hook.example", "sealed") if each in answer] == []
    names = set(re.findall(r'([a-z_]+)="', answer))
    assert names <= {
        "version", "database", "upstream", "state", "status", "outcome", "error", "part", "kind", "source", "endpoint", "window",
    }  # fmt: skip


def test_the_metrics_are_for_this_machine_or_for_who_has_the_token(gradewire: Gradewire, ada: Asker) -> None:
    far: dict[str, Any] = {"REMOTE_ADDR": "203.0.113.7"}
    client = create_app(gradewire).test_client()
    assert client.get("/metrics").status_code == 200
    refused = client.get("/metrics", environ_overrides=far, headers={"X-Api-Key": ada.key})
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (401, "unauthenticated")
    assert "GRADEWIRE_METRICS_TOKEN" in refused.get_json()["error"]["message"]
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 401
    gradewire.settings = gradewire.settings.replace(metrics_token="open-sesame")
    for headers, status in (({}, 401), ({"Authorization": "Bearer wrong"}, 401), ({"Authorization": "Bearer open-sesame"}, 200)):
        assert client.get("/metrics", environ_overrides=far, headers=headers).status_code == status
    assert client.get("/metrics").status_code == 401


def test_where_the_database_is_away_the_metrics_say_so(gradewire: Gradewire) -> None:
    with gradewire.database.write() as connection:
        connection.execute(text("DROP TABLE tally"))
    found = scraped(gradewire)
    assert number(found, "database_up") == 0
    assert not [name for name, _ in found if name.startswith("gradewire_deliveries")]


def test_what_takes_long_is_asked_seldom_and_what_fails_is_asked_again() -> None:
    made: list[int] = []

    def slow() -> int:
        made.append(1)
        if len(made) == 1:
            raise LookupError
        return len(made)

    kept = Kept(slow, seconds=60)
    with pytest.raises(LookupError):
        kept()
    assert [kept(), kept(), kept()] == [2, 2, 2]


def test_a_counter_goes_on_after_what_it_counted_is_gone(both: Gradewire, wall: Wall) -> None:
    with both.database.write() as connection:
        tallies.add(connection, "polls", {("prices", "done"): 4})
    before = number(scraped(both), "polls_total", source="prices", status="done")
    wall.ms += 1_000 * DAY
    assert number(scraped(both), "polls_total", source="prices", status="done") == before == 4


def test_monitoring_is_no_part_of_the_published_api(both: Gradewire) -> None:
    paths = create_app(both).test_client().get("/openapi.json").get_json()["paths"]
    assert not {"/metrics", "/readyz", "/healthz"} & set(paths)
    assert asker(create_app(both), both, "eve@example.com").get("readyz").status_code == 404
