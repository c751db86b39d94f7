"""Logs: on stderr, a JSON object a line for programs, or lines for people. Whatever is said, no secret is shown."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Collection
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import structlog
from structlog.typing import EventDict, Processor

from integration.config import SETTINGS, Settings

#: They tell of every tick or request: only what is wrong is of interest.
NOISY = ("celery.app.trace", "celery.worker.strategy", "celery.beat", "kombu", "amqp", "urllib3", "alembic", "asyncio")
MASK = "***"
_configured = False
#: What secrets look like wherever they come from, after the words that announce one; a group before a secret stays. Looking
#: for the words first is many times cheaper, and most lines have none.
SHAPES = tuple(
    (words, re.compile(shape))
    for words, shape in (
        (("://",), r"(://[^\s:/@\"]*:)[^\s@\"]+(?=@)"),
        (
            ("whs", "gw_live_", "gw_feed_", "xox", "xapp-", "ya29.", "gAAAA"),
            r"(whs[kec]{1,2}_|gw_live_|gw_feed_|xox[a-z]-|xapp-|ya29\.|gAAAA)[\w+/=.-]{8,}",
        ),
        (("tm-",), r"(tm-)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        (("hooks.", "/api/webhooks/"), r"(hooks\.(?:slack|zapier)\.com/|/api/webhooks/)[^\s\"']+"),
        (("/inbox/webhook/",), r"(/inbox/webhook/)[\w-]+"),
        (("earer ", "asic "), r"([Bb]earer |[Bb]asic )[\w+/=.~-]{8,}"),
        (("PRIVATE KEY",), r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)[\s\S]*?(?:-----END|$)"),
        (
            ('secret"', 'password"', 'token"', 'api_key"', 'authorization"', 'private_key"'),
            r"(\"[a-z_]*(?:secret|password|token|api_key|authorization|private_key)\": ?\")(?:[^\"\\]|\\.)+",
        ),
    )
)


class Renderer:
    """The last step of every line: made into text, then masked."""

    def __init__(self, *, as_json: bool, secrets: Collection[str] = ()) -> None:
        self._console = None if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        spellings = set(secrets) | {spell(secret)[1:-1] for secret in secrets for spell in (repr, json.dumps, _json)}
        self._known = sorted(spellings, key=len, reverse=True)  # the longest first: one may be within another

    def __call__(self, logger: Any, name: str, line: EventDict) -> str:
        """A line as text without secrets."""
        return self.mask(str(self._console(logger, name, line)) if self._console else _json(line))

    def mask(self, text: str) -> str:
        """The text with every secret replaced: those of the settings, and whatever looks like one."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        for words, shape in SHAPES:
            if any(word in text for word in words):
                text = shape.sub(lambda found: found[1] + MASK, text)
        return text


def _json(line: Any) -> str:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a number beyond 64 bits, half a character
        return json.dumps(line, default=str)


def configure(settings: Settings, default: str = "info") -> None:
    """Log as the settings say, at `default` where they say nothing; the libraries' own lines take the same way."""
    form = settings["log_format"] or ("console" if sys.stderr.isatty() else "json")
    level = logging.getLevelNamesMapping()[(settings["log_level"] or default).upper()]
    renderer = Renderer(as_json=form == "json", secrets=_secrets(settings))
    _say(renderer, level)
    _listen(renderer, level)
    global _configured
    _configured = True


def _secrets(settings: Settings) -> set[str]:
    """The settings' secrets, as far as they are long enough to be told from words; of an address, its password."""
    parts: set[str] = set()
    for value in (str(settings[each.name]) for each in SETTINGS if each.secret):
        password = urlsplit(value).password if "://" in value else None
        parts |= {password, unquote(password)} if password else set() if "://" in value else set(value.split(","))
    return {part.strip() for part in parts if len(part.strip()) >= 6}


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what is stderr at the time."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        self.stream = sys.stderr
        super().emit(record)


_FIRST: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper("iso", utc=True),
]
_handler = _Stderr()


def _say(renderer: Renderer, level: int) -> None:
    structlog.configure(
        processors=[*_FIRST, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_names: structlog.WriteLogger(sys.stderr),
    )


def _listen(renderer: Renderer, level: int) -> None:
    clean = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    last: list[Processor] = [clean, structlog.processors.format_exc_info, renderer]
    _handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=last, foreign_pre_chain=_FIRST))
    root = logging.getLogger()
    root.removeHandler(_handler)
    root.addHandler(_handler)
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def configured() -> bool:
    """Whether this process was told how to log."""
    return _configured


def is_debug() -> bool:
    """Whether the finest lines are wanted: asked once by whoever would have many."""
    return bool(structlog.get_logger().is_enabled_for(logging.DEBUG))


# Who says nothing about logs gets warnings.
_say(Renderer(as_json=False), logging.WARNING)
