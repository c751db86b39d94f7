"""Real servers for tests and benchmarks: on 127.0.0.1, with data in a temporary directory, gone at the end."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis

TEN_SECONDS = 10.0


class Missing(RuntimeError):
    """A program that a server needs is not installed."""


def program(name: str) -> str:
    """The path of a program: on PATH, or where Debian keeps PostgreSQL's."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin") or (str(debian[0]) if debian else None)
    if found is None:
        raise Missing(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _directory(owner: str | None) -> Iterator[Path]:
    # Short, because the path of a unix socket may not be longer than about 100 bytes.
    path = Path(tempfile.mkdtemp(prefix="gw-"))
    try:
        if owner:
            os.chown(path, pwd.getpwnam(owner).pw_uid, pwd.getpwnam(owner).pw_gid)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _running(command: Sequence[str], log: Path, ready: Callable[[], bool], *, stop: int, user: str | None) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=log.parent, **_as(user))
    try:
        until = time.monotonic() + TEN_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{command[0]} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(TEN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _as(user: str | None) -> dict[str, Any]:
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


def _unprivileged() -> str | None:
    """Whom to run PostgreSQL as: it refuses root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


# -- PostgreSQL ------------------------------------------------------------------------------------------------------


@contextmanager
def postgresql(*, durable: bool = False) -> Iterator[str]:
    """A fresh cluster; yields the URL of its database `postgres`. Not durable: faster, for tests only."""
    user, initdb, server = _unprivileged(), program("initdb"), program("postgres")
    with _directory(user) as path:
        data, port = path / "data", free_port()
        command = [initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(command, capture_output=True, cwd=path, check=False, **_as(user))
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stderr.decode()[-2000:]}")
        settings = ["listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={path}", "max_connections=100"]
        if not durable:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        options = [part for setting in settings for part in ("-c", setting)]
        url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        ready = lambda: _answers_postgresql(url)  # noqa: E731
        with _running([server, "-D", str(data), *options], path / "log", ready, stop=signal.SIGINT, user=user):
            yield url


def _answers_postgresql(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


# -- Redis -----------------------------------------------------------------------------------------------------------


@contextmanager
def redis_server() -> Iterator[str]:
    """Redis without persistence; yields the URL of its database 0."""
    server, port = program("redis-server"), free_port()
    with _directory(None) as path:
        command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(path)]
        ready = lambda: _answers_redis(port)  # noqa: E731
        with _running(command, path / "log", ready, stop=signal.SIGTERM, user=None):
            yield f"redis://127.0.0.1:{port}/0"


def _answers_redis(port: int) -> bool:
    with contextlib.closing(redis.Redis(port=port)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


# -- nginx -----------------------------------------------------------------------------------------------------------

_NGINX = """
daemon off;
worker_processes 1;
error_log {path}/error.log;
pid {path}/nginx.pid;
{user}
worker_rlimit_nofile 8192;
events {{ worker_connections 8000; }}
http {{
    access_log off;
    client_body_temp_path {path}/body; proxy_temp_path {path}/proxy; fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
    keepalive_requests 1000000000; keepalive_timeout 600s; client_body_buffer_size 16k; tcp_nodelay on;
    server {{ listen 127.0.0.1:{status_port}; location / {{ stub_status; }} }}
    server {{
        {listen}
        {tls}
        location / {{ {answer} }}
        location @late {{ return {status}; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Sink:
    """A server that answers everything alike; `count` is how many requests it has had."""

    port: int
    status_port: int
    scheme: str = "http"

    @property
    def url(self) -> str:
        return self.at(0)

    def at(self, host: int) -> str:
        """The same server at another address of this machine."""
        return f"{self.scheme}://{_address(host)}:{self.port}"

    def count(self) -> int:
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.status_port), TEN_SECONDS)) as connection:
            connection.sendall(b"GET /-/status HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        # The status page counts itself: "server accepts handled requests", and the numbers on the next line.
        line = answer.decode().split("requests\n", 1)[1].splitlines()[0]
        return int(line.split()[2])


def _address(host: int) -> str:
    return f"127.0.{host // 200}.{host % 200 + 1}"


@contextmanager
def nginx_sink(*, status: int = 204, delay_ms: int = 0, hosts: int = 1, tls: Path | None = None) -> Iterator[Sink]:
    """nginx answering `status` on kept connections: at once or after a delay, at many addresses, over TLS.

    `tls` is a file with a key and its certificate. The delay is the one that nginx makes before it refuses a password.
    """
    server, port, status_port = program("nginx"), free_port(), free_port()
    with _directory(None) as path:
        late = f"auth_basic late; auth_basic_user_file {path}/nobody; auth_delay {delay_ms}ms; error_page 401 ={status} @late;"
        (path / "nobody").touch()
        config = _NGINX.format(
            path=path,
            status_port=status_port,
            status=status,
            user="user root;" if os.geteuid() == 0 else "",
            listen=" ".join(f"listen {_address(n)}:{port} {'ssl' if tls else ''} backlog=4096;" for n in range(hosts)),
            tls=f"ssl_certificate {tls}; ssl_certificate_key {tls};" if tls else "",
            answer=late if delay_ms else f"return {status};",
        )
        (path / "nginx.conf").write_text(config)
        command = [server, "-p", str(path), "-e", str(path / "error.log"), "-c", str(path / "nginx.conf")]
        with _running(command, path / "log", lambda: _listens(port), stop=signal.SIGTERM, user=None):
            yield Sink(port, status_port, "https" if tls else "http")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
