"""Settings, as one list: each has a name, a type, a default and a sentence of help. README's table is made from it.

Every setting comes from the environment as GRADEWIRE_<NAME>; a secret may instead come from the file that
GRADEWIRE_<NAME>_FILE names. A few have names of their own that people expect (`env`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from integration.domain.errors import Misconfigured


def _flag(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("use 1 or 0")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `type` turns its text into a value and raises ValueError with the remedy."""

    name: str
    type: Callable[[str], Any]
    default: Any
    help: str
    env: str = ""
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable it is read from."""
        return self.env or f"GRADEWIRE_{self.name.upper()}"


#: Published plans, each with what is in those before it (calls a month, calls a minute, newest days withheld); the vendor's
#: figures disagree, so all can be set.
PLANS: dict[str, tuple[int, int, int]] = {
    "free": (5_000, 20, 30),
    "advanced": (20_000, 60, 0),
    "premium": (100_000, 180, 0),
    "vip": (500_000, 600, 0),
}


def _plan(text: str) -> str:
    if text not in PLANS:
        raise ValueError(f"use one of {', '.join(PLANS)}")
    return text


def _share(text: str) -> int:
    if not 0 <= int(text) <= 90:
        raise ValueError("use 0 to 90")
    return int(text)


def _places(text: str) -> int:
    if not 0 <= int(text) <= 1_000:
        raise ValueError("use 0 to 1000")
    return int(text)


def _security(text: str) -> str:
    if text not in ("starttls", "tls", "none"):
        raise ValueError("use starttls, tls or none")
    return text


def _version(text: str) -> str:
    if text not in ("v2", "v3"):
        raise ValueError("use v2 or v3")
    return text


def _broker(text: str) -> str:
    if text.partition("://")[0] not in ("redis", "rediss", "amqp", "amqps"):
        raise ValueError("begin with redis://, rediss://, amqp:// or amqps://")
    return text


def _level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("use debug, info, warning or error")
    return text.lower()


def _format(text: str) -> str:
    if text not in ("json", "console"):
        raise ValueError("use json or console")
    return text


def _days(least: int) -> Callable[[str], int]:
    """A number of days. Less than `least` would take from under what is still being tried, held or offered for replay."""

    def days(text: str) -> int:
        if int(text) < least:
            raise ValueError(f"use {least} days or more")
        return int(text)

    return days


def _ports(text: str) -> tuple[int, ...]:
    ports = tuple(sorted({int(part) for part in text.split(",")})) if re.fullmatch(r"[\d, ]+", text) else ()
    if not ports or not 0 < ports[0] <= ports[-1] < 65_536:
        raise ValueError("use ports, comma separated: 80,8443")
    return ports


def _proxy(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https", "socks5h") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("use http://host:port, https://host:port or socks5h://host:port")
    parts.port  # noqa: B018 (it raises ValueError for a port that is none)
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "tokenmetrics_api_key",
        str,
        "",
        "Token Metrics API key; without one the sandbox market is polled",
        "TOKENMETRICS_API_KEY",
        True,
    ),
    Setting("tokenmetrics_url", str, "https://api.tokenmetrics.com", "Base address of the Token Metrics API", "TOKENMETRICS_URL"),
    Setting("tokenmetrics_version", _version, "v2", "Version of the Token Metrics API: v2 or v3", "TOKENMETRICS_VERSION"),
    Setting("plan", _plan, "free", "Your Token Metrics plan: free, advanced, premium or vip"),
    Setting("calls_per_month", int, 0, "Calls a month Gradewire may make; 0 means the plan's"),
    Setting("calls_per_minute", int, 0, "Calls a minute Gradewire may make; 0 means the plan's"),
    Setting("withheld_days", int, -1, "Newest days that the plan withholds; -1 means the plan's"),
    Setting("reserve_percent", _share, 10, "Share of the plan's calls that polling leaves to people, in percent, 0 to 90"),
    Setting("watched_tokens", int, 50, "Most tokens that may be watched through sources that are read token by token"),
    Setting(
        "database_url",
        str,
        "",
        "SQLite or PostgreSQL; empty means sandbox.db or gradewire.db in the data folder",
        "DATABASE_URL",
        True,
    ),
    Setting(
        "broker_url",
        _broker,
        "",
        "Broker: redis://, rediss://, amqp:// or amqps://; empty means REDIS_URL, or that everything runs in one process",
        "",
        True,
    ),
    Setting("redis_url", str, "", "Redis as broker, where GRADEWIRE_BROKER_URL names none", "REDIS_URL", True),
    Setting("data", Path, Path(".gradewire"), "Folder for the database and the key of an embedded Gradewire"),
    Setting(
        "secret_key",
        str,
        "",
        "Key (or keys, comma separated, newest first) that secrets are encrypted with; empty means a file made at first start",
        "",
        True,
    ),
    Setting("host", str, "127.0.0.1", "Address to listen on"),
    Setting("port", int, 8377, "Port to listen on", "PORT"),
    Setting("streams", _places, 4, "Event streams that may be open at once in one web process; each takes one of its threads"),
    Setting("public_url", str, "", "Address under which others reach this Gradewire, for links"),
    Setting(
        "allow_private", _flag, False, "Let deliveries reach private and loopback addresses (and plain http); only for trying out"
    ),
    Setting(
        "destination_rate",
        float,
        0.0,
        "Requests a second to a destination that has no limit of its own; 0 means 10, or 1000 where the market is sped up",
    ),
    Setting(
        "metrics_token",
        str,
        "",
        "Token that /metrics asks for (Authorization: Bearer …); empty means that it answers this machine only",
        "",
        True,
    ),
    Setting("ifttt_service_key", str, "", "Service key of your IFTTT service; with it /ifttt/v1 answers", "", True),
    Setting(
        "ifttt_url",
        str,
        "https://realtime.ifttt.com/v1/notifications",
        "Where IFTTT is told that there is something new; empty means not at all",
    ),
    Setting("log_level", _level, "", "debug, info, warning or error; empty means info, and less for `gradewire up` and commands"),
    Setting("log_format", _format, "", "json or console; empty means console at a terminal and json elsewhere"),
    Setting("keep_attempts", _days(7), 30, "Days that attempts with the start of their answers are kept"),
    Setting("keep_deliveries", _days(30), 90, "Days that deliveries are kept once they are settled"),
    Setting("keep_payloads", _days(30), 400, "Days that events are kept whole and in feeds; what says which they were stays"),
    Setting("keep_inbox", _days(1), 30, "Days that the inboxes for trying out keep mails and webhooks"),
    Setting("keep_notes", _days(30), 90, "Days that upstream calls, notices, spoilt answers and finished jobs are kept"),
    Setting("allow_ports", _ports, (), "Ports that deliveries may call beside 443, comma separated; 80 also allows plain http"),
    Setting(
        "egress_proxy",
        _proxy,
        "",
        "Proxy that deliveries leave through: http://, https:// or socks5h://host:port; it must itself refuse private addresses",
        "",
        True,
    ),
    Setting("smtp_host", str, "", "Mail server for outgoing e-mail"),
    Setting("smtp_port", int, 587, "Its port"),
    Setting("smtp_user", str, "", "User name at the mail server"),
    Setting("smtp_password", str, "", "Password at the mail server", "", True),
    Setting("smtp_security", _security, "starttls", "starttls, tls or none"),
    Setting("smtp_sender", str, "Gradewire <gradewire@localhost.localdomain>", "Sender of outgoing e-mail"),
    Setting("sandbox_day", str, "5s", "How long a market day of the sandbox takes: 5s, 1m, 24h"),
    Setting("sandbox_tokens", int, 200, "Tokens in the sandbox market, 40 to 6000"),
    Setting("sandbox_replay", str, "", "Folder of price files (SYMBOL.csv) to replay instead of the sandbox's own market"),
    Setting("sandbox_key", str, "", "Key for a sandbox that runs elsewhere, at TOKENMETRICS_URL"),
    Setting("speed", float, 1.0, "Market seconds in a second, where the upstream is a fast sandbox"),
    Setting("market_start", int, 0, "Market time (ms) at market_anchor, where the upstream is a fast sandbox"),
    Setting("market_anchor", int, 0, "Wall time (ms) at which the market stood at market_start"),
)


@dataclass(frozen=True)
class Settings:
    """The settings in force, by name: `settings["port"]`."""

    values: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def replace(self, **changes: Any) -> Settings:
        """The same settings with some changed."""
        return Settings({**self.values, **changes})

    @property
    def broker(self) -> str:
        """The broker's URL; empty where everything runs in one process."""
        return str(self["broker_url"] or self["redis_url"])

    @property
    def sandbox(self) -> bool:
        """Whether the upstream is the sandbox market."""
        return not self["tokenmetrics_api_key"]

    @property
    def upstream(self) -> str:
        """What the readings come from; a database holds readings of one upstream only."""
        if not self.sandbox:
            return "Token Metrics"
        if self["sandbox_replay"]:
            return f"a sandbox that replays {Path(self['sandbox_replay']).name}"
        return f"a sandbox of {self['sandbox_tokens']} tokens"

    @property
    def calls(self) -> tuple[int, int]:
        """Calls a month and calls a minute that may be made."""
        month, minute, _ = PLANS[self["plan"]]
        return self["calls_per_month"] or month, self["calls_per_minute"] or minute

    def includes(self, plan: str) -> bool:
        """Whether the plan in force has what begins with another."""
        return list(PLANS).index(self["plan"]) >= list(PLANS).index(plan)

    @property
    def withheld_days(self) -> int:
        """Newest days that the plan withholds."""
        return PLANS[self["plan"]][2] if self["withheld_days"] < 0 else int(self["withheld_days"])

    @property
    def database_url(self) -> str:
        """The database's URL: the one set, else a file in the data folder named after the upstream."""
        if self["database_url"]:
            return str(self["database_url"])
        name = "sandbox.db" if self.sandbox else "gradewire.db"
        return f"sqlite:///{Path(self['data']).absolute() / name}"


def _text(setting: Setting, environment: Mapping[str, str]) -> str | None:
    file = environment.get(f"{setting.variable}_FILE") if setting.secret else None
    if file:
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Misconfigured(f"{setting.variable}_FILE: {error.strerror}.", field=setting.name) from error
    return environment.get(setting.variable)


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment. Raises Misconfigured naming the variable and the remedy."""
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = _text(setting, environment)
        try:
            values[setting.name] = setting.default if text is None or text == "" else setting.type(text)
        except ValueError as error:
            shown = "its value" if setting.secret else repr(text)
            raise Misconfigured(f"{setting.variable}: {shown} is not valid: {error}.", field=setting.name) from error
    return Settings(values)
