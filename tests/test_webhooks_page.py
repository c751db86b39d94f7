"""The verifiers that docs/webhooks.md offers for copying: run as they stand there, against real requests and bad ones."""

from __future__ import annotations

import base64
import hmac
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import time_machine
from standardwebhooks.webhooks import EmptyWebhookSecretError

from integration.domain.signing import new_signing_key, public_key, signature, signature_v1a
from integration.service import destinations, mending
from integration.service.deliver import drain_all
from integration.service.subscribe import create_subscription
from integration.service.ways import ways_of
from integration.store.database import Database
from tests.market import asked
from tests.receiver import Receiver
from tests.service.script import Script, script

PAGE = (Path(__file__).parents[1] / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + base64.b64encode(b"o" * 32).decode()
UNPADDED = "whsec_" + base64.b64encode(b"u" * 32).decode().rstrip("=")
ID, AT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
GOOD, STRANGE = signature(SECRET, ID, AT, BODY), signature(OTHER, ID, AT, BODY)
KEY = new_signing_key()
V1A = signature_v1a(KEY, ID, AT, BODY)
#: What anyone can make: by the empty key.
BY_NOBODY = "v1," + base64.b64encode(hmac.digest(b"", f"{ID}.{AT}.".encode() + BODY, "sha256")).decode()


def code(heading: str, language: str) -> str:
    """The program under a heading of the page."""
    found = re.search(rf"^### {re.escape(heading)}\n.*?^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


def python(heading: str) -> Callable[[str, Any, bytes], Any]:
    names: dict[str, Any] = {}
    exec(code(heading, "python"), names)
    verify: Callable[[str, Any, bytes], Any] = names["verify"]
    return verify


PLAIN, PACKAGE, PUBLIC = python("Python, without"), python("Python, with the package"), python("With the public key (v1a)")


@dataclass(frozen=True)
class Case:
    """A request, and whether it is to be taken."""

    name: str
    good: bool
    secret: str = SECRET
    identity: str | None = ID
    at: str | None = str(AT)
    told: str | None = GOOD
    body: bytes = BODY
    clock: int = AT

    @property
    def headers(self) -> dict[str, str]:
        named = {"webhook-id": self.identity, "webhook-timestamp": self.at, "webhook-signature": self.told}
        return {name: value for name, value in named.items() if value is not None}


CASES = [
    Case("as it was signed", True),
    Case("the id is missing", False, identity=None),
    Case("the timestamp is missing", False, at=None),
    Case("the signature is missing", False, told=None),
    Case("the id is empty", False, identity=""),
    Case("the timestamp is empty", False, at=""),
    Case("the signature is empty", False, told=""),
    Case("the timestamp is no number", False, at="yesterday"),
    Case("the timestamp is another", False, at=str(AT + 1)),
    Case("the id is another", False, identity="msg_other"),
    Case("five minutes old", True, clock=AT + 300),
    Case("older than five minutes", False, clock=AT + 301),
    Case("five minutes early", True, clock=AT - 300),
    Case("earlier than five minutes", False, clock=AT - 301),
    Case("the wrong key", False, secret=OTHER),
    Case("a signature by the wrong key", False, told=STRANGE),
    Case("part of the signature", False, told=GOOD[:-8]),
    Case("nothing after the version", False, told="v1,"),
    Case("an empty secret", False, secret=""),
    Case("nothing but a prefix", False, secret="whsec_"),
    Case("signed with no key at all", False, secret="whsec_", told=BY_NOBODY),
    Case("signed with no key at all, under a secret", False, told=BY_NOBODY),
    Case("a secret without its prefix", True, secret=SECRET.removeprefix("whsec_")),
    Case("an unpadded secret", True, secret=UNPADDED, told=signature(UNPADDED, ID, AT, BODY)),
    Case("a version that nobody knows", False, told="v9," + GOOD.removeprefix("v1,")),
    Case("no version", False, told=GOOD.removeprefix("v1,")),
    Case("v1a alone", False, told=V1A),
    Case("v1 and v1a", True, told=f"{GOOD} {V1A}"),
    Case("v1a before v1", True, told=f"{V1A} {GOOD}"),
    Case("old and new", True, told=f"{STRANGE} {GOOD}"),
    Case("new and old", True, told=f"{GOOD} {STRANGE}"),
    Case("two that are wrong", False, told=f"{STRANGE} {STRANGE}"),
    Case("an entry without a comma before a good one", True, told=f"nonsense {GOOD}"),
    Case("an entry with two commas before a good one", True, told=f"v1,a,b {GOOD}"),
    Case("an empty entry before a good one", True, told=f"  {GOOD}"),
    Case("an entry that is no base64 before a good one", True, told=f"v1,%%% {GOOD}"),
    Case("an entry that is no ASCII before a good one", True, told=f"v1,ümläut {GOOD}"),
    Case("the body written anew", False, body=b'{"test":2432232314}'),
    Case("a newline after the body", False, body=BODY + b"\n"),
    Case("no body", False, body=b""),
    Case("a body that is no UTF-8", True, body=b"\xff\xfe", told=signature(SECRET, ID, AT, b"\xff\xfe")),
]

every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
#: The package stops at an entry that it cannot read, and reads the body as JSON.
STRICTER = {
    "an entry without a comma before a good one",
    "an entry with two commas before a good one",
    "an empty entry before a good one",
    "an entry that is no ASCII before a good one",
    "a body that is no UTF-8",
}


@every_case
def test_the_plain_python_verifier(case: Case) -> None:
    with time_machine.travel(case.clock, tick=False):
        assert PLAIN(case.secret, case.headers, case.body) is case.good


@every_case
def test_the_package_as_the_page_calls_it(case: Case) -> None:
    with time_machine.travel(case.clock, tick=False):
        if case.secret in ("", "whsec_"):
            with pytest.raises(EmptyWebhookSecretError):  # a mistake of the receiver's operator, and loud
                PACKAGE(case.secret, case.headers, case.body)
            return
        event = PACKAGE(case.secret, case.headers, case.body)
    assert event == (json.loads(case.body) if case.good and case.name not in STRICTER else None)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_plain_node_verifier(tmp_path: Path) -> None:
    program = tmp_path / "verify.mjs"
    program.write_text(
        code("Node, without", "js")
        + """
import { readFileSync } from "node:fs";
const results = JSON.parse(readFileSync(0)).map(({ secret, headers, body, clock }) => {
  Date.now = () => clock * 1000;
  return verify(secret, headers, Buffer.from(body, "base64"));
});
console.log(JSON.stringify(results));
""",
        encoding="utf-8",
    )
    given = [
        {"secret": c.secret, "headers": c.headers, "body": base64.b64encode(c.body).decode(), "clock": c.clock} for c in CASES
    ]
    ended = subprocess.run(["node", program], input=json.dumps(given), capture_output=True, text=True, timeout=30, check=True)
    told = dict(zip([case.name for case in CASES], json.loads(ended.stdout), strict=True))
    assert told == {case.name: case.good for case in CASES}


@pytest.mark.parametrize(
    ("told", "good"),
    [(f"{GOOD} {V1A}", True), (V1A, True), (GOOD, False), (f"{GOOD} v1a,%%%", False), (f"v1a,AAAA {V1A}", True), ("", False)],
    ids=["both", "v1a alone", "v1 alone", "an entry that is no base64", "another key's before it", "none"],
)
def test_the_verifier_with_the_public_key(told: str, good: bool) -> None:
    headers = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": told}
    with time_machine.travel(AT, tick=False):
        assert PUBLIC(public_key(KEY), headers, BODY) is good
        assert not PUBLIC(public_key(new_signing_key()), headers, BODY)
        assert not PUBLIC(public_key(KEY), headers, BODY + b" ")
    with time_machine.travel(AT + 301, tick=False):
        assert not PUBLIC(public_key(KEY), headers, BODY)


# -- real requests ---------------------------------------------------------------------------------------------------


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        yield made
        ways_of(made.gradewire).transport.close()


def test_real_requests_verify_before_during_and_after_a_rotation(here: Script, receiver: Receiver) -> None:
    config = {"url": receiver.url("/hook"), "signatures": ["v1", "v1a"]}
    made = destinations.create_destination(here.gradewire, here.account, "webhook", config)
    create_subscription(here.gradewire, here.account, "sharpe_threshold", asked("sharpe_threshold", {}), {}, made["id"])
    here.day(0, {1: 0.9})

    def verified(day: int, secret: str, public: str) -> tuple[bool, bool, bool]:
        request = receiver.requests[day - 1]
        with time_machine.travel(here.wall() / 1000, tick=False):
            event = PACKAGE(secret, request.headers, request.body)
            plain = PLAIN(secret, request.headers, request.body)
            return plain, event == json.loads(request.body), PUBLIC(public, request.headers, request.body)

    here.day(1, {1: 1.2})
    drain_all(here.gradewire)
    assert verified(1, made["secret"], made["public_key"]) == (True, True, True)
    new = mending.rotate_destination(here.gradewire, here.account, made["id"], 36)
    here.day(2, {1: 0.9})
    drain_all(here.gradewire)
    for keys in (made, new):
        assert verified(2, keys["secret"], keys["public_key"]) == (True, True, True)
    here.day(3, {1: 1.2})
    drain_all(here.gradewire)
    assert verified(3, new["secret"], new["public_key"]) == (True, True, True)
    assert verified(3, made["secret"], made["public_key"]) == (False, False, False)
