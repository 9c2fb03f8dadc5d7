import contextlib
import http.client
import os
import re
import signal
import socket

import pytest

from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.flows.cli.signals import ended_by_signals
from hgld.pages.review.server import serve_review
from hgld.pages.serving.listening import address_of, listen
from hgld.pages.serving.security import Guard
from hgld.review.log.decisions import read_decisions
from tests.hgld.pages.review.served import FORM
from tests.worlds.forked import Forked
from tests.worlds.review.lists import small_settings

SITE = "Q9259"


def serve(build: Workspace, said: int) -> None:
    """Serves the page in a process of its own, which says on a pipe what it would print."""
    with ended_by_signals():  # as the command does
        serve_review(
            build,
            Guard(port=0),
            reviewer="",
            propose=small_settings(build),
            opens_browser=False,
            say=lambda text: print_to(said, text),
        )


def print_to(pipe: int, text: str) -> None:
    os.write(pipe, f"{text}\n".encode())


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_page_that_is_stopped_keeps_what_was_decided_and_says_so_on_ctrl_c(
    build: Workspace, stop: signal.Signals
) -> None:
    read, write = os.pipe()
    page = Forked(lambda: serve(build, write))
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as said:
        address = next(found for line in said if (found := re.search(r"127\.0\.0\.1:\d+", line)))
        with contextlib.closing(http.client.HTTPConnection(address[0])) as connection:
            connection.request("GET", "/", headers={"Cookie": "reviewer=ann"})
            text = connection.getresponse().read().decode()
            token = re.findall(r'name="review-token" content="([^"]+)"', text)[0]
            headers = {"X-Review-Token": token, "Content-Type": FORM, "Cookie": "reviewer=ann"}
            connection.request("POST", "/act", f"action=ignore&qid={SITE}", headers)
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
            connection.request("GET", "/feed?line=0")  # a stream, which ends with the server
            assert connection.getresponse().readline()
            os.kill(page.pid, stop)
            status, farewell = page.ended(), said.read()
    assert set(read_decisions(build)) == {SITE}
    assert status == (0 if stop == signal.SIGINT else -stop)
    assert ("1 event" in farewell) == (stop == signal.SIGINT)


def test_a_port_that_is_taken_gives_way_to_the_next_and_one_that_cannot_be_had_is_told() -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as first:
        assert first.proto == socket.IPPROTO_TCP  # else asyncio does not set TCP_NODELAY
        port = first.getsockname()[1]
        with contextlib.closing(listen("127.0.0.1", port)) as second:
            assert port < second.getsockname()[1] <= port + 20
    for host, port in (("203.0.113.9", 8000), ("127.0.0.1", 70_000)):
        with pytest.raises(InputError, match="--port"):
            listen(host, port)


def test_the_address_has_the_secret_and_the_brackets_of_ipv6() -> None:
    assert address_of(Guard(port=8000)) == "http://127.0.0.1:8000/"
    assert address_of(Guard(host="::1", port=80, access="x y")) == "http://[::1]:80/?token=x+y"
