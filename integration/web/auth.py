"""Who asks: an API key for programs; for people the same key in a form, or being at this very machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import g, request, session

from integration.domain.errors import InvalidInput, Unauthenticated
from integration.service.accounts import authenticate, recognise
from integration.service.wiring import Gradewire
from integration.store.secrets import key_hash
from integration.web.limits import SlidingWindow

#: Where one of these is, a proxy or a tunnel sent the request, whatever address and host it shows.
_PROXIED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_KEY = "key_hash"


def key_sent() -> str | None:
    """The key of the request: X-Api-Key, else a bearer token."""
    return request.headers.get("X-Api-Key", "").strip() or bearer()


def bearer() -> str | None:
    """The bearer token of the request."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else "") or None


def require_key(gradewire: Gradewire, window: SlidingWindow) -> None:
    """Let a request of the API pass only with a live key, and not too often. `g.owner` is who it belongs to."""
    if request.method == "OPTIONS":
        return
    g.owner = authenticate(gradewire, key_sent())
    window.check(g.owner.key_id, gradewire.now())


# -- the page --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at the page: an account, or the operator at this machine, who sees all (both fields None)."""

    account_id: str | None = None
    email: str | None = None

    @property
    def is_operator(self) -> bool:
        """Whether it is the operator."""
        return self.account_id is None


def require_viewer(gradewire: Gradewire, *, open_page: bool) -> None:
    """Let a request of the page pass for the operator or with a session; Unauthenticated otherwise. Sets `g.viewer`."""
    if open_page and from_here():
        g.viewer = Viewer()
        return
    if _KEY not in session:
        raise Unauthenticated
    owner = recognise(gradewire, bytes.fromhex(session[_KEY]))
    g.viewer = Viewer(owner.account_id, owner.email)


def from_here() -> bool:
    """Whether the request comes straight from this machine, and was meant for it: another site's name that leads here
    (DNS rebinding) or a proxy's request is not."""
    if any(name in request.headers for name in _PROXIED):
        return False
    try:
        near = ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
    return near and urlsplit(f"//{request.host}").hostname in _LOCAL_NAMES


def from_own_page() -> bool:
    """Whether a form was sent by this page, not by another site."""
    origin = request.headers.get("Origin")
    return not origin or urlsplit(origin).netloc == request.host


def log_in(gradewire: Gradewire, key: str) -> None:
    """Begin a session with a key. Raises InvalidInput where it is not a live one."""
    if not from_own_page():
        raise InvalidInput("This form was sent by another site.", field="key")
    try:
        authenticate(gradewire, key.strip())
    except Unauthenticated as error:
        raise InvalidInput("This key is unknown or revoked.", field="key") from error
    session.clear()
    session[_KEY] = key_hash(key.strip()).hex()  # never the key itself: a cookie is signed, not secret


def safe_next(path: str) -> str:
    """A path of this page to go on with, whatever was asked for."""
    return path if re.fullmatch(r"/(?!/)[\w/.-]*", path) else "/"
