"""Backtests: the events of live evaluation and of feeds, id for id, and nothing that only the future knew."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import Case, SubjectRow, Trigger
from integration.domain.errors import InvalidInput, TooMany
from integration.domain.payload import iso
from integration.domain.retry import DAY, HOUR
from integration.service import backtest as service
from integration.service.backtest import Question, backtest, backtest_for
from integration.service.deriving import Changed, derive
from integration.service.observe import observe
from integration.store.database import Database
from integration.store.queries import events, readings, subjects
from integration.store.tables import reading
from tests.laws import examples
from tests.market import Here
from tests.service.bygone import ids, keep, tried
from tests.service.script import START, Script, script
from tests.triggers.logs import case_history, loaded, source_of

SHARPE = "quantmetrics"
BITCOIN = "token:3375"


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        yield made


@pytest.fixture
def both(database: Database, tmp_path: Path) -> Iterator[Script]:
    """On each kind of database."""
    with script(database, tmp_path) as made:
        yield made


def name(here: Here, *numbers: int) -> None:
    with here.gradewire.database.write() as connection:
        subjects.keep(connection, [SubjectRow(f"token:{n}", "token", f"Token {n}", f"T{n}") for n in numbers], here.wall())


def day(number: float) -> date:
    return datetime.fromtimestamp((START + number * DAY) / 1000, UTC).date()


# -- the same events ---------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.01, 0.3, 1.0, 1.0, 1.0, 2.0, 4.0]),
        st.dictionaries(
            st.tuples(st.integers(1, 2), st.integers(0, 2)), st.sampled_from([0.5, 0.9, 0.97, 1.2, 1.5, None]), max_size=4
        ),
    ),
    min_size=2,
    max_size=9,
)
OPTIONS = st.fixed_dictionaries(
    {
        "min_observations": st.sampled_from([1, 1, 2]),
        "cooldown_hours": st.sampled_from([0, 0, 30]),
        "direction": st.sampled_from(["either", "up", "down"]),
    }
)
numbers = itertools.count()


@examples(40)
@given(steps=STEPS, options=OPTIONS)
def test_in_whatever_order_readings_come_a_backtest_gives_the_events_of_live_evaluation_and_of_a_feed(
    steps: list[Any],
    options: dict[str, Any],
    _sqlite_template: Path,  # noqa: PT019
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.getbasetemp() / "trials"
    folder.mkdir(exist_ok=True)
    file = folder / f"{next(numbers)}.db"
    shutil.copy(_sqlite_template, file)
    database = Database(f"sqlite:///{file}")
    with script(database, folder) as here:
        name(here, 1, 2)
        assert here.feed("sharpe_threshold", **options) == []
        at = 0.0
        for pause, values in steps:
            at += pause
            here.go_to(at + 0.001)
            here.upstream.says[SHARPE] = {(number, int(at) - back): value for (number, back), value in values.items()}
            observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
        live = {event["id"] for event in here.feed("sharpe_threshold", **options)}
        told = tried(here, "sharpe_threshold", **options)
        filled = here.feed("sharpe_threshold", {"tokens": [1, 2]}, **options)
        recent = [event for event in told["events"] if event["as_of"] >= iso(here.wall() - 30 * DAY)]
        assert told_of(recent) == told_of(filled)
        assert {firing["id"] for firing in told["firings"] if firing["known_at"] != firing["as_of"]} == live
        assert told["count"] == len(told["events"])
    database.close()
    file.unlink()


def told_of(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Events by id, without their snapshots: a feed that is filled shows what is known by then."""
    return {event["id"]: {**event, "snapshot": None} for event in found}


def swing(here: Script, days: int, token: int = 1) -> None:
    """A Sharpe ratio that changes sides every other day, with a trader grade beside it."""
    for at in range(days):
        here.day(at, {token: (0.9, 1.2, 1.3, 0.8)[at % 4]})
        here.day(at, {token: float(at)}, "trader_grades")


def test_what_nobody_asked_for_is_told_as_it_would_have_been_snapshot_and_all(
    sqlite_database: Database,
    tmp_path: Path,
    _sqlite_template: Path,  # noqa: PT019
) -> None:
    shutil.copy(_sqlite_template, tmp_path / "other.db")
    other = Database(f"sqlite:///{tmp_path}/other.db")
    with script(sqlite_database, tmp_path) as live, script(other, tmp_path) as quiet:
        for each in (live, quiet):
            name(each, 1)
            each.feed("grade_changed", points=100)  # so that both read the grades
        live.subscribed("sharpe_threshold")
        for each in (live, quiet):
            swing(each, 12)
        told = tried(quiet, "sharpe_threshold")
        assert told["events"] == [json.loads(row.payload) for row in reversed(live.events())]
        assert {"tm_trader_grade", "sharpe"} == {key for event in told["events"] for key in event["snapshot"]}
        assert not any(firing["stored"] for firing in told["firings"])
        assert all(firing["stored"] for firing in tried(live, "sharpe_threshold")["firings"])
    other.close()


def test_a_stored_event_is_given_as_it_was_told(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    swing(here, 6)
    name(here, 1)  # it was told before its name was known
    assert {event["subject_name"] for event in tried(here, "sharpe_threshold")["events"]} == {"Token 1"}
    assert [json.loads(row.payload) for row in reversed(here.events())] == tried(here, "sharpe_threshold")["events"]


def test_a_backtest_writes_nothing_and_tells_nobody(both: Script) -> None:
    both.subscribed("sharpe_threshold", level=2)
    swing(both, 8)
    before = both.contents(), both.owed(), both.upstream.asked[:]
    assert tried(both, "sharpe_threshold")["count"] > 2
    assert tried(both, "grade_changed", points=1)["count"] > 2
    assert (both.contents(), both.owed(), both.upstream.asked) == before


def test_the_newest_events_are_given_and_all_are_counted(here: Script) -> None:
    swing(here, 20)
    whole = tried(here, "sharpe_threshold")
    part = tried(here, "sharpe_threshold", limit=3)
    assert (part["count"], part["left_out"]) == (whole["count"], whole["count"] - 3)
    assert ids(part) == ids(whole)[:3] == [firing["id"] for firing in part["firings"]]
    assert tried(here, "sharpe_threshold", limit=0)["left_out"] == whole["count"]


def test_only_the_period_counts_but_what_lies_before_it_is_remembered(here: Script) -> None:
    keep(here, SHARPE, "token:1", [0.9, 1.2, 0.9, 1.2, 0.9])
    here.go_to(5)
    told = tried(here, "sharpe_threshold", since=day(2), until=day(3))
    assert [event["as_of"][:10] for event in told["events"]] == ["2024-01-04", "2024-01-03"]
    assert (told["from"], told["to"]) == ("2024-01-03", "2024-01-04")


def test_a_scope_is_watched_and_no_more(here: Script) -> None:
    for token in (1, 2, 3):
        keep(here, SHARPE, f"token:{token}", [0.9, 1.2])
    name(here, 1, 2, 3, 4)
    here.go_to(2)
    assert (tried(here, "sharpe_threshold")["watched"], tried(here, "sharpe_threshold")["subjects"]) == (3, 3)
    told = tried(here, "sharpe_threshold", {"tokens": [1, 4]})
    assert [event["subject"] for event in told["events"]] == ["token:1"]
    assert (told["watched"], told["gaps"]["without_readings"]) == (2, 1)


def stored_case(here: Script, trigger: Trigger, case: Case) -> str | None:
    """The subject that a case's readings are stored about; None where they cannot be stored as they are."""
    options = loaded(trigger, case.options)
    days = [at for at, _ in case.readings]
    if (
        trigger.tell is not None
        or len(trigger.sources(options)) > 1
        or "@" in trigger.sources(options)[0]
        or max(days) > 390
        or len(set(days)) < len(days)
    ):
        return None
    history, source = case_history(trigger, options, case.readings), source_of(trigger, options)
    rows = [
        readings.Row(source.key, history.subject, START + as_of, 0, START + as_of + HOUR, "live", None, values.tobytes(), text)
        for as_of, values, text in zip(history.as_of.tolist(), history.values, history.texts, strict=True)
    ]
    with here.gradewire.database.write() as connection:
        connection.execute(reading.delete())
        readings.add(connection, rows)
    return history.subject


def test_what_triggers_say_of_themselves_a_backtest_finds_in_what_is_stored(here: Script) -> None:
    tried_out = 0
    here.go_to(392)
    with here.gradewire.database.write() as connection:
        rows = [SubjectRow("token:1", "token", "Token 1", "T1", ("one", "two")), SubjectRow("index:2", "index", "Index 2")]
        subjects.keep(connection, rows, here.wall())
    for trigger in here.catalogue.triggers.values():
        for case in (*trigger.fires, *trigger.silent):
            subject = stored_case(here, trigger, case)
            if subject is None:
                continue
            scope = {"tokens": [1]} if subject == "token:1" else {}
            told, _ = backtest(here.gradewire, Question(trigger.key, case.options, scope, day(0), day(391)))
            fired = sorted(datetime.fromisoformat(f["as_of"]).timestamp() * 1000 - START for f in told["firings"])
            assert fired == sorted(round(at * DAY) for at in case.fires), f"{trigger.key}: {case.name}"
            assert told["count"] == 0 or trigger.payload().validate(told["events"][0]) == {}
            assert told["series"] is None or len(told["series"]["points"]) > 0
            tried_out += 1
    assert tried_out > 20


# -- what was filled in later, what is derived -------------------------------------------------------------------------


def test_what_rests_on_readings_that_were_filled_in_later_is_marked_and_neither_fed_nor_told(both: Script) -> None:
    keep(both, SHARPE, "token:1", {0: 0.9, 1: 1.2, 6: 0.8, 7: 1.2})
    keep(both, SHARPE, "token:1", {3: 1.2, 4: 1.3, 5: 1.2}, late=20 * DAY, origin="reconstructed")
    both.go_to(30)
    name(both, 1)
    told = tried(both, "sharpe_threshold")
    assert [(f["as_of"][8:10], f["reconstructed"]) for f in told["firings"]] == [("08", False), ("07", True), ("02", False)]
    assert [event["as_of"][8:10] for event in both.feed("sharpe_threshold", {"tokens": [1]})] == ["08", "02"]


def test_a_filled_in_reading_stands_where_it_would_have_stood(both: Script) -> None:
    """Though what was known of the day before came only after this day had begun."""
    keep(both, SHARPE, "token:1", {0: 0.9, 1: 1.2, 3: 0.9}, late=30 * HOUR)
    keep(both, SHARPE, "token:1", {2: 1.2}, late=20 * DAY, origin="reconstructed")
    both.go_to(30)
    told = tried(both, "sharpe_threshold")
    assert [f["as_of"][8:10] for f in told["firings"]] == ["04", "02"]
    assert not any(f["reconstructed"] for f in told["firings"])


def closes(seed: int, count: int = 130) -> list[float]:
    return np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.04, count))).tolist()


def test_what_is_derived_is_computed_as_it_would_have_been_stored(both: Script) -> None:
    for subject, seed in ((BITCOIN, 1), ("token:1", 2), ("token:2", 3)):
        keep(both, "daily_ohlcv", subject, closes(seed), "close")
    name(both, 1, 2, 3375)
    both.go_to(131)
    options = {"window": "30d", "cooldown_hours": 0}
    before = {scope: tried(both, "sharpe_threshold", *of, **options) for scope, of in (("any", ()), ("one", ({"tokens": [1]},)))}
    assert before["any"]["count"] > before["one"]["count"] > 0
    source = both.catalogue.sources["daily_ohlcv"]
    changed = Changed([BITCOIN, "token:1", "token:2"], [START + at * DAY for at in range(130)])
    with both.gradewire.database.write() as connection:
        events.lock(connection)
        list(derive(connection, both.catalogue, source, changed, want={"risk_30d"}, now=both.wall()))
    assert {
        scope: tried(both, "sharpe_threshold", *of, **options) for scope, of in (("any", ()), ("one", ({"tokens": [1]},)))
    } == before
    fed = both.feed("sharpe_threshold", {"tokens": [1, 2, 3375]}, **options)
    assert {event["id"] for event in fed} == {e["id"] for e in before["any"]["events"] if e["as_of"] >= iso(START + 101 * DAY)}


def test_what_was_derived_for_a_while_is_computed_where_that_ended(here: Script) -> None:
    for subject, seed in ((BITCOIN, 1), ("token:1", 2)):
        keep(here, "daily_ohlcv", subject, closes(seed), "close")
    here.go_to(131)
    whole = tried(here, "sharpe_threshold", {}, window="30d")
    source = here.catalogue.sources["daily_ohlcv"]
    changed = Changed([BITCOIN, "token:1"], [START + at * DAY for at in range(130)])
    with here.gradewire.database.write() as connection:
        events.lock(connection)
        list(derive(connection, here.catalogue, source, changed, want={"risk_30d"}, now=here.wall()))
        late = (reading.c.source == "risk_30d", reading.c.as_of > START + 80 * DAY)
        connection.execute(reading.delete().where(*late))
    assert tried(here, "sharpe_threshold", {}, window="30d") == whole


# -- what came after ---------------------------------------------------------------------------------------------------


def priced(here: Here, prices: list[float]) -> None:
    keep(here, SHARPE, "token:1", [0.9 if at % 10 < 5 else 1.2 for at in range(60)])
    keep(here, "daily_ohlcv", "token:1", prices, "close", late=26 * HOUR)


def test_returns_and_their_base_are_those_of_a_plain_computation(both: Script) -> None:
    prices = closes(5, 100)
    priced(both, prices)
    both.go_to(100)
    told = tried(both, "sharpe_threshold", since=day(0), until=day(59))
    fired = [datetime.fromisoformat(f["as_of"]).date() for f in told["firings"]]
    assert len(fired) == 11
    for at, firing in zip(fired, told["firings"], strict=True):
        start = (at - day(0)).days
        assert firing["return_7d"] == pytest.approx(prices[start + 7] / prices[start] - 1)
    for row in told["returns"]["horizons"]:
        days = row["days"]
        own = [f for f, e in zip(told["firings"], told["events"], strict=True) if row["direction"] in (None, e["direction"])]
        base = [prices[at + days] / prices[at] - 1 for at in range(60)]
        after = [f[f"return_{days}d"] for f in own]
        assert (row["events_count"], row["base_count"]) == (len(own), 60)
        assert (row["events_mean"], row["events_median"]) == pytest.approx((mean(after), median(after)))
        assert (row["base_mean"], row["base_median"]) == pytest.approx((mean(base), median(base)))
        assert row["base_positive"] == pytest.approx(mean(value > 0 for value in base))
    assert {row["direction"] for row in told["returns"]["horizons"]} == {None, "up", "down"}
    assert told["returns"]["note"].startswith("Not advice.")


@pytest.mark.parametrize("changed", [35, 40, 57])
def test_later_prices_change_no_return_whose_horizon_lies_before_them(
    sqlite_database: Database,
    tmp_path: Path,
    _sqlite_template: Path,  # noqa: PT019
    changed: int,
) -> None:
    shutil.copy(_sqlite_template, tmp_path / "other.db")
    other = Database(f"sqlite:///{tmp_path}/other.db")
    prices = closes(6, 60)
    with script(sqlite_database, tmp_path) as one, script(other, tmp_path) as two:
        priced(one, prices)
        priced(two, prices[:changed] + [price * 3 for price in prices[changed:]])
        for each in (one, two):
            each.go_to(60)
        before, after = tried(one, "sharpe_threshold"), tried(two, "sharpe_threshold")
        assert ids(before) == ids(after)
        differing = 0
        for was, now in zip(before["firings"], after["firings"], strict=True):
            entry = (datetime.fromisoformat(was["as_of"]).date() - day(0)).days
            for days in (1, 7, 30):
                if entry + days < changed:
                    assert was[f"return_{days}d"] == now[f"return_{days}d"] is not None
                differing += was[f"return_{days}d"] != now[f"return_{days}d"]
        assert differing
    other.close()


def test_where_no_prices_are_stored_nothing_is_said_of_returns(here: Script) -> None:
    keep(here, SHARPE, "token:1", [0.9, 1.2])
    here.go_to(2)
    told = tried(here, "sharpe_threshold")
    assert told["firings"][0]["return_1d"] is None
    assert all(row["events_mean"] is row["base_mean"] is None for row in told["returns"]["horizons"])


# -- how calm it would have been ---------------------------------------------------------------------------------------


def test_gaps_are_summed_up_by_subject(here: Script) -> None:
    keep(here, SHARPE, "token:1", dict.fromkeys((*range(10), *range(15, 30)), 1.0))
    keep(here, SHARPE, "token:2", dict.fromkeys(range(30), 1.0))
    keep(here, SHARPE, "token:3", dict.fromkeys((*range(8), 12, *range(20, 30)), 1.0))
    here.go_to(30)
    found = tried(here, "sharpe_threshold", since=day(0))["gaps"]
    assert (found["count"], found["subjects"], found["without_readings"], found["days"]) == (3, 2, 0, 19)
    assert [(gap["subject"], gap["days"]) for gap in found["longest"]] == [("token:3", 8), ("token:1", 6), ("token:3", 5)]
    assert (found["longest"][0]["from"], found["longest"][0]["to"]) == ("2024-01-13T00:00:00Z", "2024-01-21T00:00:00Z")


def test_a_period_that_begins_before_the_readings_begins_with_a_gap(here: Script) -> None:
    keep(here, SHARPE, "token:1", dict.fromkeys(range(10), 1.0))
    here.go_to(20)
    found = tried(here, "sharpe_threshold", since=day(-10), until=day(15))["gaps"]
    assert [gap["days"] for gap in found["longest"]] == [10, 7]


def test_flaps_are_counted_within_the_days_that_are_asked_for(here: Script) -> None:
    keep(here, SHARPE, "token:1", [0.9, 0.9, 1.2, 1.2, 0.9, 0.9, 0.9, 0.9, 0.9, 1.2])
    here.go_to(10)
    found = {days: tried(here, "sharpe_threshold", flap_days=days)["flaps"] for days in (1, 2, 7)}
    assert {days: flap["count"] for days, flap in found.items()} == {1: 0, 2: 1, 7: 2}
    assert found[2]["newest"][0]["directions"] == ["up", "down"]
    assert [flap["from"][:10] for flap in found[7]["newest"]] == ["2024-01-05", "2024-01-03"]


def test_the_table_says_what_asking_so_would_have_given(here: Script) -> None:
    random = np.random.default_rng(3)
    for token in (1, 2):
        keep(here, SHARPE, f"token:{token}", (1 + np.cumsum(random.normal(0, 0.1, 120))).tolist())
    here.go_to(121)
    asked = {"hysteresis": 0.1, "cooldown_hours": 30.0}
    told = tried(here, "sharpe_threshold", **asked)
    assert [(row["option"], row["value"]) for row in told["alternatives"] if row["chosen"]] == list(asked.items())
    assert len(told["alternatives"]) >= 8
    for row in told["alternatives"]:
        other = tried(here, "sharpe_threshold", **{**asked, row["option"]: row["value"]})
        assert (row["count"], row["flaps"]) == (other["count"], other["flaps"]["count"])
    assert len({row["count"] for row in told["alternatives"]}) > 2


def test_a_trigger_without_such_options_has_no_table_and_one_without_direction_no_flaps(here: Script) -> None:
    here.go_to(3)
    for key, trigger in here.catalogue.triggers.items():
        fields = trigger.options().fields
        if (
            trigger.subject == "token"
            and not {"hysteresis", "cooldown_hours"} & set(fields)
            and here.catalogue.sources[trigger.sources(trigger.options().load({}))[0].partition("@")[0]].selection != "ids"
        ):
            told = tried(here, key)
            assert told["alternatives"] == []
            assert (told["flaps"] is None) == ("direction" not in trigger.payload().fields)


# -- the chart ---------------------------------------------------------------------------------------------------------


def test_of_one_subject_the_watched_number_is_shown_with_its_events(here: Script) -> None:
    keep(here, SHARPE, "token:1", {0: 0.9, 1: 1.2, 2: None, 3: 0.8})
    keep(here, SHARPE, "token:2", [0.9, 1.2])
    here.go_to(4)
    series = tried(here, "sharpe_threshold", {"tokens": [1]}, since=day(1))["series"] if name(here, 1) is None else None
    assert series is not None
    assert (series["source"], series["metric"], series["unit"]) == (SHARPE, "sharpe", "ratio")
    assert [(p["as_of"][8:10], p["value"]) for p in series["points"]] == [("02", 1.2), ("03", None), ("04", 0.8)]
    assert [(m["as_of"][8:10], m["value"], m["direction"]) for m in series["marks"]] == [("02", 1.2, "up"), ("04", 0.8, "down")]
    assert tried(here, "sharpe_threshold")["series"] is None


def test_a_long_chart_has_a_thousand_points_at_most(here: Script) -> None:
    random = np.random.default_rng(3)
    values = {at / 24: value for at, value in enumerate((1 + np.cumsum(random.normal(0, 0.1, 24 * 100))).tolist())}
    keep(here, SHARPE, "token:1", values)
    here.go_to(101)
    series = tried(here, "sharpe_threshold")["series"]
    assert 900 < len(series["points"]) <= 1_000
    assert max(point["value"] for point in series["points"]) == max(values.values())


# -- limits ------------------------------------------------------------------------------------------------------------


def test_without_a_period_it_is_the_last_365_days_that_are_stored(here: Script) -> None:
    keep(here, SHARPE, "token:1", dict.fromkeys(range(380), 1.0))
    here.go_to(385)
    told = tried(here, "sharpe_threshold")
    assert (told["from"], told["to"]) == (str(day(379) - timedelta(364)), str(day(379)))
    here.go_to(500)
    assert tried(here, "sharpe_threshold")["from"] == str(day(100))


def test_without_any_reading_it_is_the_last_year_and_says_so(here: Script) -> None:
    name(here, 1, 2)
    here.go_to(3)
    told = tried(here, "sharpe_threshold")
    assert (told["to"], told["count"], told["watched"], told["gaps"]["without_readings"]) == (str(day(3)), 0, 2, 2)


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        ({"since": day(-500)}, "from", "400 days"),
        ({"since": day(3), "until": day(1)}, "from", "earlier"),
        ({"since": day(30)}, "from", "earlier"),
        ({"levle": 1}, "levle", "Did you mean level?"),
        ({"level": 500}, "level", "20"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(here: Script, asked: dict[str, Any], field: str, says: str) -> None:
    here.go_to(10)
    with pytest.raises(InvalidInput) as raised:
        tried(here, "sharpe_threshold", **asked)
    assert raised.value.field == field
    assert says in raised.value.message


def test_what_is_too_large_is_refused_with_the_remedy(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    for token in range(1, 5):
        keep(here, SHARPE, f"token:{token}", [0.9, 1.2])
    name(here, 1, 2, 3, 4)
    here.go_to(2)
    monkeypatch.setattr(service, "MOST_SUBJECTS", 3)
    for scope, field in (({}, "scope"), ({"tokens": [1, 2, 3, 4]}, "tokens")):
        with pytest.raises(InvalidInput, match="narrow the scope") as raised:
            tried(here, "sharpe_threshold", scope)
        assert raised.value.field == field
    assert tried(here, "sharpe_threshold", {"tokens": [1, 2, 3]})["watched"] == 3
    monkeypatch.setattr(service, "MOST_READINGS", 100)
    with pytest.raises(InvalidInput, match="shorter period"):
        tried(here, "sharpe_threshold", {"tokens": [1]})


def test_progress_is_told_as_subjects_are_done(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration.service.trial.AT_ONCE", 2)
    for token in range(1, 6):
        keep(here, SHARPE, f"token:{token}", [0.9, 1.2])
    here.go_to(2)
    seen: list[tuple[int, int]] = []
    told, _ = backtest(here.gradewire, Question("sharpe_threshold", {"window": "published"}), lambda *done: seen.append(done))
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert told["count"] == 5


def test_an_account_runs_one_at_a_time(here: Script) -> None:
    question = Question("sharpe_threshold", {"window": "published"})

    def again(*_: Any) -> None:
        with pytest.raises(TooMany) as raised:
            backtest_for(here.gradewire, here.account, question, fetch=False)
        assert raised.value.retry_after > 0
        backtest_for(here.gradewire, "acc_other", question, fetch=False)

    with pytest.MonkeyPatch.context() as patched:
        plain = service.backtest
        patched.setattr(service, "backtest", lambda *given: (again() if threads.pop() else None, plain(*given))[1])
        threads = [False, True]
        backtest_for(here.gradewire, here.account, question, fetch=False)
    backtest_for(here.gradewire, here.account, question, fetch=False)
