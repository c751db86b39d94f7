"""Answers that are not sent again: a tag says what an answer is made of, and who has it already is told so."""

from __future__ import annotations

import hashlib

from flask import Response, request


def tag_of(*parts: object) -> str:
    """The weak tag of an answer that is wholly made of some parts."""
    return f'W/"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def is_known(tag: str) -> bool:
    """Whether who asks has the answer with this tag."""
    sent = request.headers.get("If-None-Match")
    return sent is not None and (sent == tag or request.if_none_match.contains_weak(tag[3:-1]))


def not_modified(tag: str) -> Response:
    """304."""
    answer = Response(status=304)
    answer.headers["ETag"] = tag
    return answer
