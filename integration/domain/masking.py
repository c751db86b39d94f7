"""Secrets taken out of what others answered, in whatever form they sent them back."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

MASK = "…"
#: What is shorter is no secret, and would be found by chance.
SHORTEST = 4
#: Parts of a path that look like a token rather than like a word.
_TOKEN = re.compile(r"(?=.*\d).{8,}|.{16,}")
#: An answer of this length was cut there.
CUT = 4 * 1024
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
#: Destinations whose forms are kept at hand.
_KEPT = 1_024


def masked(head: bytes, secrets: Sequence[str]) -> bytes:
    """The start of an answer without these secrets: as they are, quoted, escaped, in hexadecimal, or in base64 at any
    place within it. A secret that the end of `head` cuts off is found by its beginning."""
    if len(head) < SHORTEST:
        return head
    mask, cut = MASK.encode(), len(head) >= CUT
    for form in _forms(tuple(secrets)):
        if form in head:
            head = head.replace(form, mask)
        if cut and (torn := _torn(head, form)):
            head, cut = head[:-torn] + mask, False
    return head


def masked_text(text: str, secrets: Sequence[str]) -> str:
    """The same for a text."""
    return masked(text.encode("utf-8", "surrogatepass"), secrets).decode("utf-8", "surrogatepass")


def needles(secret: str) -> list[str]:
    """What to look for so that a secret is not seen: the parts of it that are as good as the whole.

    Of an address these are its path, the values of its query, and the parts of the path that look like tokens; of
    "whsec_…" and "Bearer …" what follows; of a key of several lines each line. What is shorter than four characters is none.
    """
    if re.match(r"https?://", secret):
        address = urlsplit(secret)
        found = [address.path, *(value for _name, value in parse_qsl(address.query))]
        found += [part for part in address.path.split("/") if _TOKEN.fullmatch(part)]
    else:
        bare = re.sub(r"^wh(sec|sk)_", "", secret)
        found = [word for word in bare.split() if len(word) >= 8] or [bare]
    return [part for part in dict.fromkeys(found) if len(part) >= SHORTEST]


@lru_cache(maxsize=_KEPT)
def _forms(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    """Every form of every secret, the longest first."""
    forms = {form for secret in secrets for part in needles(secret) for form in _forms_of(part) if len(form) >= SHORTEST}
    return tuple(sorted(forms, key=len, reverse=True))


def _forms_of(secret: str) -> Iterator[bytes]:
    raw = secret.encode("utf-8", "replace")
    secret, escaped = raw.decode(), json.dumps(secret)[1:-1]
    yield raw
    for text in (
        quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret), escaped, escaped.replace("/", "\\/"),
        re.sub("[<>&'+=]", lambda found: f"\\u{ord(found[0]):04x}", escaped),
    ):  # fmt: skip
        yield text.encode()
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text).encode()
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for before in range(3):  # where it lies within what was encoded decides what it looks like; its ends mix with what is beside
        encoded = base64.b64encode(b"\0" * before + raw)[(0, 2, 3)[before] :]
        encoded = encoded[: len(encoded) - (0, 3, 2)[(before + len(raw)) % 3]]
        yield encoded
        yield encoded.translate(_URL_SAFE)


def _torn(head: bytes, form: bytes) -> int:
    """How many bytes at the end of `head` are the beginning of a form."""
    start = head.find(form[:SHORTEST], max(len(head) - len(form) + 1, 0))
    while start >= 0 and not form.startswith(head[start:]):
        start = head.find(form[:SHORTEST], start + 1)
    return len(head) - start if start >= 0 else 0
