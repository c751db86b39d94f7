"""Canonical options and computed ids: the same question has one text, the same event one id, everywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        raise ValueError("a canonical number is finite")
    text = format(Decimal(repr(value)).normalize(), "f")
    return "0" if text in ("-0", "0") else text


def canonical(value: Any) -> str:
    """One text for one value: keys sorted, sets sorted, numbers as the shortest normalised decimal (1 and 1.0 agree).

    >>> canonical({"b": 1.0, "a": {3, 2}})
    '{"a":[2,3],"b":1}'
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(str(k), ensure_ascii=False)}:{canonical(value[k])}" for k in sorted(value)) + "}"
    if isinstance(value, set | frozenset):
        return "[" + ",".join(canonical(v) for v in sorted(value)) + "]"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    raise TypeError(f"no canonical form for {type(value).__name__}")


def _id(prefix: str, *parts: str) -> str:
    digest = hashlib.sha256("\n".join(parts).encode()).digest()[:16]
    return prefix + base64.b32encode(digest).decode().rstrip("=").lower()


def event_id(trigger: str, semantics: int, options: str, subject: str, as_of: int) -> str:
    """`evt_` and 26 base32 characters of SHA-256 over trigger, semantics, canonical options, subject and as_of (ms)."""
    return _id("evt_", trigger, str(semantics), options, subject, str(as_of))


def digest_id(ids: Iterable[str]) -> str:
    """`dig_` …: a digest is its members, in whatever order."""
    return _id("dig_", *sorted(ids))


def bundle_id(ids: Iterable[str]) -> str:
    """`bnd_` …: likewise a bundle, which is another thing of the same members."""
    return _id("bnd_", *sorted(ids))


def rule_id(trigger: str, semantics: int, options: str) -> str:
    """`rul_` …: a rule is the condition only, so all who ask the same share it."""
    return _id("rul_", trigger, str(semantics), options)


def feed_id(rule: str, scope: str) -> str:
    """`fed_` …: a feed is a rule seen through a scope."""
    return _id("fed_", rule, scope)
