"""Whether others can reach this Gradewire under its public address, as Zapier and its like must: asked from this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from integration.domain.errors import InvalidInput
from integration.domain.message import HttpRequest, Reply
from integration.service.readiness import Finding
from integration.wire.http import Transport

#: Why there was no answer, by the mark of the reply, and what to do about it.
_REMEDIES = {
    "resolve": "Its name is not known. Add a DNS record, or start the tunnel and use the address that it shows.",
    "connect": "Nothing answers there. Is the proxy or the tunnel running, and port 443 open in the firewall?",
    "tls": "It does not speak TLS there. Let the proxy or the tunnel serve https.",
    "certificate": "Its certificate is not one that others trust: get one (Let's Encrypt is free), with every intermediate one.",
    "timeout": "No answer came in time. Is the proxy's upstream this Gradewire, and does that run?",
    "refused": "The name leads to a private address here, which nobody outside reaches: use a public one, or a tunnel.",
}
_OTHERWISE = "Look at the log of the proxy or the tunnel."


def address_of(text: str) -> str:
    """A public address, checked in form: https, a host, no path. Raises InvalidInput with the remedy."""
    parts = urlsplit(text.strip())
    if not text.strip():
        raise InvalidInput("public_url: Set GRADEWIRE_PUBLIC_URL to the address that others use, or give it.", field="public_url")
    if parts.scheme != "https" or not parts.hostname:
        raise InvalidInput("public_url: It must begin with https://; a proxy or a tunnel does the TLS.", field="public_url")
    if parts.path.strip("/") or parts.query or parts.username:
        raise InvalidInput("public_url: Give the host alone, such as https://gradewire.example.com.", field="public_url")
    return f"https://{parts.netloc}"


def examine_public(address: str, key: str | None, transport: Transport[Any] | None = None) -> Iterator[Finding]:
    """Look at an address from `address_of`: that it is reached by TLS, answers as Gradewire does, takes a key, lets every
    method through, and shows the operator's page to nobody. The rest is not asked where nothing answers.
    """
    line = transport or Transport[Any](ports={urlsplit(address).port or 443})
    try:
        alive = _alive(address, _ask(line, f"{address}/healthz"))
        yield alive
        if alive.level == "good":
            yield _api(_ask(line, f"{address}/v1/me"))
            yield _removing(_ask(line, f"{address}/v1/hooks/none", "DELETE"))
            yield _page(_ask(line, f"{address}/"))
            if key:
                yield _key(_ask(line, f"{address}/v1/me", key=key))
    finally:
        if transport is None:
            line.close()


def _ask(line: Transport[Any], url: str, method: str = "GET", key: str | None = None) -> Reply:
    headers = ("Accept: application/json", *((f"X-Api-Key: {key}",) if key else ()))
    return line.send(HttpRequest(url, b"", method, headers))


def _alive(address: str, reply: Reply) -> Finding:
    if not reply.status:
        why = _REMEDIES.get(reply.error or "", _OTHERWISE)
        return Finding("bad", "Address", f"{address} cannot be reached ({reply.detail or reply.error}). {why}")
    if reply.status != 200 or _object(reply).get("ok") is not True:
        told = f"{address}/healthz answers {reply.status}, and not as Gradewire does. Point the proxy or the tunnel at its port."
        return Finding("bad", "Address", told)
    return Finding("good", "Address", f"{address} is reached by TLS with a good certificate, and Gradewire answers.")


def _api(reply: Reply) -> Finding:
    if reply.status == 401 and "error" in _object(reply):
        return Finding("good", "API", "It asks for a key.")
    told = f"Without a key it answers {reply.status}, not 401: something before Gradewire answers in its place. {_LET_THROUGH}"
    return Finding("bad", "API", told)


_LET_THROUGH = "Let it pass /v1/ as it is, without a login or a browser check of its own."


def _removing(reply: Reply) -> Finding:
    if reply.status == 401:
        return Finding("good", "Methods", "DELETE comes through: Zaps can unsubscribe.")
    return Finding("bad", "Methods", f"DELETE is answered with {reply.status}. Let the proxy pass every method to /v1/.")


def _page(reply: Reply) -> Finding:
    if reply.status in (301, 302, 303, 307, 308, 401, 403, 404):
        return Finding("good", "Page", "It asks whoever comes from outside for a key.")
    told = f"The page answers {reply.status} without a key: whoever knows the address sees it. Run the Procfile's `web` instead."
    return Finding("bad", "Page", told)


def _key(reply: Reply) -> Finding:
    if reply.status == 200:
        return Finding("good", "Key", f"It is taken: {_object(reply).get('email')}.")
    told = f"/v1/me answers {reply.status} to the key. Does it belong to this Gradewire, and does X-Api-Key come through?"
    return Finding("bad", "Key", told)


def _object(reply: Reply) -> dict[str, Any]:
    try:
        found = json.loads(reply.head)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
