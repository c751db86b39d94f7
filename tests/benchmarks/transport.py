"""Requests a second by the transport alone: `python -m tests.benchmarks.transport --json`.

nginx receives: at once, after 50 ms, over TLS, at one address and at 200. Medians of interleaved rounds, the ratios within
the same round. `late.share` is the rate with a receiver of 50 ms ÷ (1,000 under way ÷ 50 ms). `hanging.share` is the rate
beside 400 requests that hang ÷ without them. `tls.kept` is the rate over TLS ÷ in clear, `tls.ratio` ÷ `requests.post`
over TLS, one after the other, as the tutorial design does it. `cpu_us` is our own processor time for a request.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from integration.domain.message import HttpRequest
from integration.wire.http import Transport
from tests import servers
from tests.peers.faults import faulty
from tests.peers.tls import Authority

HOSTS = 200
LATE_MS = 50
UNDER_WAY = 1_000
HUNG = 400
BODY = b"x" * 1_024
HEADERS = ("webhook-id: evt_1", "webhook-timestamp: 1790000000", "webhook-signature: v1," + "x" * 44)
PLAIN = ("Content-Type: application/json",)


@dataclass(frozen=True)
class Place:
    """The receivers of one run, and how long each is measured (s)."""

    prompt: servers.Sink
    late: servers.Sink
    secure: servers.Sink
    hanging: str
    ca_file: str
    seconds: float


@contextmanager
def receivers(seconds: float) -> Iterator[Place]:
    """Real servers, gone at the end."""
    with ExitStack() as stack:
        authority = Authority(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-"))))
        secure = servers.nginx_sink(tls=authority.pair("127.0.0.1"))
        yield Place(
            stack.enter_context(servers.nginx_sink(hosts=HOSTS)),
            stack.enter_context(servers.nginx_sink(hosts=HOSTS, delay_ms=LATE_MS)),
            stack.enter_context(secure),
            stack.enter_context(faulty("hangs")).url,
            str(authority.file),
            seconds,
        )


def rate(place: Place, sink: servers.Sink, hosts: int, *, hung: int = 0) -> tuple[float, float]:
    """(requests a second, microseconds of our processor a request), once connections are made."""
    urls = [f"{sink.at(number)}/hooks/{number}" for number in range(hosts)]
    posts = [HttpRequest(url, BODY, headers=PLAIN) for url in urls]
    with closing(Transport[Any](allow_private=True, ca_file=place.ca_file)) as transport:
        transport.most = UNDER_WAY + hung
        for _ in range(hung):
            transport.start(None, HttpRequest(place.hanging, b"{}"))
        run(transport, posts, place.seconds / 2)
        before, began = time.process_time(), time.perf_counter()
        count = run(transport, posts, place.seconds)
        took, used = time.perf_counter() - began, time.process_time() - before
    return count / took, used / count * 1e6


def run(transport: Transport[Any], posts: Sequence[HttpRequest], seconds: float) -> int:
    """Keep sending for a while, until something is answered at least; how many were answered."""
    until, sent, answered = time.perf_counter() + seconds, 0, 0
    while not answered or time.perf_counter() < until:
        while transport.has_room():
            transport.start(None, posts[sent % len(posts)], HEADERS)
            sent += 1
        for _, reply in transport.finished(0.05):
            if reply.status != 204:
                raise AssertionError(reply)
            answered += 1
    return answered


def one_by_one(place: Place) -> float:
    """Requests a second as tutorials make them."""
    until, count, began = time.perf_counter() + place.seconds, 0, time.perf_counter()
    while time.perf_counter() < until:
        requests.post(place.secure.url, BODY, verify=place.ca_file, timeout=15)
        count += 1
    return count / (time.perf_counter() - began)


def one_round(place: Place) -> dict[str, float]:
    one, one_us = rate(place, place.prompt, 1)
    many, many_us = rate(place, place.prompt, HOSTS)
    late_one, late_one_us = rate(place, place.late, 1)
    late_many, late_many_us = rate(place, place.late, HOSTS)
    hanging, hanging_us = rate(place, place.prompt, HOSTS, hung=HUNG)
    secure, secure_us = rate(place, place.secure, 1)
    best = UNDER_WAY / (LATE_MS / 1000)
    return {
        "prompt.one_host": one, "prompt.many_hosts": many, "prompt.cpu_us": many_us, "prompt.one_host_cpu_us": one_us,
        "late.one_host": late_one, "late.many_hosts": late_many, "late.share": late_many / best,
        "late.cpu_us": late_many_us, "late.one_host_cpu_us": late_one_us,
        "hanging.share": hanging / many, "hanging.cpu_us": hanging_us,
        "tls.per_second": secure, "tls.cpu_us": secure_us, "tls.kept": secure / one, "tls.ratio": secure / one_by_one(place),
    }  # fmt: skip


def measure(seconds: float, rounds: int) -> Mapping[str, Mapping[str, float]]:
    """Medians, by group and name."""
    with receivers(seconds) as place:
        found = []
        for _ in range(rounds):
            found.append(one_round(place))
            print("  ".join(f"{name} {figure:,.2f}" for name, figure in found[-1].items()), flush=True)
    result: dict[str, dict[str, float]] = {}
    for name in found[0]:
        group, _, figure = name.partition(".")
        result.setdefault(group, {})[figure] = round(statistics.median(one[name] for one in found), 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    result = measure(given.seconds, given.rounds)
    print(json.dumps(result) if given.json else result)


if __name__ == "__main__":
    main()
