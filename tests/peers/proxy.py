"""A proxy on 127.0.0.1 that speaks CONNECT or SOCKS 5, looks names up in a table of its own, and notes what it was asked."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_SOCKS = b"\x05"


@dataclass
class Proxy:
    """`names` is where hosts lead; others are refused. `refusal` is answered to every CONNECT instead, where there is one;
    `silent` answers nothing."""

    port: int
    names: Mapping[str, str]
    refusal: bytes = b""
    silent: bool = False
    asked: list[str] = field(default_factory=list)

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            opening = client.recv(65536)
            if self.silent:
                client.recv(1)
            elif opening[:1] == _SOCKS:
                self._socks(client)
            elif opening:
                self._connect(client, opening)

    def _connect(self, client: socket.socket, head: bytes) -> None:
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        method, target = head.split()[:2]
        self.asked.append(f"{method.decode()} {target.decode()}")
        host, _, port = target.decode().rpartition(":")
        if self.refusal or method != b"CONNECT" or host not in self.names:
            client.sendall(self.refusal or b"HTTP/1.1 403 Forbidden\r\nRetry-After: 9\r\nContent-Length: 6\r\n\r\nsecret")
            return
        with socket.create_connection((self.names[host], int(port))) as target_socket:
            client.sendall(b"HTTP/1.1 200 Connection established\r\nRetry-After: 9\r\n\r\n")
            _pump(client, target_socket)

    def _socks(self, client: socket.socket) -> None:
        client.sendall(_SOCKS + b"\x00")
        _, _, _, kind = client.recv(4)
        host = client.recv(client.recv(1)[0]).decode() if kind == 3 else socket.inet_ntoa(client.recv(4))
        (port,) = struct.unpack("!H", client.recv(2))
        self.asked.append(f"SOCKS {'name' if kind == 3 else 'address'} {host}:{port}")
        if host not in self.names:
            client.sendall(_SOCKS + b"\x02\x00\x01" + bytes(6))
            return
        with socket.create_connection((self.names[host], port)) as target_socket:
            client.sendall(_SOCKS + b"\x00\x00\x01" + bytes(6))
            _pump(client, target_socket)


def _pump(one: socket.socket, other: socket.socket) -> None:
    back = threading.Thread(target=_copy, args=(other, one), daemon=True)
    back.start()
    _copy(one, other)
    back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def running_proxy(names: Mapping[str, str]) -> Iterator[Proxy]:
    """A proxy of both kinds at one port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        proxy = Proxy(listening.getsockname()[1], names)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    threading.Thread(target=proxy.serve, args=(client,), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield proxy
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
