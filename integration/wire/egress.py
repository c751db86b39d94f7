"""The way out through a proxy of the operator's, where nothing else may leave their network."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pycurl

from integration.domain.message import Reply
from integration.wire.http import Transport
from integration.wire.transfer import Transfer

Tag = TypeVar("Tag")

#: How long a target may be looked up before the proxy is asked all the same.
LOOK_UP_MS = 2_000
_SUPPRESS_CONNECT_HEADERS = 265  # CURLOPT_SUPPRESS_CONNECT_HEADERS, which pycurl has no name for
_PORTS = {"http": 80, "https": 443, "socks5h": 1080}
#: An address as libcurl has read it: that is what the proxy is told.
_PLAIN = re.compile(r"(https?)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(?:[/?].*)?", re.IGNORECASE | re.DOTALL)
_LOOKED_UP = (pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_OPERATION_TIMEDOUT)
_PROXY_FAILED = (
    pycurl.E_COULDNT_RESOLVE_PROXY, pycurl.E_COULDNT_CONNECT, pycurl.E_GOT_NOTHING, pycurl.E_SEND_ERROR, pycurl.E_RECV_ERROR,
    97,  # CURLE_PROXY, which pycurl has no name for
)  # fmt: skip


class ProxiedTransport(Transport[Tag]):
    """A transport all of whose sockets lead to one proxy: http or https (CONNECT), or socks5h.

    The proxy looks names up, so the socket that opens here says nothing of the target. Therefore each request is scouted
    first: libcurl looks its host up here as it would without a proxy, and opens nothing. An address literal, however it is
    written, and a name with any address that the policy refuses end there. A name that cannot be looked up here goes to
    the proxy; and as a name may lead elsewhere a moment later, the proxy must refuse private addresses itself.
    """

    def __init__(self, proxy: str, **options: Any) -> None:
        super().__init__(**options)
        self._proxy, parts = proxy, urlsplit(proxy)
        self._proxy_port = parts.port or _PORTS[parts.scheme]
        self._options += [
            (pycurl.HTTPPROXYTUNNEL, 1),
            (_SUPPRESS_CONNECT_HEADERS, 1),
            (pycurl.PROXY_CAINFO, self.ca_file),
        ]

    def _begin(self, transfer: Transfer) -> None:
        transfer.scouting, transfer.objection = True, self._objection
        transfer.curl.setopt(pycurl.PROXY, "")
        transfer.curl.setopt(pycurl.TIMEOUT_MS, min(LOOK_UP_MS, self.total_ms))
        super()._begin(transfer)

    def _goes_on(self, transfer: Transfer, number: int) -> bool:
        if not transfer.scouting or transfer.refused or number not in _LOOKED_UP:
            return False
        curl = transfer.curl
        transfer.refused = self._port_objection(curl.getinfo(pycurl.EFFECTIVE_URL))
        if transfer.refused:
            return False
        left = self.total_ms - int(curl.getinfo(pycurl.TOTAL_TIME) * 1000)
        transfer.scouting, transfer.objection = False, self._other_than_proxy
        self._multi.remove_handle(curl)
        curl.setopt(pycurl.PROXY, self._proxy)
        curl.setopt(pycurl.TIMEOUT_MS, max(left, 1))
        self._multi.add_handle(curl)
        return True

    def _reply(self, transfer: Transfer, number: int, text: str) -> Reply:
        reply = super()._reply(transfer, number, text)
        if transfer.refused or reply.ambiguous or number not in _PROXY_FAILED:
            return reply
        answer = transfer.curl.getinfo(pycurl.HTTP_CONNECTCODE)
        return replace(reply, error="proxy", detail=f"It answered {answer}." if answer else "")

    def _port_objection(self, url: str) -> str:
        """A name that cannot be looked up here has no address to ask about; its port can be seen all the same."""
        plain = _PLAIN.fullmatch(url)
        if plain is None:
            return "the address is written in an unusual way"
        return self.policy.port_objection(int(plain[2] or _PORTS[plain[1].lower()]))

    def _other_than_proxy(self, _address: str, port: int) -> str:
        return "" if port == self._proxy_port else "only the proxy is dialled"
