"""Screened evaluation finds what looking at every rule over every subject would, and forgets nobody who asked meanwhile."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration import sources, triggers
from integration.domain.catalogue import SubjectRow
from integration.domain.history import epochs
from integration.domain.ids import canonical, rule_id
from integration.domain.retry import DAY
from integration.domain.scope import Scope
from integration.service import subscribe
from integration.service.asked import Asked
from integration.service.evaluate import Catalogue, Found, Shelf, active
from integration.service.newest import New, look
from integration.service.tick import evaluate
from integration.store.database import Database
from integration.store.queries import accounts, events, readings, rules, subjects, subscriptions
from integration.store.tables import event
from tests.laws import examples
from tests.service.given import Clock
from tests.service.script import Script, happened, script

SHARPE = "quantmetrics"
SOURCES = sources.load()
CATALOGUE = Catalogue(triggers.load(), SOURCES, True)
NAMES = ("token:1", "token:2", "token:3")
numbers = itertools.count()

OPTIONS = st.fixed_dictionaries(
    {
        "window": st.just("published"),
        "level": st.sampled_from([0.5, 1.0, 1.5]),
        "direction": st.sampled_from(["up", "down", "either"]),
        "hysteresis": st.sampled_from([0.0, 0.1, 0.5]),
        "min_observations": st.sampled_from([1, 1, 2, 3]),
        "cooldown_hours": st.sampled_from([0, 6, 36, 720]),
    }
)
SCOPES = st.sampled_from(
    [Scope(), Scope("tokens", (1,)), Scope("tokens", (2, 3)), Scope("top", n=2), Scope("category", slug="defi")]
)
#: (how far the market went on in days, how late, subject, value): what one poll brings is what comes between two `True`.
ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 1, 1, 2, 3]),
        st.sampled_from([0, 0, 0, 0, 1, 2]),
        st.sampled_from(NAMES),
        st.sampled_from([0.4, 0.5, 0.9, 1.0, 1.1, 1.4, 1.5, 1.6, None]),
        st.booleans(),
    ),
    min_size=4,
    max_size=45,
)


def store(connection: Any, arrivals: list[Any]) -> Iterator[tuple[list[str], int, int]]:
    """Store the arrivals as versions, poll by poll: (subjects, oldest as_of, known_at)."""
    day, known_at, versions = 100, 100 * DAY, dict[tuple[str, int], int]()
    batch: dict[tuple[str, int], readings.Row] = {}
    for forward, late, name, value, ends in arrivals:
        day += forward
        as_of = (day - late) * DAY
        values = np.full(len(SOURCES[SHARPE].metrics), np.nan)
        values[SOURCES[SHARPE].column("sharpe")] = np.nan if value is None else value
        if (name, as_of) not in batch:
            version = versions.get((name, as_of), -1) + 1
            versions[name, as_of] = version
            batch[name, as_of] = readings.Row(SHARPE, name, as_of, version, known_at, "live", None, values.tobytes(), None)
        if ends:
            readings.add(connection, list(batch.values()))
            yield sorted({row.subject for row in batch.values()}), min(row.as_of for row in batch.values()), known_at
            batch, known_at = {}, known_at + DAY // 3


def plain(connection: Any, rule_ids: dict[str, Scope], now: int) -> set[tuple[str, str, int, str]]:
    """Each rule's whole log, over each subject that its scope holds."""
    found: list[Found] = []
    known = subjects.load(connection)
    for row in rules.load(connection, list(rule_ids)).values():
        rule = active(CATALOGUE, row)
        assert rule is not None
        scope = rule_ids[rule.id]
        for log in Shelf(connection, SOURCES, NAMES, 0).logs(rule.inputs):
            facts = known[log.subject]
            held = (
                scope.kind == "any"
                or (scope.kind == "tokens" and int(log.subject.partition(":")[2]) in scope.ids)
                or (scope.kind == "top" and facts.market_rank is not None and facts.market_rank <= scope.n)
                or (scope.kind == "category" and scope.slug in facts.categories)
            )
            if held:
                found += [(rule, log.subject, told) for told in rule.told(log, list(epochs(log))) if told.known_at == now]
    return {
        (rule.id, subject, told.firing.as_of, json.dumps(told.firing.fields, sort_keys=True)) for rule, subject, told in found
    }


@examples(80)
@given(wanted=st.lists(st.tuples(OPTIONS, SCOPES), min_size=1, max_size=6), arrivals=ARRIVALS)
def test_what_is_found_is_what_every_rule_over_every_subject_would_find(
    wanted: list[tuple[dict[str, Any], Scope]],
    arrivals: list[Any],
    _sqlite_template: Path,  # noqa: PT019
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "ticks"
    folder.mkdir(exist_ok=True)
    file = folder / f"{next(numbers)}.db"
    shutil.copy(_sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    trigger, asked, scopes = CATALOGUE.triggers["sharpe_threshold"], Asked(CATALOGUE), dict[str, Scope]()
    told: set[str] = set()
    with database.write() as connection:
        described = [("One", 1, ("defi",)), ("Two", 2, ()), ("Three", None, ("defi",))]
        rows = [
            SubjectRow(name, "token", label, label.upper(), categories, (), rank)
            for name, (label, rank, categories) in zip(NAMES, described, strict=True)
        ]
        subjects.keep(connection, rows, 1)
        account = accounts.ensure(connection, "acc_1", "a@example.com", 1)
        place = {"id": "dst_1", "account_id": account, "channel": "webhook", "label": "", "hint": "", "config": b""}
        subscriptions.add_destination(connection, **place, status="active", created_at=1, changed_at=1)
        for number, (options, scope) in enumerate(wanted):
            text = canonical(trigger.options().load(options))
            identity = rule_id(trigger.key, trigger.semantics, text)
            if identity in scopes:
                continue
            scopes[identity] = scope
            rules.ensure(connection, identity, trigger.key, trigger.semantics, text, 1)
            common = {"account_id": account, "destination_id": "dst_1", "origin": "api", "status": "active"}
            when = {"created_at": 1, "changed_at": 1}
            subscriptions.add(connection, id=f"sub_{number}", rule_id=identity, scope=scope.text, **common, **when)
        for names, oldest, known_at in store(connection, arrivals):
            evaluate(connection, CATALOGUE, asked, New(SOURCES[SHARPE], names, oldest, known_at), clock=Clock(known_at))
            stored = connection.execute(event.select().where(event.c.known_at == known_at)).all()
            found = {(row.rule_id, row.subject, row.as_of) for row in stored}
            expected = plain(connection, scopes, known_at)
            fresh = {each[:3] for each in expected if f"{each[0]} {each[1]} {each[2]}" not in told}
            assert found == fresh
            told |= {f"{rule} {subject} {as_of}" for rule, subject, as_of in fresh}
        assert events.newest(connection, limit=1) or not told
    database.close()
    file.unlink()


# -- who asked meanwhile ---------------------------------------------------------------------------------------------


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        with made.gradewire.database.write() as connection:
            subjects.keep(connection, [SubjectRow(name, "token", name.capitalize()) for name in NAMES], 1)
        yield made


def test_whoever_asks_between_two_polls_is_told_and_whoever_left_is_not(here: Script) -> None:
    first = here.subscribed("sharpe_threshold", level=1.0)
    here.day(0, {1: 0.5, 2: 0.5})
    second = here.subscribed("sharpe_threshold", {"tokens": "1"}, level=2.0)
    here.day(1, {1: 2.5, 2: 0.5})
    assert {subscription for subscription, _ in here.owed()} == {first, second}
    subscribe.delete_subscription(here.gradewire, here.account, second)
    here.day(2, {1: 0.5, 2: 2.5})
    here.day(3, {1: 2.5, 2: 0.5})
    assert {subscription for subscription, _ in here.owed()} == {first}  # what it was still owed went with it
    levels = [json.loads(row.payload)["level"] for row in here.events()]
    assert levels.count(2.0) == 1  # what nobody asks for any more is no event
    third = here.subscribed("sharpe_threshold", {"tokens": "1"}, level=2.0)
    here.day(4, {1: 0.5, 2: 0.5})
    assert third in {subscription for subscription, _ in here.owed()}


def test_a_paused_one_that_resumes_is_told_again(here: Script) -> None:
    wish = here.subscribed("sharpe_threshold", level=1.0)
    here.day(0, {1: 0.5})
    subscribe.set_subscription(here.gradewire, here.account, wish, "paused")
    here.day(1, {1: 1.5})
    subscribe.set_subscription(here.gradewire, here.account, wish, "active")
    here.day(2, {1: 0.5})
    assert len(here.owed()) == 1
    assert happened(here)


def test_another_worker_sees_what_was_asked_through_this_one(here: Script) -> None:
    here.subscribed("sharpe_threshold", level=1.0)
    other = here.worker()
    other.upstream = here.upstream
    other.gradewire.__dict__["client"] = here.upstream
    here.day(0, {1: 0.5, 2: 0.5})
    wish = here.subscribed("sharpe_threshold", {"tokens": "2"}, level=1.2)
    other.day(1, {1: 0.5, 2: 1.5})
    assert wish in {subscription for subscription, _ in here.owed()}
    other.gradewire.close()


def test_many_changes_make_it_read_everything_again(here: Script) -> None:
    here.subscribed("sharpe_threshold", level=1.0)
    here.day(0, {1: 0.5})
    for number in range(6):
        wish = here.subscribed("sharpe_threshold", {"tokens": "1"}, level=2.0 + number)
        subscribe.delete_subscription(here.gradewire, here.account, wish)
        here.day(number + 1, {1: 0.5})
    circle = here.gradewire.asked.circle(SHARPE)
    assert circle is not None
    assert len(circle.rules) < 7


# -- what is new -----------------------------------------------------------------------------------------------------


def said(name: str, day: float, known_at: int, version: int = 0) -> readings.Row:
    values = np.full(len(SOURCES[SHARPE].metrics), 1.0).tobytes()
    return readings.Row(SHARPE, name, round(day * DAY), version, known_at, "live", None, values, None)


@pytest.mark.parametrize(
    ("rows", "plain_", "unclear", "irregular"),
    [
        ([said("token:1", 100, 1), said("token:1", 101, 2)], True, False, False),
        ([said("token:1", 101, 2)], True, False, False),
        (
            [said("token:1", 100, 1), said("token:1", 101, 2), said("token:1", 102, 2)],
            False,
            True,
            False,
        ),  # days that were missed
        ([said("token:1", 100, 1), said("token:1", 100, 2, 1)], True, False, True),
        ([said("token:1", 100, 1), said("token:1", 99, 2)], False, False, True),  # late, which fires nothing by itself
        (
            [said("token:1", 99, 1), said("token:1", 100, 1), said("token:1", 99, 2, 1), said("token:1", 101, 2)],
            False,
            True,
            True,
        ),
        ([said("token:1", 100, 1), said("token:1", 99.5, 1, 0), said("token:1", 101, 2)], True, False, False),
    ],
)
def test_what_is_plainly_new_what_is_not_clear_and_what_came_late_or_restates(
    sqlite_database: Database, rows: list[readings.Row], plain_: bool, unclear: bool, irregular: bool
) -> None:
    with sqlite_database.write() as connection:
        readings.add(connection, rows)
        oldest = min(row.as_of for row in rows if row.known_at == 2)
        newest = look(connection, New(SOURCES[SHARPE], ["token:1"], oldest, 2), 1)
    assert (newest.plain[0], newest.unclear[0], newest.irregular[0]) == (plain_, unclear, irregular)
    assert (newest.log("token:1") is not None) == (plain_ and not irregular)
