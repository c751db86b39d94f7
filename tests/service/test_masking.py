"""What receivers send back is kept with the attempt, without the secrets of their destination."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from integration.domain.message import Dead, Reply
from integration.service.ways import Target, secrets_of
from integration.store.database import Database
from tests.channels.samples import ENTERED, loaded
from tests.receiver import Answer, Receiver
from tests.service.given import Given, channel

TOKEN = "very-hidden-token-1234"
PATH = "/hooks/9f8e7d6c5b4a"


@pytest.fixture
def given(sqlite_database: Database) -> Iterator[Given]:
    with closing(Given(sqlite_database)) as made:
        yield made


ECHO = (TOKEN, quote(TOKEN), TOKEN.encode().hex(), base64.b64encode(f"Bearer {TOKEN}".encode()).decode(), PATH, f"GET {PATH}")


@pytest.mark.parametrize("status", [200, 400, 410, 500])
def test_a_receivers_echo_is_kept_without_secrets(given: Given, receiver: Receiver, status: int) -> None:
    given.receives("a", receiver.url(PATH), headers={"Authorization": f"Bearer {TOKEN}"})
    receiver.on(PATH, Answer(status, "\n".join(ECHO).encode()))
    given.owes("a")
    given.drain()
    (attempt,) = given.attempts()
    head = attempt.head.decode()
    assert head.count("…") == len(ECHO)
    for form in (TOKEN, PATH, TOKEN.encode().hex(), base64.b64encode(TOKEN.encode()).decode()[:-4]):
        assert form not in head


def test_reasons_and_errors_are_kept_without_secrets(given: Given, receiver: Receiver) -> None:
    def verdict(reply: Reply) -> Any:
        return Dead(f"It said: {reply.head.decode()}")

    given.ways.channels = {"webhook": channel(verdict=verdict)}
    given.receives("a", receiver.url(PATH))
    receiver.on(PATH, Answer(500, f"no such hook: {PATH}".encode()))
    given.owes("a")
    given.drain()
    assert given.row().reason == "It said: no such hook: …"


def test_what_a_channel_cannot_render_is_told_without_secrets(given: Given, receiver: Receiver) -> None:
    def render(messages: Any, config: Any) -> Any:
        raise ValueError(f"bad address {config['url']}")

    given.ways.channels = {"webhook": channel(render=render)}
    given.receives("a", receiver.url(PATH))
    given.owes("a")
    given.drain()
    assert given.row().reason == f"could not be rendered: ValueError: bad address http://127.0.0.1:{receiver.port}…"


@pytest.mark.parametrize("key", ENTERED)
def test_every_secret_setting_of_every_channel_is_hidden(key: str) -> None:
    from integration import channels

    kind = channels.load()[key]
    config = loaded(key)
    found = set(secrets_of(kind, config))
    marked = {name for name, field in kind.config().fields.items() if field.metadata.get("secret")}
    for name in marked | ({"url"} & config.keys()):
        value = config[name]
        assert set(value.values() if isinstance(value, dict) else [value]) <= found
    assert not {"Events", "v1", "someone@example.com"} & found


def test_keys_old_and_new_are_hidden(given: Given) -> None:
    config = {"secret": "s1", "signing_key": "k1", "old_keys": [{"secret": "s0", "signing_key": "k0", "until": 5}]}
    assert Target("dst_1", channel(), config, 0, prepared=True).secrets == ("s1", "k1", "s0", "k0")
