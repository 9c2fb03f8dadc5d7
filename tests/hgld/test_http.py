"""The HTTP policy against a server that misbehaves on command; each fault is proven to fire."""

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

import hgld
from hgld.errors import AnswerError, FetchError, InputError
from hgld.http import download, failure, make_session, require_contact, user_agent
from hgld.patience import HttpPolicy
from tests.small_wikimedia import Fault, Server, drip, hang_up, reply, serving, stall

_FAST = HttpPolicy(
    backoff_s=0.01, connect_timeout_s=0.5, read_timeout_s=0.5, deadline_s=1.0, attempts=3
)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr("hgld.patience.sleep", seconds.append)
    return seconds


def _post(server: Server, policy: HttpPolicy = _FAST) -> requests.Response:
    with make_session(policy=policy) as session:
        return session.post(server.sparql, data={"query": "VALUES ?item { wd:Q1 }"})


def test_the_user_agent_names_the_program_the_operator_and_the_library(server: Server) -> None:
    with make_session("ann@example.org") as session:
        session.post(server.sparql, data={"query": "ASK {}"})
    expected = f"hgld/{hgld.__version__} (ann@example.org) python-requests/{requests.__version__}"
    assert server.hits[0][1]["user-agent"] == expected == user_agent("ann@example.org")


def test_another_machine_is_not_asked_without_a_contact() -> None:
    with pytest.raises(InputError, match=r"commons\.wikimedia\.org .*--contact"):
        require_contact(" ", "http://127.0.0.1/w/", "https://commons.wikimedia.org/w/")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_asks_for_no_contact(host: str) -> None:
    require_contact("", f"http://{host}:8090/w/")


@pytest.mark.parametrize("contact", ["a@b.org\r\nX-Evil: 1", "Ørsted"])
def test_a_contact_that_no_header_can_carry_is_refused(contact: str) -> None:
    with pytest.raises(InputError, match="one line of ASCII"):
        require_contact(contact, "https://commons.wikimedia.org/w/")


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
    assert _post(server).ok
    assert server.fired == ["sparql"]
    assert waits == [pytest.approx(wait_s)]


def test_429_with_a_date_to_come_is_waited_out_until_then(
    server: Server, waits: list[float]
) -> None:
    date = formatdate(time.time() + 20, usegmt=True)
    server.faults["sparql", 0] = reply(429, b"", Retry_After=date)
    assert _post(server).ok
    assert waits == [pytest.approx(20, abs=2)]


def test_a_host_that_is_waited_for_is_left_alone_by_every_thread(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, is_waiting, may_go_on = list[int](), threading.Event(), threading.Event()

    def sleep(_: float) -> None:
        is_waiting.set()
        may_go_on.wait(10)
        asked.append(server.count("sparql"))

    monkeypatch.setattr("hgld.patience.sleep", sleep)
    server.faults["sparql", 0] = reply(429, b"", Retry_After="5")
    with make_session(policy=_FAST) as session, ThreadPoolExecutor(2) as pool:
        first = pool.submit(session.post, server.sparql, data={"query": "ASK {}"})
        assert is_waiting.wait(10)
        second = pool.submit(session.post, server.sparql, data={"query": "ASK {}"})
        wait([second], timeout=0.3)  # long enough for it to come through, if anything let it
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
    with make_session(policy=_FAST) as session, ThreadPoolExecutor(2) as pool:
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
    with pytest.raises(requests.exceptions.RetryError, match="still answered 429"):
        _post(server)
    assert server.count("sparql") == 1
    assert waits == []


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
    assert b"bindings" in _post(server).content
    assert server.fired == ["sparql"]
    assert len(waits) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_tried_again(server: Server, waits: list[float], status: int) -> None:
    server.faults["sparql", 0] = reply(status, b"oops")
    assert _post(server).ok
    assert server.count("sparql") == 2
    assert waits == [0.01]


def test_a_server_error_that_stays_is_given_up_after_so_many_attempts(
    server: Server, waits: list[float]
) -> None:
    server.always["sparql"] = reply(500, b"oops")
    with pytest.raises(requests.exceptions.RetryError, match="still answered 500"):
        _post(server)
    assert server.count("sparql") == _FAST.attempts
    assert len(waits) == _FAST.attempts - 1


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_refusal_is_not_tried_again(server: Server, status: int) -> None:
    server.always["sparql"] = reply(status, b"no")
    assert _post(server).status_code == status
    assert server.count("sparql") == 1


@pytest.mark.parametrize(
    "fault",
    [
        reply(200, b"{}", Content_Length="100"),
        reply(200, b"no gzip", Content_Encoding="gzip"),
        hang_up,
        stall(1.5),
        drip(0.05),
        drip(0.05, "headers"),
        drip(0.05, "size of a chunk"),
    ],
    ids=["short body", "broken gzip", "hangs up", "stalls", "drips", "drips headers", "drips size"],
)
def test_a_broken_answer_is_asked_for_again(
    server: Server, waits: list[float], fault: Fault
) -> None:
    server.faults["sparql", 0] = fault
    assert b"bindings" in _post(server).content
    assert server.fired == ["sparql"]
    assert len(waits) == 1


def test_a_body_longer_than_announced_is_cut_where_it_was_announced_to_end(server: Server) -> None:
    server.faults["sparql", 0] = reply(200, b"{}garbage", Content_Length="2")
    assert _post(server).content == b"{}"


@pytest.mark.parametrize("where", ["body", "headers", "size of a chunk"])
def test_an_answer_that_drips_for_ever_ends_at_the_deadline(server: Server, where: str) -> None:
    server.always["sparql"] = drip(0.05, where)
    # The time-out for a read is never met.
    policy = HttpPolicy(read_timeout_s=30, deadline_s=0.3, attempts=1)
    started = time.monotonic()
    with pytest.raises(requests.exceptions.ReadTimeout) as caught:
        _post(server, policy)
    assert server.fired == ["sparql"]
    assert 0.3 <= time.monotonic() - started < 10
    assert "in time" in str(failure(server.sparql, caught.value))


def test_a_download_may_last_longer_than_the_deadline(server: Server, tmp_path: Path) -> None:
    server.faults["sparql", 0] = drip(0.1, most=6)
    with make_session(policy=HttpPolicy(deadline_s=0.3)) as session:
        download(session, server.sparql, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b" " * 6


def test_a_slow_request_is_not_repeated_where_the_policy_says_so(server: Server) -> None:
    server.always["sparql"] = stall(1.0)
    with pytest.raises(requests.exceptions.ReadTimeout):
        _post(server, HttpPolicy(read_timeout_s=0.2, repeats_slow=False))
    assert server.count("sparql") == 1


def test_gzip_is_asked_for_and_unpacked(server: Server) -> None:
    body = gzip.compress(b'{"results": {"bindings": []}}')
    server.faults["sparql", 0] = reply(200, body, Content_Encoding="gzip")
    assert _post(server).json() == {"results": {"bindings": []}}
    assert "gzip" in server.hits[0][1]["accept-encoding"]


def test_a_server_that_was_never_there_is_not_waited_for(waits: list[float]) -> None:
    with make_session(policy=_FAST) as session, pytest.raises(requests.ConnectionError) as caught:
        session.get(f"http://127.0.0.1:{_closed_port()}/")
    assert waits == []
    error = failure("http://127.0.0.1:1/w/", caught.value)
    assert type(error) is FetchError
    assert "connection refused, no server listens there; check the address" in str(error)


def test_a_server_that_goes_away_is_waited_for(waits: list[float]) -> None:
    with make_session(policy=_FAST) as session:
        with serving() as server:
            url = server.sparql
            session.post(url, data={"query": "ASK {}"})
        with pytest.raises(requests.ConnectionError):
            session.post(url, data={"query": "ASK {}"})
    assert len(waits) == _FAST.attempts - 1


def test_a_connection_that_never_comes_about_ends_in_time() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        # The kernel queues so many connections and then leaves every other unanswered.
        queue = [socket.socket() for _ in range(4)]
        for one in queue:
            one.setblocking(False)
            one.connect_ex(address)
        policy = HttpPolicy(connect_timeout_s=0.3)
        with (
            make_session(policy=policy) as session,
            pytest.raises(requests.ConnectTimeout) as caught,
        ):
            session.get(f"http://127.0.0.1:{address[1]}/")
        for one in queue:
            one.close()
    assert "no connection in time" in str(failure("http://x/", caught.value))


def test_a_redirect_loop_ends(server: Server) -> None:
    server.always["sparql"] = reply(302, b"", Location=server.sparql)
    with pytest.raises(requests.TooManyRedirects) as caught:
        _post(server)
    assert server.count("sparql") == 31
    assert isinstance(failure(server.sparql, caught.value), AnswerError)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_means_that_address_or_contact_are_wrong(server: Server, status: int) -> None:
    server.always["sparql"] = reply(status, b"no")
    with pytest.raises(requests.HTTPError) as caught:
        _post(server).raise_for_status()
    error = failure(server.sparql, caught.value)
    assert not isinstance(error, AnswerError)
    assert f"refuses with {status} {HTTPStatus(status).phrase}" in str(error)
    assert "--contact" in str(error)


def test_a_download_is_whole(server: Server, tmp_path: Path) -> None:
    server.faults["sparql", 0] = reply(200, b"abc")
    with make_session() as session:
        download(session, server.sparql, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (reply(404, b"no"), r"not there \(404\)"),
        (reply(200, b"abc", Content_Length="100"), "cannot fetch .*check the address and rerun"),
    ],
    ids=["not there", "shorter than announced"],
)
def test_a_download_that_fails_says_so(
    server: Server, tmp_path: Path, fault: Fault, words: str
) -> None:
    server.always["sparql"] = fault
    with make_session(policy=_FAST) as session, pytest.raises(FetchError, match=words):
        download(session, server.sparql, tmp_path / "file")
    assert server.fired


def _closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
