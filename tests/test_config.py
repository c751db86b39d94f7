from __future__ import annotations

from pathlib import Path

import pytest

from integration.config import load
from integration.domain.errors import Misconfigured


def test_without_a_key_the_sandbox_is_the_upstream_and_has_its_own_database() -> None:
    assert load({}).sandbox
    assert load({}).database_url.endswith("sandbox.db")
    assert load({"TOKENMETRICS_API_KEY": "tm-1"}).database_url.endswith("gradewire.db")


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("tm-from-file\n", encoding="utf-8")
    assert load({"TOKENMETRICS_API_KEY_FILE": str(file)})["tokenmetrics_api_key"] == "tm-from-file"


def test_a_missing_secret_file_is_named() -> None:
    with pytest.raises(Misconfigured, match="TOKENMETRICS_API_KEY_FILE"):
        load({"TOKENMETRICS_API_KEY_FILE": "/nowhere/key"})


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("PORT", "many", "PORT"),
        ("GRADEWIRE_PLAN", "gold", "free, advanced, premium, vip"),
        ("TOKENMETRICS_VERSION", "v1", "v2 or v3"),
        ("GRADEWIRE_ALLOW_PRIVATE", "maybe", "1 or 0"),
        ("GRADEWIRE_ALLOW_PORTS", "all", "comma separated"),
        ("GRADEWIRE_ALLOW_PORTS", "80,70000", "comma separated"),
        ("GRADEWIRE_ALLOW_PORTS", "0", "comma separated"),
        ("GRADEWIRE_EGRESS_PROXY", "proxy.internal:3128", "socks5h://host:port"),
        ("GRADEWIRE_EGRESS_PROXY", "socks5://proxy.internal:1080", "socks5h://host:port"),
        ("GRADEWIRE_EGRESS_PROXY", "http://proxy.internal:x", "GRADEWIRE_EGRESS_PROXY"),
    ],
)
def test_a_wrong_value_is_answered_with_the_variable_and_the_remedy(variable: str, value: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        load({variable: value})


def test_ports_are_a_list() -> None:
    assert load({})["allow_ports"] == ()
    assert load({"GRADEWIRE_ALLOW_PORTS": "8443, 80,80"})["allow_ports"] == (80, 8443)


def test_a_proxy_with_a_password_is_not_repeated() -> None:
    assert load({"GRADEWIRE_EGRESS_PROXY": "http://a:b@proxy:3128"})["egress_proxy"] == "http://a:b@proxy:3128"
    with pytest.raises(Misconfigured) as raised:
        load({"GRADEWIRE_EGRESS_PROXY": "ftp://a:hunter2@proxy"})
    assert "hunter2" not in raised.value.message


def test_a_wrong_secret_is_not_repeated() -> None:
    assert "hunter2" not in str(load({"DATABASE_URL": "sqlite:///x", "GRADEWIRE_SMTP_PASSWORD": "hunter2"}).replace().upstream)


def test_the_plan_gives_the_calls_unless_they_are_set() -> None:
    assert load({"GRADEWIRE_PLAN": "advanced"}).calls == (20_000, 60)
    assert load({"GRADEWIRE_PLAN": "advanced", "GRADEWIRE_CALLS_PER_MONTH": "500"}).calls == (500, 60)
    assert load({}).withheld_days == 30
    assert load({"GRADEWIRE_WITHHELD_DAYS": "0"}).withheld_days == 0
