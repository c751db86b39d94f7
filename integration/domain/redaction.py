"""What must not be shown of texts that others wrote: secrets that are known, and whatever looks like one."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "…"
#: Shorter texts are no secrets: masking them would only make an answer unreadable.
SHORTEST = 6
#: Our own secrets and keys, signatures, tokens of vendors, and what stands behind the name of a secret; what leads to it is kept.
_SECRETS = re.compile(
    r"""
    (?P<before>
        whsec_ | whsk_ | gw_live_ | gw_feed_ | \bv1a?, | \bxox[a-z]- | \bya29\. | \beyJ(?=[\w-]+\.[\w-]+\.) |
        hooks\.slack\.com/(?:services|workflows)/ | /api(?:/v\d+)?/webhooks/ |
        \b(?:bearer|basic)[ ]+ |
        \b(?:api[_-]?key|access[_-]?key|auth(?:orization)?|token|secret|passw(?:or)?d|pwd|signature|private[_-]?key)["']?\s*[:=]\s*["']?
        (?:(?:bearer|basic)[ ]+)?
    )
    [^\s"'<>&;\\]{6,}""",
    re.IGNORECASE | re.VERBOSE,
)


def redacted(text: str, known: Iterable[str] = ()) -> str:
    """The text without `known` secrets, and without what looks like one.

    >>> redacted("refused: token=abcdefgh, key gw_live_0123456789")
    'refused: token=…, key gw_live_…'
    """
    for secret in sorted({each for each in known if len(each) >= SHORTEST}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _SECRETS.sub(lambda found: found["before"] + MASK, text)
