"""A rule that stands on others means something else as soon as one of these does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration.domain.catalogue import Trigger, semantics_of
from integration.domain.ids import canonical, event_id
from integration.triggers import _conditions, load
from tests.triggers.logs import case_log, loaded

TRIGGERS = load()
ALL_OF, CORRECTED = TRIGGERS["all_of"], TRIGGERS["data_corrected"]
GRADES, SHARPE, SIGNALS = ({"trigger": key} for key in ("grade_changed", "sharpe_threshold", "signal_flipped"))


def semantics(trigger: Trigger, **options: Any) -> int:
    return semantics_of(trigger, loaded(trigger, options))


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Raise a trigger's semantics, as a change of what its `scan` means would."""
    now = dict(TRIGGERS)

    def more(key: str) -> None:
        now[key] = replace(now[key], semantics=now[key].semantics + 1)

    monkeypatch.setattr(_conditions, "triggers", lambda: now)
    return more


@pytest.mark.parametrize("trigger", TRIGGERS.values(), ids=TRIGGERS)
def test_what_rules_could_first_hold_is_written_down_once_and_for_all(trigger: Trigger) -> None:
    assert trigger.held_from == {"sharpe_threshold": 2}.get(trigger.key, 1)
    assert trigger.semantics >= trigger.held_from
    assert semantics(trigger) == trigger.semantics


def test_raising_a_condition_raises_the_rules_that_hold_it_and_no_other(raised: Any) -> None:
    raised("signal_flipped")
    assert semantics(ALL_OF, conditions=[GRADES, SIGNALS]) == ALL_OF.semantics + 1
    assert semantics(ALL_OF, conditions=[GRADES, SHARPE]) == ALL_OF.semantics
    assert semantics(CORRECTED, of=SIGNALS) == CORRECTED.semantics + 1
    assert semantics(CORRECTED, of=SHARPE) == CORRECTED.semantics


def test_it_is_raised_through_two_floors(raised: Any) -> None:
    both = {"trigger": "all_of", "options": {"conditions": [GRADES, SIGNALS]}}
    raised("signal_flipped")
    raised("all_of")
    assert semantics(CORRECTED, of=both) == CORRECTED.semantics + 2


def test_whatever_is_raised_in_whatever_order_a_rule_never_means_again_what_it_meant(raised: Any) -> None:
    seen = [semantics(ALL_OF, conditions=[GRADES, SIGNALS])]
    for key in ("signal_flipped", "grade_changed", "signal_flipped", "grade_changed"):
        raised(key)
        seen.append(semantics(ALL_OF, conditions=[GRADES, SIGNALS]))
    assert seen == sorted(set(seen))


def test_a_correction_names_the_event_of_a_compound_rule_as_it_is_now(raised: Any) -> None:
    compound = loaded(ALL_OF, {"conditions": [GRADES, SIGNALS], "at_least": 1})
    options = loaded(CORRECTED, {"of": {"trigger": "all_of", "options": compound}})
    grades = [{"tm_trader_grade": grade, "trading_signals.token_trend": -1} for grade in (50, 70, 50)]
    readings = [(0, grades[0]), (1, grades[1]), (1, {**grades[2], "known_at": 2})]
    raised("grade_changed")
    (told,) = CORRECTED.tell(case_log(CORRECTED, options, readings), options)
    wanted = event_id("all_of", ALL_OF.semantics + 1, canonical(compound), "token:1", 86_400_000)
    assert told.firing.fields["corrects"] == wanted
