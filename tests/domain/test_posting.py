"""Texts for a chat: all that is said fits, and nothing of a name is markup."""

from __future__ import annotations

from typing import Any

from integration import triggers
from integration.domain.posting import METRICS, MOST, bundle_text, escaped, event_text, subject_text
from integration.service.compose import SNAPSHOT

TOLD = {**triggers.load()["grade_changed"].sample, "sandbox": True}


def shot(value: float, day: int, **more: Any) -> dict[str, Any]:
    return {"value": value, "as_of": f"2025-06-0{day}T00:00:00Z", **more}


def test_what_others_write_is_neither_markup_nor_a_mention() -> None:
    assert escaped("*Bit_coin* `x` @everyone <@1>\n[a](b)") == "\\*Bit\\_coin\\* \\`x\\` @\u200beveryone \\<@1\\> \\[a\\](b)"


def test_metrics_are_said_as_people_say_them_and_an_older_one_with_its_date() -> None:
    snapshot = {
        "daily_value_at_risk": shot(-0.0512, 2),
        "sharpe": shot(1.25, 2),
        "momentum": shot(4.0, 1, text="Gaining Momentum"),
        "unknown": shot(1.0, 3),
        "sortino": {"value": None, "as_of": "2025-06-03T00:00:00Z"},
    }
    assert subject_text("Hyperliquid", "HYPE", snapshot, sandbox=False).split("\n") == [
        "**Hyperliquid (HYPE)**",
        "Momentum: **Gaining Momentum** (1 June 2025)",
        "Sharpe ratio: **1.25**",
        "Value at risk, 1 day: **-5.12 %**",
        "As of 2 June 2025",
        "_Facts, not advice._",
    ]


def test_every_metric_of_a_snapshot_has_words() -> None:
    assert METRICS.keys() == {metric for _, metric in SNAPSHOT} | {"momentum"}


def test_a_subject_of_which_nothing_is_known_is_said_to_be_so() -> None:
    assert "Nothing is known of it yet." in subject_text("New", "", {}, sandbox=True)


def test_an_event_of_the_sandbox_says_that_it_is() -> None:
    text = event_text(TOLD)
    assert text.startswith("**Grade Change: Bitcoin (BTC)**\n")
    assert text.endswith("_Sandbox data, made-up sample. Facts, not advice._")


def test_what_does_not_fit_is_counted() -> None:
    text = bundle_text("90 × Grade Change", [TOLD] * 90)
    assert len(text) <= MOST
    told = text.count("• ")
    assert 10 < told < 90
    assert f"… and {90 - told} more" in text
