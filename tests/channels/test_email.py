"""E-mail: two parts that say the same, headers that hold still, statuses of RFC 5321."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from marshmallow import ValidationError

from integration import channels
from integration.domain.message import Dead, Delivered, Mail, Reply, Retry
from tests.channels.samples import EVENTS, HOSTILE, event, loaded, message

CHANNEL = channels.load()["email"]


def mail(told: dict[str, Any], **changes: Any) -> Mail:
    rendered = CHANNEL.render([message(told, **changes)], loaded("email"))
    assert isinstance(rendered, Mail)
    return rendered


class _Page(HTMLParser):
    """Collects what a mail program would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("told", EVENTS.values(), ids=EVENTS.keys())
def test_no_event_brings_tags_or_links_of_its_own(told: dict[str, Any]) -> None:
    page = _Page(mail(told).html)
    assert page.tags <= {"html", "head", "meta", "title", "body", "table", "tr", "td", "a", "br"}
    assert not {name for name in page.attributes if name.startswith("on") or name == "src"}
    assert page.links == ["https://gradewire.example/events/1"]


def test_both_parts_say_the_same() -> None:
    shot = {"tm_trader_grade": {"value": 84.16, "as_of": "2021-05-18T00:00:00Z"}}
    rendered = mail(event(summary="Bitcoin's ratio rose & rose.", snapshot=shot))
    page = _Page(rendered.html)
    for said in (
        "Bitcoin's ratio rose & rose.",
        "Previous Ratio",
        "0.94",
        "TM Trader Grade",
        "84.16 (18 May 2021)",
        "19 May 2021",
    ):
        assert said in page.words
        assert said in rendered.text


def test_the_subject_is_the_summary_marked_where_the_data_is_not_real() -> None:
    assert mail(event()).subject == "It rose."
    assert mail(event(sandbox=True)).subject == "[sandbox data] It rose."
    assert len(mail(HOSTILE["long"]).subject) <= 150


def test_a_name_with_line_breaks_adds_no_header() -> None:
    rendered = mail(HOSTILE["lines"])
    assert not set(rendered.subject) & set("\r\n")
    assert [name for name, _ in rendered.headers] == ["Auto-Submitted", "List-Unsubscribe"]


def test_the_message_id_is_stable_and_names_event_and_subscription() -> None:
    assert mail(event()).message_id == mail(event(summary="Other words.")).message_id
    assert mail(event()).message_id == "evt_aaaaaaaaaaaaaaaaaaaaaaaaaa.sub_abc@gradewire.example"


def test_unsubscribing_is_by_mail_and_by_one_click_where_there_is_an_address() -> None:
    by_mail = "<mailto:unsubscribe@gradewire.example?subject=unsubscribe%20sub_abc>"
    assert dict(mail(event()).headers) == {"Auto-Submitted": "auto-generated", "List-Unsubscribe": by_mail}
    click = "https://gradewire.example/unsubscribe/token"
    rendered = mail(event(), unsubscribe_url=click)
    assert dict(rendered.headers)["List-Unsubscribe"] == f"<{click}>, {by_mail}"
    assert dict(rendered.headers)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert click in rendered.text
    assert click in _Page(rendered.html).links


def test_without_a_public_address_there_is_no_link() -> None:
    rendered = mail(event(), url=None)
    assert _Page(rendered.html).links == []
    assert "http" not in rendered.text


@pytest.mark.parametrize(
    "to",
    ["", "nobody", "a@b@example.com", "a@example.com, b@example.com", "a@example.com;b@example.com", "A <a@example.com>",
     "a@example.com\nBcc: b@example.com", "ü@example.com", "a@bücher.example", '"a b"@example.com', "a@" + "b" * 250 + ".com"],
)  # fmt: skip
def test_only_one_plain_address_is_taken(to: str) -> None:
    with pytest.raises(ValidationError) as refused:
        CHANNEL.config().load({"to": to})
    assert list(refused.value.messages) == ["to"]


def test_the_hint_is_the_first_letter_and_the_domain() -> None:
    assert CHANNEL.hint({"to": "someone@example.com"}) == "s…@example.com"


@pytest.mark.parametrize("status", [421, 450, 451, 452])
def test_a_refusal_for_now_is_tried_again(status: int) -> None:
    assert isinstance(CHANNEL.verdict(Reply(status, b"4.7.1 greylisted")), Retry)


@pytest.mark.parametrize("status", [550, 551, 552, 553, 554])
def test_a_refusal_for_good_ends_the_message_with_the_servers_words(status: int) -> None:
    verdict = CHANNEL.verdict(Reply(status, b"5.1.1 no such user\r\n"))
    assert verdict == Dead(f"The mail server answered {status}. 5.1.1 no such user", "message")


@pytest.mark.parametrize("status", [530, 534, 535, 538])
def test_a_wrong_password_waits_for_the_operator(status: int) -> None:
    verdict = CHANNEL.verdict(Reply(status))
    assert isinstance(verdict, Dead)
    assert verdict.scope == "destination"
    assert "operator" in verdict.reason


def test_acceptance_is_delivery() -> None:
    assert CHANNEL.verdict(Reply(250, b"2.0.0 queued")) == Delivered()
