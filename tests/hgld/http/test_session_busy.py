"""A busy server is waited for, by everybody, as long as it says."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

import pytest
import requests

from hgld.http.session import make_session
from tests.worlds.wikimedia.faults import Fault, reply
from tests.worlds.wikimedia.scraping import FAST_POLICY, post
from tests.worlds.wikimedia.small import Server


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry_After": "3"}, 3.0),
        ({"Retry_After": formatdate(time.time() - 60, usegmt=True)}, 0.01),
        ({"Retry_After": "when it suits us"}, 0.01),
        ({}, 0.01),
    ],
)
def test_429_is_waited_out_as_the_server_says(
    server: Server, waits: list[float], headers: dict[str, str], wait_s: float
) -> None:
    server.faults["sparql", 0] = reply(429, b"slow down", **headers)
    assert post(server).ok
    assert server.fired == ["sparql"]
    assert waits == [pytest.approx(wait_s)]


def test_429_with_a_date_to_come_is_waited_out_until_then(
    server: Server, waits: list[float]
) -> None:
    date = formatdate(time.time() + 20, usegmt=True)
    server.faults["sparql", 0] = reply(429, b"", Retry_After=date)
    assert post(server).ok
    assert waits == [pytest.approx(20, abs=2)]


def test_a_host_that_is_waited_for_is_left_alone_by_every_thread(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, is_waiting, may_go_on = list[int](), threading.Event(), threading.Event()

    def sleep(_: float) -> None:
        is_waiting.set()
        may_go_on.wait(10)
        asked.append(server.count("sparql"))

    monkeypatch.setattr("hgld.http.patience.sleep", sleep)
    server.faults["sparql", 0] = reply(429, b"", Retry_After="5")
    with make_session(policy=FAST_POLICY) as session, ThreadPoolExecutor(2) as pool:
        first = pool.submit(session.post, server.sparql, data={"query": "ASK {}"})
        assert is_waiting.wait(10)
        second = pool.submit(session.post, server.sparql, data={"query": "ASK {}"})
        wait([second], timeout=0.1)  # long enough for it to come through, if anything let it
        may_go_on.set()
        assert first.result(10).ok
        assert second.result(10).ok
    assert asked == [1]
    assert server.count("sparql") == 3


def test_who_was_refused_before_a_wait_has_waited_with_it(
    server: Server, waits: list[float]
) -> None:
    both_refused = threading.Barrier(2)

    def refuse(handler: BaseHTTPRequestHandler) -> None:
        both_refused.wait(10)
        reply(429, b"", Retry_After="5")(handler)

    server.faults.update({("sparql", 0): refuse, ("sparql", 1): refuse})
    with make_session(policy=FAST_POLICY) as session, ThreadPoolExecutor(2) as pool:
        posts = [
            pool.submit(session.post, server.sparql, data={"query": "ASK {}"}) for _ in range(2)
        ]
        assert all(post.result(10).ok for post in posts)
    assert waits == [5.0]
    assert server.count("sparql") == 4


def test_a_wait_longer_than_the_patience_ends_the_request_at_once(
    server: Server, waits: list[float]
) -> None:
    server.always["sparql"] = reply(429, b"", Retry_After="86400")
    with pytest.raises(requests.exceptions.RetryError, match="429"):
        post(server)
    assert server.count("sparql") == 1
    assert waits == []


@pytest.mark.fault(141, "MediaWiki that lags")
@pytest.mark.parametrize(
    "lag",
    [
        reply(200, b'{"error":{"code":"maxlag"}}', Retry_After="5", X_Database_Lag="7"),
        reply(200, b'{"error":{"code":"maxlag"}}', X_Database_Lag="7"),
        reply(200, b' {"error":{"code":"maxlag"}}', Retry_After="5"),
        reply(200, b'{"error":{"code":"ratelimited"}}'),
    ],
    ids=["both headers", "no Retry-After", "no X-Database-Lag", "neither"],
)
def test_a_lagging_mediawiki_is_waited_for(server: Server, waits: list[float], lag: Fault) -> None:
    server.faults["sparql", 0] = lag
    assert b"bindings" in post(server).content
    assert server.fired == ["sparql"]
    assert len(waits) == 1
