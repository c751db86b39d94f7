"""Delivering to channels that want more than one request for one message: pace, batches, preparation, probes, mail, tokens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select

from integration.domain.message import Dead, Delivered, HttpRequest, Limits, Mail, Message, Reply, Retry, Verdict
from integration.domain.retry import MINUTE, SECOND
from integration.service.claiming import claim
from integration.service.deliver import send_over
from integration.store.database import Database
from integration.store.queries import deliveries
from integration.store.tables import destination
from integration.wire.google import TokenRefused
from tests.receiver import Answer, Receiver
from tests.service.given import NOW, Given, channel, verdict


@pytest.fixture
def given(database: Database) -> Iterator[Given]:
    with closing(Given(database)) as ready:
        yield ready


# -- pace ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def paced(given: Given, receiver: Receiver) -> Given:
    """A destination that takes one message a second, and one that takes any number."""
    given.channels["slow"] = channel("slow", limits=Limits(per_second=1))
    given.receives("slow", receiver.url("/slow"), channel="slow")
    given.receives("fast", receiver.url("/fast"))
    return given


def test_a_published_rate_is_kept_by_the_database_and_spends_no_attempts(paced: Given, receiver: Receiver) -> None:
    paced.owes("slow", "fast", events=4)
    paced.drain()
    assert (len(receiver.at("/slow")), len(receiver.at("/fast"))) == (1, 4)
    waiting = [row for row in paced.rows() if row.state == deliveries.PENDING]
    assert [row.next_attempt_at - NOW for row in waiting] == [1 * SECOND, 2 * SECOND, 3 * SECOND]
    assert {(row.attempts, row.lease) for row in waiting} == {(0, None)}


def test_a_paced_destination_gets_all_of_it_in_order_in_its_time(paced: Given, receiver: Receiver) -> None:
    ids = paced.owes("slow", events=6)
    times = []
    while len(receiver.requests) < 6:
        before = len(receiver.requests)
        paced.drain()
        times += [paced.clock.ms] * (len(receiver.requests) - before)
        paced.clock.ms += 250
        assert paced.clock.ms < NOW + MINUTE
    assert [r.headers["webhook-id"] for r in receiver.requests] == ids
    assert all(later - earlier >= SECOND for earlier, later in pairwise(times))
    assert times[-1] <= NOW + 7 * SECOND


def test_two_workers_share_one_rate(paced: Given, receiver: Receiver) -> None:
    paced.owes("slow", events=3)
    assert claim(paced.database, paced.ways, NOW, most=1).ready
    paced.drain()
    assert receiver.requests == []


# -- batches ---------------------------------------------------------------------------------------------------------


class Sheet:
    """A channel like a spreadsheet: rows in batches, a header row first, a probe of what arrived."""

    def __init__(self, receiver: Receiver, *, per_second: float | None = None) -> None:
        self.receiver = receiver
        self.rows: list[str] = []
        self.channel = channel(
            "sheet",
            limits=Limits(batch=10, per_second=per_second),
            render=self.render,
            prepare=lambda config: HttpRequest(config["url"] + "/head", b"head", "PUT"),
            probe=lambda messages, config: HttpRequest(config["url"] + "/rows", b"", "GET", keep=100_000),
            absent=lambda reply, messages: [m for m in messages if m.id not in json.loads(reply.head)],
        )

    def render(self, messages: Sequence[Message], config: Mapping[str, Any]) -> HttpRequest:
        for message in messages:
            if "poison" in message.event:
                raise ValueError("no row")
        return HttpRequest(config["url"] + "/append", json.dumps([m.id for m in messages]).encode(), fresh=True)

    def appended(self) -> list[list[str]]:
        return [json.loads(r.body) for r in self.receiver.at("/append")]


@pytest.fixture
def sheet(given: Given, receiver: Receiver) -> Sheet:
    made = Sheet(receiver)
    given.channels["sheet"] = made.channel
    given.receives("sheet", receiver.url(""), channel="sheet", secret=None)
    return made


def test_many_messages_go_in_one_request_after_one_preparation(given: Given, receiver: Receiver, sheet: Sheet) -> None:
    ids = given.owes("sheet", events=25)
    given.drain()
    assert [r.path for r in receiver.requests] == ["/head", "/append", "/append", "/append"]
    assert sheet.appended() == [ids[:10], ids[10:20], ids[20:]]
    assert given.state() == {"delivered": 25}
    assert len(given.attempts()) == 25
    given.owes("sheet")
    given.drain()
    assert [r.path for r in receiver.requests][4:] == ["/append"]


def test_one_request_of_a_batch_channel_is_under_way_at_a_time(given: Given, receiver: Receiver, sheet: Sheet) -> None:
    receiver.on("/append", Answer(held=True))
    given.owes("sheet", events=25)
    worker = threading.Thread(target=given.drain)
    worker.start()
    receiver.wait_for(2)
    assert receiver.waiting == 1
    receiver.release()
    worker.join()
    assert len(sheet.appended()) == 3


def test_a_preparation_that_fails_is_made_again_before_anything_goes(given: Given, receiver: Receiver, sheet: Sheet) -> None:
    receiver.on("/head", Answer(500), Answer(200))
    given.owes("sheet", events=3)
    given.drain()
    assert [r.path for r in receiver.requests] == ["/head"]
    assert {(row.state, row.attempts) for row in given.rows()} == {(deliveries.PENDING, 1)}
    given.clock.ms += MINUTE
    given.drain()
    assert [r.path for r in receiver.requests] == ["/head", "/head", "/append"]
    with given.database.read() as connection:
        assert connection.scalar(select(destination.c.prepared)) == 1


@pytest.mark.parametrize("answer", [Answer(fault="close"), Answer(500)])
def test_after_an_ambiguous_answer_only_what_is_missing_is_sent(
    given: Given, receiver: Receiver, sheet: Sheet, answer: Answer
) -> None:
    receiver.on("/append", answer, Answer(200))
    ids = given.owes("sheet", events=3)
    given.drain()
    assert {(row.ambiguous, row.attempts) for row in given.rows()} == {(1, 1)}
    receiver.on("/rows", Answer(body=json.dumps([ids[1], "other"]).encode()))
    late = given.owes("sheet", now=NOW + 1)
    given.clock.ms += MINUTE
    given.drain()
    assert [r.path for r in receiver.requests] == ["/head", "/append", "/rows", "/append"]
    assert sheet.appended() == [ids, [ids[0], ids[2], *late]]
    assert given.state() == {"delivered": 4}
    assert [row.attempts for row in given.rows()] == [2, 2, 2, 1]


def test_a_clear_refusal_needs_no_probe(given: Given, receiver: Receiver, sheet: Sheet) -> None:
    receiver.on("/append", Answer(429), Answer(200))
    given.owes("sheet", events=2)
    given.drain()
    assert {row.ambiguous for row in given.rows()} == {0}
    given.clock.ms += MINUTE
    given.drain()
    assert [r.path for r in receiver.requests] == ["/head", "/append", "/append"]


def test_a_probe_that_fails_leaves_the_question_open(given: Given, receiver: Receiver, sheet: Sheet) -> None:
    receiver.on("/append", Answer(500), Answer(200))
    receiver.on("/rows", Answer(429), Answer(body=b"[]"))
    (identity,) = given.owes("sheet")
    given.drain()
    given.clock.ms += MINUTE
    given.drain()
    assert (given.row().state, given.row().ambiguous, given.row().attempts) == (deliveries.PENDING, 1, 2)
    given.clock.ms += 10 * MINUTE
    given.drain()
    assert given.state() == {"delivered": 1}
    assert sheet.appended() == [[identity], [identity]]


def test_a_probe_that_cannot_be_read_leaves_the_question_open(given: Given, receiver: Receiver, sheet: Sheet) -> None:
    receiver.on("/append", Answer(500), Answer(200))
    receiver.on("/rows", Answer(body=b"no json"))
    given.owes("sheet")
    given.drain()
    given.clock.ms += MINUTE
    given.drain()
    assert (given.row().state, given.row().ambiguous) == (deliveries.PENDING, 1)
    assert given.row().reason == "the answer was not understood: JSONDecodeError"


def test_one_bad_row_does_not_take_its_batch_with_it(given: Given, receiver: Receiver, sheet: Sheet) -> None:
    ids = given.owes("sheet", events=2)
    given.owes("sheet", body='{"poison": 1}')
    ids += given.owes("sheet")
    given.drain()
    assert sheet.appended() == [ids]
    assert given.state() == {"delivered": 3, "dead": 1}


def test_a_paced_batch_channel_sends_a_batch_each_time(given: Given, receiver: Receiver) -> None:
    sheet = Sheet(receiver, per_second=1)
    given.channels["sheet"] = sheet.channel
    given.receives("sheet", receiver.url(""), channel="sheet", secret=None)
    given.owes("sheet", events=25)
    for _ in range(3):
        given.drain()
        given.clock.ms += SECOND
    assert [len(rows) for rows in sheet.appended()] == [10, 10, 5]


def test_a_verdict_that_fails_is_tried_again(given: Given, receiver: Receiver) -> None:
    def broken(reply: Reply) -> Verdict:
        raise KeyError("ok")

    given.channels["odd"] = channel("odd", verdict=broken)
    given.receives("odd", receiver.url("/odd"), channel="odd")
    given.owes("odd")
    given.drain()
    assert (given.row().state, given.row().reason) == (deliveries.PENDING, "the answer was not understood: KeyError")


# -- e-mail ----------------------------------------------------------------------------------------------------------


def _mail(messages: Sequence[Message], config: Mapping[str, Any]) -> Mail:
    return Mail(config["to"], "subject", "text", "<p>html</p>", f"{messages[0].id}.{messages[0].subscription_id}@host")


@pytest.fixture
def mailing(given: Given, receiver: Receiver) -> Given:
    given.channels["email"] = channel("email", render=_mail, verdict=_mail_verdict)
    given.receives("mail", "", channel="email", to="a@example.com")
    given.receives("hook", receiver.url("/hook"))
    return given


def _mail_verdict(reply: Reply) -> Verdict:
    if reply.status == 550:
        return Dead("no such mailbox")
    return Delivered() if reply.status == 250 else Retry(reason=reply.error or f"SMTP {reply.status}")


def test_mail_goes_through_the_mail_server(mailing: Given) -> None:
    sent: list[Mail] = []
    replies = iter([Reply(250, b"queued"), Reply(550, b"unknown user"), Reply(451)])
    lock = threading.Lock()

    def send(mail: Mail) -> Reply:
        with lock:
            sent.append(mail)
            return next(replies)

    mailing.ways.send_mail = send
    ids = mailing.owes("mail", events=3)
    counts = mailing.drain()
    assert (counts.delivered, counts.dead, counts.retried) == (1, 1, 1)
    assert {mail.message_id for mail in sent} == {f"{identity}.sub_mail@host" for identity in ids}
    assert sorted(tried.status for tried in mailing.attempts()) == [250, 451, 550]


def test_a_slow_mail_server_does_not_hold_up_http(mailing: Given, receiver: Receiver) -> None:
    free = threading.Event()
    mailing.ways.send_mail = lambda mail: Reply(250 if free.wait(10) else 0)
    mailing.owes("mail", "hook", events=20)
    worker = threading.Thread(target=mailing.drain)
    worker.start()
    receiver.wait_for(20)
    free.set()
    worker.join()
    assert mailing.state() == {"delivered": 40}


@pytest.mark.parametrize("send", [None, lambda mail: 1 / 0])
def test_mail_that_cannot_be_sent_is_tried_again(mailing: Given, send: Any) -> None:
    mailing.ways.send_mail = send
    mailing.owes("mail")
    assert mailing.drain().retried == 1
    (tried,) = mailing.attempts()
    assert (tried.status, tried.outcome) == (0, "retry")
    assert tried.error.startswith("failed: ")


# -- tokens ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tokened(given: Given, receiver: Receiver) -> Given:
    def with_token(messages: Sequence[Message], config: Mapping[str, Any]) -> HttpRequest:
        return HttpRequest(config["url"], b"row", auth="google")

    def judge(reply: Reply) -> Verdict:
        return Dead("bad key", "destination") if reply.error == "token" else verdict(reply)

    given.channels["google"] = channel("google", render=with_token, verdict=judge)
    given.receives("g", receiver.url("/g"), channel="google", secret=None)
    return given


def test_a_token_is_sent_as_bearer(tokened: Given, receiver: Receiver) -> None:
    tokened.ways.token_for = lambda config: "tok" + config["url"][-2:]
    tokened.owes("g", events=3)
    assert tokened.drain().delivered == 3
    assert {r.headers["authorization"] for r in receiver.requests} == {"Bearer tok/g"}


def test_a_token_that_is_not_taken_is_forgotten(tokened: Given, receiver: Receiver) -> None:
    forgotten: list[Any] = []
    tokened.ways.token_for, tokened.ways.forget_token = lambda config: "old", forgotten.append
    receiver.on("/g", Answer(401))
    tokened.owes("g")
    assert tokened.drain().retried == 1
    assert [config["url"] for config in forgotten] == [receiver.url("/g")]


@pytest.mark.parametrize(
    ("error", "mark", "status"),
    [
        (TokenRefused("invalid_grant", retryable=False), "token: invalid_grant", "disabled"),
        (TokenRefused("busy", retryable=True), "failed: busy", "active"),
        (OSError("unreachable"), "failed: OSError", "active"),
    ],
)
def test_a_token_that_cannot_be_had_is_an_attempt_that_failed(
    tokened: Given, receiver: Receiver, error: Exception, mark: str, status: str
) -> None:
    def fail(config: Mapping[str, Any]) -> str:
        raise error

    tokened.ways.token_for = fail
    tokened.owes("g")
    tokened.drain()
    assert receiver.requests == []
    assert [tried.error for tried in tokened.attempts()] == [mark]
    with tokened.database.read() as connection:
        assert connection.scalar(select(destination.c.status)) == status


def test_trying_out_uses_the_same_ways(tokened: Given, receiver: Receiver) -> None:
    message = Message("evt_test", "sub_g", NOW, b"{}", {})
    tokened.ways.token_for = lambda config: "tok"
    config = {"url": receiver.url("/g"), "to": "a@example.com"}
    reply, meaning = send_over(tokened.ways, [message], tokened.channels["google"], config, NOW)
    assert (reply.status, meaning) == (200, Delivered())
    assert receiver.requests[0].headers["authorization"] == "Bearer tok"
    tokened.ways.token_for = None
    reply, meaning = send_over(tokened.ways, [message], tokened.channels["google"], config, NOW)
    assert reply.error == "failed"
    mail = channel("email", render=_mail, verdict=_mail_verdict)
    tokened.ways.send_mail = lambda mail: Reply(550 if mail.to == "a@example.com" else 0)
    assert send_over(tokened.ways, [message], mail, config, NOW)[1] == Dead("no such mailbox")
