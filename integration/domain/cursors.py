"""Cursors of the list of events: a place in their order, as text for others to keep.

A cursor names the number (seq) of the last event that was passed, and carries a mark of that event: a number alone would also
fit another database, or the same one after a restore, and its reader would miss events without a word.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from integration.domain.errors import BadCursor

_SEQ, _MARK = 6, 6
_LENGTH = 16
#: Before the first event.
START = 0


def mark(event_id: str) -> bytes:
    """What a cursor remembers of an event; of none, for the place before the first, zeros."""
    return hashlib.sha256(event_id.encode()).digest()[:_MARK] if event_id else bytes(_MARK)


def cursor(seq: int, event_id: str) -> str:
    """The place after an event, as 16 characters that are safe in a URL.

    >>> cursor(0, "")
    'AAAAAAAAAAAAAAAA'
    """
    return base64.urlsafe_b64encode(seq.to_bytes(_SEQ) + mark(event_id)).decode()


def parse(text: str) -> tuple[int, bytes]:
    """(seq, mark) of a cursor; raises BadCursor where it is none."""
    try:
        value = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(text) != _LENGTH or len(value) != _SEQ + _MARK:
        raise BadCursor("cursor: This is no cursor. Send one that an answer gave, or leave it out to begin anew.")
    return int.from_bytes(value[:_SEQ]), value[_SEQ:]
