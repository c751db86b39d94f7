"""A running server, its labels, and six thousand tokens."""

import time

import requests
from flask import Flask

from integration.sandbox import SANDBOX_KEY, RunningSandbox, SandboxSettings, create_sandbox
from tests.sandbox.conftest import asker, made

KEY = {"x-api-key": SANDBOX_KEY}


def test_a_running_sandbox_serves_on_a_free_port_and_stops() -> None:
    with RunningSandbox(SandboxSettings(tokens=40, day=0.5)) as server:
        url = server.url
        first = requests.get(f"{url}/_sandbox/clock", timeout=10).json()
        reply = requests.get(f"{url}/v2/quantmetrics", headers=KEY, timeout=10)
        assert reply.json()["length"] == 40
        assert server.sandbox is server.app.extensions["sandbox"]
        time.sleep(0.6)
        assert requests.get(f"{url}/_sandbox/clock", timeout=10).json()["market_time"] > first["market_time"] + 86_400_000
    try:
        requests.get(url, timeout=2)
    except requests.ConnectionError:
        return
    raise AssertionError("the server still answers")


def test_two_servers_run_side_by_side_and_stop_twice() -> None:
    one, two = RunningSandbox(SandboxSettings(tokens=40)).start(), RunningSandbox(SandboxSettings(tokens=40)).start()
    assert one.url != two.url
    for server in (one, two, one):
        server.stop()


def test_everything_is_labelled_as_sandbox_data(model: Flask) -> None:
    client = model.test_client()
    for path in ("/", "/v2/tokens", "/v3/quantmetrics", "/_sandbox/clock", "/nowhere", "/v2/nothing"):
        assert client.get(path, headers=KEY).headers["X-Sandbox"] == "made-up data, not Token Metrics", path
    page = client.get("/").text
    assert "SANDBOX DATA" in page
    assert "not Token Metrics" in page
    assert "2024-01-01" in page
    assert "premium" in page
    links = {row["TM_LINK"] for row in asker(model)("/v2/tokens").json["data"]}
    assert all(link.startswith("https://sandbox.invalid/") for link in links)


def test_six_thousand_tokens_answer_quickly() -> None:
    began = time.process_time()
    app = create_sandbox(SandboxSettings(tokens=6000, paused=True, calls_per_minute=10_000))
    built = time.process_time() - began
    ask = asker(app)
    app.extensions["sandbox"].clock.step(1)
    began = time.process_time()
    ids = [row["TOKEN_ID"] for page in range(1, 61) for row in ask("/v2/quantmetrics", limit=100, page=page).json["data"]]
    day = time.process_time() - began
    began = time.process_time()
    for page in range(1, 11):
        assert ask("/v2/trader-grades", limit=100, page=page).json["length"] == 100
    page_time = (time.process_time() - began) / 10
    print(
        f"6,000 tokens: built in {built:.2f} s, 60 pages of quantmetrics {day:.2f} s, a page of grades {page_time * 1000:.1f} ms"
    )
    assert len(set(ids)) == 6000
    assert built < 12
    assert day < 4
    assert page_time < 0.2


def test_made_up_names_and_ids_are_unique_and_most_symbols_too() -> None:
    tokens = made(tokens=3000).extensions["sandbox"].market.tokens
    assert len({token.token_id for token in tokens}) == len({token.slug for token in tokens}) == 3000
    shared_symbols = 3000 - len({token.symbol for token in tokens})
    assert 20 < shared_symbols < 150
