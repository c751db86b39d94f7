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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests.peers.tls import Authority

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
def short_folder(owner: str | None = None) -> Iterator[Path]:
    """A temporary folder. Its path is short, because that of a unix socket may not be longer than about 100 bytes."""
    path = Path(tempfile.mkdtemp(prefix="gw-"))
    try:
        if owner:
            os.chown(path, pwd.getpwnam(owner).pw_uid, pwd.getpwnam(owner).pw_gid)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass
class Server:
    """A program that serves until it is stopped; restarted, it keeps its address and what is on its disk."""

    command: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    stop_signal: int
    user: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    seconds: float = TEN_SECONDS
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it answers."""
        with self.log.open("ab") as output:
            given = {"cwd": self.log.parent, "env": {**os.environ, **self.env}, **_as(self.user)}
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, **given)
        until = time.monotonic() + self.seconds
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.command[0]} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, by: int | None = None) -> None:
        """End it, by its own signal or another."""
        assert self.process
        self.process.send_signal(by or self.stop_signal)
        try:
            self.process.wait(TEN_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def restart(self, by: int | None = None) -> None:
        """End it and start it again, at the same address."""
        self.stop(by)
        self.start()


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        if server.process:
            server.stop()


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
    with postgresql_server(durable=durable) as (url, _):
        yield url


@contextmanager
def postgresql_server(*, durable: bool = False) -> Iterator[tuple[str, Server]]:
    """The same with the server, to be restarted. SIGQUIT ends it as a crash would: it recovers from its log."""
    user, initdb, server = _unprivileged(), program("initdb"), program("postgres")
    with short_folder(user) as path:
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
        with _running(Server([server, "-D", str(data), *options], path / "log", ready, signal.SIGINT, user)) as running:
            yield url, running


def _answers_postgresql(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


# -- Redis -----------------------------------------------------------------------------------------------------------


@contextmanager
def redis_server(port: int | None = None) -> Iterator[str]:
    """Redis without persistence; yields the URL of its database 0."""
    with forgetful_redis(port) as (url, _):
        yield url


@contextmanager
def forgetful_redis(port: int | None = None) -> Iterator[tuple[str, Server]]:
    """The same with the server: restarted, it has lost every key."""
    server, port = program("redis-server"), port or free_port()
    with short_folder(None) as path:
        command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(path)]
        ready = lambda: _answers_redis(port)  # noqa: E731
        with _running(Server(command, path / "log", ready, signal.SIGTERM)) as running:
            yield f"redis://127.0.0.1:{port}/0", running


def _answers_redis(port: int) -> bool:
    with contextlib.closing(redis.Redis(port=port)) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


# -- RabbitMQ --------------------------------------------------------------------------------------------------------


@contextmanager
def rabbitmq() -> Iterator[str]:
    """RabbitMQ with a name service of its own; yields its URL. Takes some seconds to start."""
    debian = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on PATH wants to become another user
    server, names = str(debian) if debian.exists() else program("rabbitmq-server"), program("epmd")
    port, names_port = free_port(), free_port()
    with short_folder(None) as path:
        (path / "plugins").write_text("[].")
        files = {"MNESIA_BASE": "data", "LOG_BASE": "log", "ENABLED_PLUGINS_FILE": "plugins", "CONFIG_FILE": "none"}
        node = {"NODENAME": f"gw{port}@localhost", "NODE_IP_ADDRESS": "127.0.0.1", "NODE_PORT": port, "DIST_PORT": free_port()}
        environment = {f"RABBITMQ_{name}": str(path / file) for name, file in files.items()}
        environment |= {f"RABBITMQ_{name}": str(value) for name, value in node.items()}
        environment |= {"ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(names_port), "HOME": str(path)}
        finding = [names, "-port", str(names_port), "-address", "127.0.0.1", "-relaxed_command_check"]
        with (
            _running(Server(finding, path / "names", lambda: listens(names_port), signal.SIGTERM)),
            _running(Server([server], path / "out", lambda: _greets(port), signal.SIGTERM, env=environment, seconds=60)),
        ):
            yield f"amqp://guest:guest@127.0.0.1:{port}//"


def _greets(port: int) -> bool:
    """Whether it speaks AMQP: it closes what does not, and says which version it speaks."""
    with socket.socket() as probe:
        probe.settimeout(2)
        if probe.connect_ex(("127.0.0.1", port)):
            return False
        probe.sendall(b"AMQP\x00\x00\x00\x00")
        return probe.recv(4) == b"AMQP"


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
    """A server that answers everything alike; `count` is how many requests it has had. `ca_file` is what to trust for TLS."""

    port: int
    status_port: int
    scheme: str = "http"
    ca_file: Path | None = None

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
def nginx_sink(*, status: int = 204, delay_ms: int = 0, hosts: int = 1, tls: Path | bool = False) -> Iterator[Sink]:
    """nginx answering `status` on kept connections: at once or after a delay, at many addresses, over TLS.

    `tls` is a file with a key and its certificate, or true for one that is made. The delay is the one that nginx makes before
    it refuses a password.
    """
    server, port, status_port = program("nginx"), free_port(), free_port()
    with short_folder(None) as path:
        authority = Authority(path) if tls is True else None
        pair = authority.pair("127.0.0.1") if authority else tls
        late = f"auth_basic late; auth_basic_user_file {path}/nobody; auth_delay {delay_ms}ms; error_page 401 ={status} @late;"
        (path / "nobody").touch()
        config = _NGINX.format(
            path=path,
            status_port=status_port,
            status=status,
            user="user root;" if os.geteuid() == 0 else "",
            listen=" ".join(f"listen {_address(n)}:{port} {'ssl' if tls else ''} backlog=4096;" for n in range(hosts)),
            tls=f"ssl_certificate {pair}; ssl_certificate_key {pair};" if tls else "",
            answer=late if delay_ms else f"return {status};",
        )
        (path / "nginx.conf").write_text(config)
        command = [server, "-p", str(path), "-e", str(path / "error.log"), "-c", str(path / "nginx.conf")]
        with _running(Server(command, path / "log", lambda: listens(port), signal.SIGTERM)):
            yield Sink(port, status_port, "https" if tls else "http", authority.file if authority else None)


def listens(port: int) -> bool:
    """Whether anyone listens at a port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
