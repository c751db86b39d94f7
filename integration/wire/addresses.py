"""Where sockets may lead. Asked of the address of a socket that is about to open, never of a name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

#: Special ranges that Python's `is_global` and `is_reserved` let through: 6to4 and its relay, IETF assignments,
#: site-local, segment routing, documentation.
_EXTRA = tuple(
    ip_network(network) for network in ("2002::/16", "192.88.99.0/24", "192.0.0.0/24", "fec0::/10", "5f00::/16", "3fff::/20")
)


@lru_cache(maxsize=10_000)
def may_dial(text: str) -> bool:
    """Whether an address literal is public. What is no address is refused, and so is NAT64 (it may lead anywhere)."""
    try:
        ip = ip_address(text)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    special = ip.is_multicast or ip.is_reserved or any(ip in network for network in _EXTRA)
    return ip.is_global and not special


@dataclass(frozen=True, slots=True)
class Policy:
    """Public addresses at `ports`; or all there are, which is the operator's to set, for trying out."""

    ports: frozenset[int] = frozenset({443})
    allow_private: bool = False

    def objection(self, address: str, port: int) -> str:
        """Why no socket may be opened to an address and port; nothing where it may."""
        if self.allow_private or may_dial(address):
            return self.port_objection(port)
        return "the address is not public"

    def port_objection(self, port: int) -> str:
        """The same for what a port alone says."""
        return "" if self.allow_private or port in self.ports else f"port {port} is not allowed"
