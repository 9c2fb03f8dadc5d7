"""The HTTP policy against a server that misbehaves on command; each fault is proven to fire."""

import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

import hgld
from hgld.errors import AnswerError, FetchError, InputError
from hgld.http.patience import HttpPolicy
from hgld.http.session import failure, make_session, require_contact, user_agent
from tests.worlds.gldv2.faulty_server import faulty
from tests.worlds.wikimedia.faults import Fault, drip, hang_up, reply, stall
from tests.worlds.wikimedia.scraping import FAST_POLICY, post
from tests.worlds.wikimedia.small import Server, serving


def test_the_user_agent_names_the_program_the_operator_and_the_library(server: Server) -> None:
    with make_session("ann@example.org") as session:
        session.post(server.sparql, data={"query": "ASK {}"})
    expected = f"hgld/{hgld.__version__} (ann@example.org) python-requests/{requests.__version__}"
    assert server.hits[0][1]["user-agent"] == expected == user_agent("ann@example.org")


def test_another_machine_is_not_asked_without_a_contact() -> None:
    with pytest.raises(InputError, match="--contact"):
        require_contact(" ", "http://127.0.0.1/w/", "https://commons.wikimedia.org/w/")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_this_machine_asks_for_no_contact(host: str) -> None:
    require_contact("", f"http://{host}:8090/w/")


@pytest.mark.parametrize("contact", ["a@b.org\r\nX-Evil: 1", "Ørsted"])
def test_a_contact_that_no_header_can_carry_is_refused(contact: str) -> None:
    with pytest.raises(InputError, match="ASCII"):
        require_contact(contact, "https://commons.wikimedia.org/w/")


@pytest.mark.fault(138, "5xx, short, broken, stalled or dripping answer")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_tried_again(server: Server, waits: list[float], status: int) -> None:
    server.faults["sparql", 0] = reply(status, b"oops")
    assert post(server).ok
    assert server.count("sparql") == 2
    assert waits == [0.01]


def test_a_file_that_is_sent_again_is_sent_from_its_beginning(
    tmp_path: Path, waits: list[float]
) -> None:
    bodies: list[bytes] = []

    def taking(status: int) -> Fault:
        def take(request: BaseHTTPRequestHandler) -> None:
            bodies.append(request.rfile.read(int(request.headers["Content-Length"])))
            reply(status, b"")(request)

        return take

    path = tmp_path / "file"
    path.write_bytes(b"content")
    with (
        faulty(taking(503), taking(200)) as server,
        make_session(policy=FAST_POLICY) as session,
        path.open("rb") as file,
    ):
        assert session.post(server.url, data=file).ok
    assert bodies == [b"content"] * 2
    assert len(waits) == 1


def test_a_server_error_that_stays_is_given_up_after_so_many_attempts(
    server: Server, waits: list[float]
) -> None:
    server.always["sparql"] = reply(500, b"oops")
    with pytest.raises(requests.exceptions.RetryError, match="500"):
        post(server)
    assert server.count("sparql") == FAST_POLICY.attempts
    assert len(waits) == FAST_POLICY.attempts - 1


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_refusal_is_not_tried_again(server: Server, status: int) -> None:
    server.always["sparql"] = reply(status, b"no")
    assert post(server).status_code == status
    assert server.count("sparql") == 1


@pytest.mark.fault(138, "5xx, short, broken, stalled or dripping answer")
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
    assert b"bindings" in post(server).content
    assert server.fired == ["sparql"]
    assert len(waits) == 1


def test_a_body_longer_than_announced_is_cut_where_it_was_announced_to_end(server: Server) -> None:
    server.faults["sparql", 0] = reply(200, b"{}garbage", Content_Length="2")
    assert post(server).content == b"{}"


@pytest.mark.fault(139, "answer that drips for ever")
@pytest.mark.parametrize("where", ["body", "headers", "size of a chunk"])
def test_an_answer_that_drips_for_ever_ends_at_the_deadline(server: Server, where: str) -> None:
    server.always["sparql"] = drip(0.02, where)
    # The time-out for a read is never met.
    policy = HttpPolicy(read_timeout_s=30, deadline_s=0.3, attempts=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        post(server, policy)
    assert server.fired == ["sparql"]


def test_a_slow_request_is_not_repeated_where_the_policy_says_so(server: Server) -> None:
    server.always["sparql"] = stall(1.0)
    with pytest.raises(requests.exceptions.ReadTimeout):
        post(server, HttpPolicy(read_timeout_s=0.2, repeats_slow=False))
    assert server.count("sparql") == 1


def test_a_server_that_was_never_there_is_not_waited_for(waits: list[float]) -> None:
    with (
        make_session(policy=FAST_POLICY) as session,
        pytest.raises(requests.ConnectionError) as caught,
    ):
        session.get(f"http://127.0.0.1:{_closed_port()}/")
    assert waits == []
    error = failure("http://127.0.0.1:1/w/", caught.value)
    assert type(error) is FetchError
    assert "refused" in str(error)


def test_a_server_that_goes_away_is_waited_for(waits: list[float]) -> None:
    with make_session(policy=FAST_POLICY) as session:
        with serving() as server:
            url = server.sparql
            session.post(url, data={"query": "ASK {}"})
        with pytest.raises(requests.ConnectionError):
            session.post(url, data={"query": "ASK {}"})
    assert len(waits) == FAST_POLICY.attempts - 1


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
        with make_session(policy=policy) as session, pytest.raises(requests.ConnectTimeout):
            session.get(f"http://127.0.0.1:{address[1]}/")
        for one in queue:
            one.close()


@pytest.mark.fault(140, "redirect loop")
def test_a_redirect_loop_ends(server: Server) -> None:
    server.always["sparql"] = reply(307, b"", Location=server.sparql)
    with pytest.raises(requests.TooManyRedirects) as caught:
        post(server)
    assert server.count("sparql") == 6
    assert isinstance(failure(server.sparql, caught.value), AnswerError)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_means_that_address_or_contact_are_wrong(server: Server, status: int) -> None:
    server.always["sparql"] = reply(status, b"no")
    with pytest.raises(requests.HTTPError) as caught:
        post(server).raise_for_status()
    error = failure(server.sparql, caught.value)
    assert not isinstance(error, AnswerError)
    assert str(status) in str(error)
    assert "--contact" in str(error)


def _closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
