"""What the doctor says of a public address: served over real TLS, by Gradewire or by something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from integration.cli import main
from integration.config import load
from integration.domain.errors import InvalidInput
from integration.service import accounts
from integration.service.reachable import address_of, examine_public
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.secrets import Vault
from integration.web import create_app
from integration.wire.http import Transport
from tests.peers.tls import Authority
from tests.servers import free_port


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def served(app: Any, authority: Authority, **certificate: Any) -> Iterator[str]:
    """An application at an address of this machine, over TLS."""
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=authority.server(**certificate))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def look(authority: Authority) -> Callable[..., dict[str, tuple[str, str]]]:
    """What is found at an address, by what was looked at. Others would not be let into this machine; here that is allowed."""

    def look(address: str, key: str | None = None) -> dict[str, tuple[str, str]]:
        with closing(Transport[Any](allow_private=True, ca_file=str(authority.file), total_ms=5_000)) as line:
            return {finding.what: (finding.level, finding.text) for finding in examine_public(address, key, line)}

    return look


@pytest.fixture
def gradewire(sqlite_database: Database) -> Gradewire:
    return Gradewire(load({}), sqlite_database, Vault([Fernet.generate_key().decode()]))


def test_a_gradewire_that_others_reach_is_found_good(gradewire: Gradewire, authority: Authority, look) -> None:
    key = accounts.create_key(gradewire, "ada@example.com")
    with served(create_app(gradewire), authority) as address:
        found = look(address, key)
        assert {what: level for what, (level, _) in found.items()} == dict.fromkeys(
            ("Address", "API", "Methods", "Page", "Key"), "good"
        )
        assert "ada@example.com" in found["Key"][1]
        assert key not in str(found)
        assert look(address, "gw_live_other")["Key"][0] == "bad"
        assert "Key" not in look(address)


def test_an_open_page_is_found(gradewire: Gradewire, authority: Authority, look) -> None:
    with served(create_app(gradewire, open_page=True), authority) as address:  # asked from this machine itself, so it shows
        level, text = look(address)["Page"]
    assert level == "bad"
    assert "web" in text


def test_a_proxy_that_stands_in_the_way_is_found(authority: Authority, look) -> None:
    @Request.application
    def proxy(request: Request) -> Response:
        if request.path == "/healthz":
            return Response('{"ok": true}', mimetype="application/json")
        return Response("Log in first", 403 if request.method == "DELETE" else 200)

    with served(proxy, authority) as address:
        found = look(address)
    assert [found[what][0] for what in ("Address", "API", "Methods")] == ["good", "bad", "bad"]
    assert "without a login" in found["API"][1]


def test_another_server_at_the_address_is_found(authority: Authority, look) -> None:
    with served(Response("It works!"), authority) as address:
        (level, text), *more = look(address).values()
    assert level == "bad"
    assert "not as Gradewire does" in text
    assert not more


def test_a_bad_certificate_and_an_address_without_an_answer_are_named_with_the_remedy(authority: Authority, look) -> None:
    with served(Response("no"), authority, self_signed=True) as address:
        assert "Let's Encrypt" in look(address)["Address"][1]
    assert "Nothing answers there" in look(f"https://127.0.0.1:{free_port()}")["Address"][1]
    assert "DNS record" in look("https://gradewire.invalid")["Address"][1]


@pytest.mark.parametrize("text", ["", "http://gradewire.example.com", "gradewire.example.com", "https://", "https://a.example/x"])
def test_an_address_that_is_none_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        address_of(text)
    assert refused.value.field == "public_url"


def test_the_doctor_finds_that_a_private_address_is_not_public(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADEWIRE_DATA", str(tmp_path))
    monkeypatch.setenv("GRADEWIRE_PUBLIC_URL", f"https://127.0.0.1:{free_port()}")
    for arguments in (["--public"], ["--public", "https://192.168.0.7"]):
        ended = CliRunner().invoke(main, ["doctor", *arguments])
        assert ended.exit_code == 1
        assert "private address" in ended.output
    monkeypatch.delenv("GRADEWIRE_PUBLIC_URL")
    ended = CliRunner().invoke(main, ["doctor", "--public"])
    assert (ended.exit_code, "GRADEWIRE_PUBLIC_URL" in ended.output) == (1, True)
