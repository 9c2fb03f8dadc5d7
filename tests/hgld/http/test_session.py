"""The HTTP policy against a server that misbehaves on command; each fault is proven to fire."""

import gzip
import random
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor, wait
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
from requests.exceptions import ContentDecodingError, RetryError

from hgld.errors import AnswerError, FetchError, InputError
from hgld.http.patience import HttpPolicy, Patience
from hgld.http.session import failure, make_session, require_contact
from tests.worlds.clock import Clock
from tests.worlds.gldv2.faulty_server import tls_context
from tests.worlds.wikimedia.faults import DRIPPING, Fault, drip, hang_up, reply, send, stall
from tests.worlds.wikimedia.scraping import FAST_POLICY, post
from tests.worlds.wikimedia.small import Server, serving

ASK = {"query": "ASK {}"}


def test_only_another_machine_needs_a_contact_and_one_that_a_header_can_carry() -> None:
    require_contact("", *(f"http://{host}:8090/w/" for host in ("localhost", "127.0.0.1", "[::1]")))
    with pytest.raises(InputError, match="--contact"):
        require_contact(" ", "http://127.0.0.1/w/", "https://commons.wikimedia.org/w/")
    for contact in ("operator@lab.example\r\nX-Evil: 1", "Ørsted"):
        with pytest.raises(InputError, match="ASCII") as caught:
            require_contact(contact, "https://commons.wikimedia.org/w/")
        assert contact[:5] not in str(caught.value)  # it stands in no error and no log


@pytest.mark.parametrize(
    ("fault", "waited"),
    [
        (reply(500, b"oops"), [0.01, 0.02]),
        (reply(200, zlib.compress(b"{}"), Content_Encoding="gzip"), [0.01, 0.02]),
        (reply(429, b"", Retry_After="86400"), []),  # longer than the patience
    ],
)
def test_a_fault_that_stays_is_given_up_after_so_many_attempts(
    server: Server, waits: list[float], fault: Fault, waited: list[float]
) -> None:
    server.always["sparql"] = fault
    with pytest.raises((RetryError, ContentDecodingError)):
        post(server)
    assert waits == waited
    assert server.count("sparql") == len(waited) + 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_tried_again_and_blames_the_contact(server: Server, status: int) -> None:
    server.always["sparql"] = reply(status, b"no")
    with pytest.raises(requests.HTTPError) as caught:
        post(server).raise_for_status()
    assert server.count("sparql") == 1
    error = failure(server.sparql, caught.value)
    assert str(status) in str(error)
    assert "--contact" in str(error)
    assert not isinstance(error, AnswerError)


@pytest.mark.fault(138, "5xx, short, broken, stalled or dripping answer")
@pytest.mark.parametrize(
    "fault",
    [
        *(reply(status, b"oops") for status in (500, 502, 503, 504)),
        reply(200, b"{}", Content_Length="100"),
        reply(200, b"no gzip", Content_Encoding="gzip"),
        hang_up,
    ],
)
def test_a_broken_answer_is_asked_again(server: Server, waits: list[float], fault: Fault) -> None:
    server.faults["sparql", 0] = fault
    assert b"bindings" in post(server).content
    assert server.fired == ["sparql"]
    assert waits == [0.01]


@pytest.mark.fault(138, "5xx, short, broken, stalled or dripping answer")
@pytest.mark.parametrize("fault", [stall(1.5), *(drip(0.05, where) for where in DRIPPING)])
def test_a_slow_answer_is_asked_again(server: Server, waits: list[float], fault: Fault) -> None:
    server.faults["sparql", 0] = fault
    hurried = HttpPolicy(backoff_s=0.01, read_timeout_s=0.5, deadline_s=1.0, attempts=9)
    assert b"bindings" in post(server, hurried).content
    assert server.fired == ["sparql"]
    assert waits[0] == 0.01  # a busy machine may be too slow once more


def test_a_slow_request_is_not_repeated_where_the_policy_says_so(server: Server) -> None:
    server.always["sparql"] = stall(1.0)
    with pytest.raises(requests.exceptions.ReadTimeout):
        post(server, HttpPolicy(read_timeout_s=0.2, repeats_slow=False))
    assert server.count("sparql") == 1


def test_only_a_server_that_was_there_is_waited_for(waits: list[float]) -> None:
    with make_session(policy=FAST_POLICY) as session:
        with serving() as server:
            session.post(server.sparql, ASK)
        with pytest.raises(requests.ConnectionError) as caught:
            post(server)
        assert waits == []
        error = failure("http://127.0.0.1:1/w/", caught.value)
        assert type(error) is FetchError
        assert "refused" in str(error)
        with pytest.raises(requests.ConnectionError):
            session.post(server.sparql, ASK)
    assert len(waits) == FAST_POLICY.attempts - 1


def test_a_connection_that_never_comes_about_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_: object, timeout: float, *_rest: object, **_options: object) -> None:
        timeouts.append(timeout)
        raise TimeoutError

    timeouts: list[float] = []
    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    policy = HttpPolicy(connect_timeout_s=0.3)
    with make_session(policy=policy) as session, pytest.raises(requests.ConnectTimeout):
        session.get("http://127.0.0.1:1/")
    assert timeouts == [0.3]


@pytest.mark.fault(139, "answer that drips for ever")
@pytest.mark.fault(142, "certificate that is not trusted")
def test_only_a_trusted_server_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = HttpPolicy(read_timeout_s=30, deadline_s=0.3, attempts=1)
    context, authority = tls_context("127.0.0.1", tmp_path)
    with serving(context) as server:
        with pytest.raises(requests.exceptions.SSLError) as caught:
            post(server, policy)
        assert "REQUESTS_CA_BUNDLE" in str(failure(server.sparql, caught.value))
        assert server.hits == []
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
        server.always["sparql"] = drip(0.02, "headers")
        with pytest.raises(requests.exceptions.ReadTimeout):
            post(server, policy)
        assert server.fired == ["sparql"]


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        *(("3", 3.0), (20, 20.0), (-60, 0.01)),
        *((odd, 0.01) for odd in ("when it suits us", "", "-5", "1.5.2", "²")),
    ],
)
def test_429_is_waited_out_as_told(
    server: Server, waits: list[float], header: str | int, wait_s: float
) -> None:
    if isinstance(header, int):
        header = formatdate(time.time() + header, usegmt=True)
    headers = {"Retry_After": header} if header else {}
    server.faults["sparql", 0] = reply(429, b"slow down", **headers)
    assert post(server).ok
    assert server.fired == ["sparql"]
    assert waits == [pytest.approx(wait_s, abs=2 if wait_s == 20 else 1e-6)]


def test_every_thread_waits_for_a_host(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, is_waiting, may_go_on = list[int](), threading.Event(), threading.Event()

    def sleep(_: float) -> None:
        is_waiting.set()
        may_go_on.wait(10)
        asked.append(server.count("sparql"))

    monkeypatch.setattr("hgld.http.patience.sleep", sleep)
    server.faults["sparql", 0] = reply(429, b"", Retry_After="5")
    with make_session(policy=FAST_POLICY) as session, ThreadPoolExecutor(2) as pool:
        first = pool.submit(session.post, server.sparql, ASK)
        assert is_waiting.wait(10)
        second = pool.submit(session.post, server.sparql, ASK)
        wait([second], timeout=0.1)  # long enough for it to come through, if anything let it
        may_go_on.set()
        assert first.result(10).ok
        assert second.result(10).ok
    assert asked == [1]
    assert server.count("sparql") == 3


@pytest.mark.fault(141, "MediaWiki that lags")
@pytest.mark.parametrize(
    "lag",
    [
        reply(200, b'{"error":{"code":"maxlag"}}', Retry_After="5", X_Database_Lag="7"),
        reply(200, b'{"error":{"code":"maxlag"}}', X_Database_Lag="7"),
        reply(200, b' {"error":{"code":"maxlag"}}', Retry_After="5"),
        reply(200, b'{"error":{"code":"ratelimited"}}'),
    ],
)
def test_a_lagging_mediawiki_is_waited_for(server: Server, waits: list[float], lag: Fault) -> None:
    server.faults["sparql", 0] = lag
    assert b"bindings" in post(server).content
    assert server.fired == ["sparql"]
    assert len(waits) == 1


def test_waits_double_up_to_a_minute_and_all_of_a_request_end(waits: list[float]) -> None:
    patience = Patience(HttpPolicy(attempts=9, backoff_s=1.0), "http://example.org")
    assert [patience.fault("broken") for _ in range(9)] == [True] * 8 + [False]
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    waits.clear()
    patience = Patience(HttpPolicy(patience_s=100.0), "http://example.org")
    answers = [patience.busy("busy", {"Retry-After": "40"}) for _ in range(3)]
    assert answers == [True, True, False]
    assert waits == [40.0, 40.0]


LIMIT = HttpPolicy(answer_bytes=1_000_000, backoff_s=0.01, attempts=3)
BOMB = gzip.compress(bytes(1_000_000), compresslevel=9) * 200
"""200 KB that unpack to 200 MB."""


def packed(body: bytes, encoding: str = "gzip") -> Fault:
    return reply(200, body, Content_Encoding=encoding)


@pytest.mark.fault(30, "gzip bomb in an answer")
@pytest.mark.parametrize("bomb", [BOMB, gzip.compress(b"") * 60_000], ids=range(2))
def test_a_bomb_is_left_at_the_limit(server: Server, waits: list[float], bomb: bytes) -> None:
    # Its length is not announced, by which it would be refused unread.
    server.faults["sparql", 0] = send(bomb, Content_Encoding="gzip", Content_Length=None)
    tracemalloc.start()
    try:
        with pytest.raises(AnswerError, match="answer_bytes") as caught:
            post(server, LIMIT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert server.fired == ["sparql"]
    assert waits == []  # it would come the same way again
    assert peak < 10_000_000
    assert caught.value.smaller_may_do
    assert b"bindings" in post(server, LIMIT).content


@pytest.mark.parametrize("length", [None, "1000001", "9" * 18], ids=str)
def test_a_plain_answer_beyond_the_limit_is_refused(server: Server, length: str | None) -> None:
    headers = {"Content_Length": length} if length else {}
    server.faults["sparql", 0] = reply(200, b"x" * (1 if length else 1_000_001), **headers)
    with pytest.raises(AnswerError, match="answer_bytes"):
        post(server, LIMIT)
    assert server.fired == ["sparql"]
    server.always["sparql"] = reply(200, b"x" * 1_000_000)
    assert len(post(server, LIMIT).content) == 1_000_000


@pytest.mark.fault(31, "answer packed in another way")
@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "gzip,br", "x" * 99])
def test_another_packing_is_refused(server: Server, waits: list[float], encoding: str) -> None:
    server.faults["sparql", 0] = packed(gzip.compress(BOMB), encoding)
    with pytest.raises(AnswerError, match="gzip"):
        post(server, LIMIT)
    assert server.fired == ["sparql"]
    assert waits == []
    assert post(server, LIMIT).ok


@pytest.mark.parametrize(
    ("size", "name"), [(0, "gzip"), (1, "gzip"), (65_536, "gzip"), (65_537, "X-GZip")]
)
def test_what_was_packed_comes_out_as_it_was(server: Server, size: int, name: str) -> None:
    noise = random.Random(size).randbytes(size)
    for content in (noise, bytes(size)):
        half = size // 2
        members = gzip.compress(content[:half]) + gzip.compress(content[half:])
        for body in (gzip.compress(content), members):
            server.always["sparql"] = packed(body, name)
            assert post(server, LIMIT).content == content


def test_requests_to_a_host_are_spread_evenly(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, sent = Clock(), list[float]()
    monkeypatch.setattr("hgld.http.session.time", clock)
    with make_session("", HttpPolicy(requests_per_minute=30)) as session:
        for passed in (0.0, 0.5, 9.0, 0.0):
            clock.now_s += passed
            session.post(server.sparql, ASK)
            sent.append(clock.now_s)
    # Two seconds apart: after half a second one and a half are left, and after nine none.
    assert sent == [0.0, 2.0, 11.0, 13.0]


def test_a_token_is_sent_in_the_place_of_any_login_and_cookies_are_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password secret\nmachine localhost login a")
    monkeypatch.setenv("NETRC", str(netrc))
    server.always["sparql"] = reply(200, b"{}", Set_Cookie="session=1; Path=/")
    with make_session(token="of-ann") as session:  # noqa: S106
        for _ in range(2):
            session.post(server.sparql, ASK)
    assert [form["cookie"] for _, form in server.hits] == ["", "session=1"]
    assert server.hits[0][1]["authorization"] == "Bearer of-ann"
