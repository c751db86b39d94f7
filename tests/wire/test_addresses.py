"""Which addresses may be dialled: the whole table, so that a new Python cannot change the rule unnoticed."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.wire.addresses import may_dial

REFUSED = """
    127.0.0.1 127.255.255.254 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 100.64.0.1 100.127.255.255
    192.0.0.1 192.0.0.9 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1
    255.255.255.255 :: ::1 ::7f00:1 ::ffff:0:7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe
    64:ff9b::7f00:1 64:ff9b:1::1 2002:a9fe:a9fe::1 2002:7f00:1::1 fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd12:3456::1 ff02::1
    100::1 2001:db8::1 3fff::1 5f00::1
"""
ALLOWED = "1.1.1.1 8.8.8.8 93.184.216.34 172.32.0.1 100.128.0.1 ::ffff:8.8.8.8 2606:4700:4700::1111 2a00:1450:4001::1"
#: What getaddrinfo turns into 127.0.0.1, and what is no address at all.
NO_ADDRESS = (
    "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "①②⑦.0.0.1", "127.0.0.1.", "localhost", "", "[::1]", "1.1.1.1:80",
)  # fmt: skip
PRIVATE = "10.0.0.0/8 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10"


@pytest.mark.parametrize("address", REFUSED.split())
def test_special_addresses_are_refused(address: str) -> None:
    assert not may_dial(address)


@pytest.mark.parametrize("address", ALLOWED.split())
def test_public_addresses_are_allowed(address: str) -> None:
    assert may_dial(address)


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    assert not may_dial(text)


@given(st.sampled_from([ip_network(text) for text in PRIVATE.split()]), st.integers(min_value=0))
def test_no_address_of_a_private_network_gets_through_in_any_dress(network: object, number: int) -> None:
    address = network[number % network.num_addresses]  # type: ignore[index, attr-defined]
    assert isinstance(address, IPv4Address)
    packed = f"{int(address) >> 16:x}:{int(address) & 0xFFFF:x}"
    for text in (str(address), f"::ffff:{address}", f"64:ff9b::{packed}", f"2002:{packed}::1", f"::{packed}"):
        assert not may_dial(text), text
