import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from hgld.benchmarks.reviewing.building import hgld_command
from hgld.engine.workspace import Workspace
from hgld.errors import InputError
from hgld.pages.review.serving.server import ServerConfig, serve_review
from hgld.pages.serving.listening import address_of, listen
from hgld.pages.serving.security import Guard
from hgld.review.log.decisions import read_decisions
from tests.hgld.pages.review.conftest import Opener
from tests.hgld.pages.review.served import done, token_of
from tests.worlds.review.lists import write_settings

LAKE, SITE = "Q23397", "Q9259"


class Program:
    """The server as a process."""

    def __init__(self, build: Workspace, *options: str) -> None:
        if build.root.exists():
            write_settings(build)
        words = hgld_command("review", "--root", str(build.root), "--port", "0", "--no-open")
        words += options
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = ""
        self.port = 0

    def wait_for_address(self) -> None:
        assert self.process.stdout is not None
        while not self.port:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line
            if match := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                self.port = int(match[1])

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            headers = {"Cookie": "reviewer=ann"}
            if fields is not None:
                headers["X-Review-Token"] = token_of(self.ask("GET", "/")[1])
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, urlencode(fields or {}), headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def end(self, sent: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(sent)
        self.said += self.process.communicate(timeout=30)[0]
        return self.process.returncode


@pytest.fixture
def program(build: Workspace) -> Iterator[Program]:
    """A server that runs."""
    server = Program(build)
    try:
        server.wait_for_address()
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


def test_it_says_where_it_is_and_ends_on_ctrl_c_without_a_traceback(program: Program) -> None:
    status, text = program.ask("POST", "/act", {"action": "ignore", "qid": SITE})
    assert (status, "Ignored heritage site" in text) == (200, True)
    with socket.create_connection(("127.0.0.1", program.port)) as raw:  # an open stream
        raw.sendall(f"GET /feed?line=0 HTTP/1.1\r\nHost: 127.0.0.1:{program.port}\r\n\r\n".encode())
        assert raw.recv(10)
        assert program.end() == 0
    assert "Ctrl-C ends it" in program.said
    assert "1 event added to the log" in program.said
    assert "Traceback" not in program.said


def test_a_process_that_is_killed_loses_nothing_that_was_told(
    program: Program, build: Workspace, opener: Opener
) -> None:
    for qid in (SITE, LAKE):
        assert program.ask("POST", "/act", {"action": "ignore", "qid": qid})[0] == 200
    assert program.end(signal.SIGKILL) == -signal.SIGKILL
    assert set(read_decisions(build)) == {SITE, LAKE}
    session = opener(build)
    session.undo("ann")
    assert set(read_decisions(build)) == {SITE}


def test_a_foreign_build_or_a_bad_address_ends_with_one_line(
    build: Workspace, tmp_path: Path
) -> None:
    server = Program(Workspace(tmp_path / "none"))
    assert server.process.wait(timeout=60) == 1
    said, _ = server.process.communicate()
    assert "is not there; name the folder of a build with --root" in said
    assert "Traceback" not in said
    server = Program(build, "--host", "0.0.0.0")  # noqa: S104 - refused
    said, _ = server.process.communicate(timeout=60)
    assert "choose a secret with --token" in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_gives_way_to_the_next(caplog: pytest.LogCaptureFixture) -> None:
    with contextlib.closing(listen("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with contextlib.closing(listen("127.0.0.1", port)) as second:
            assert port < second.getsockname()[1] <= port + 20
    assert f"port {port} is taken" in caplog.text


@pytest.mark.parametrize(("host", "port"), [("203.0.113.9", 8000), ("127.0.0.1", 70_000)])
def test_an_address_that_cannot_be_had_is_told(host: str, port: int) -> None:
    with pytest.raises(InputError, match=f"cannot listen on {host} port {port}.*--port"):
        listen(host, port)


def test_the_address_has_the_secret_and_the_brackets_of_ipv6() -> None:
    assert address_of(Guard(port=8000)) == "http://127.0.0.1:8000/"
    assert address_of(Guard(host="::1", port=80, access="x y")) == "http://[::1]:80/?token=x+y"


def test_the_browser_is_opened_and_the_reviewer_checked(
    build: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def opens(url: str) -> bool:
        opened.append(url)
        os.kill(os.getpid(), signal.SIGINT)  # as soon as it runs
        return True

    monkeypatch.setattr("webbrowser.open", opens)
    said: list[str] = []
    with contextlib.suppress(KeyboardInterrupt):
        serve_review(build, ServerConfig(port=0), said.append)
    assert opened
    assert opened[0].startswith("http://127.0.0.1:")
    with pytest.raises(InputError, match="--reviewer: type your name"):
        serve_review(build, ServerConfig(reviewer="  \t"))


def test_two_servers_on_one_build_see_each_other(program: Program, build: Workspace) -> None:
    other = Program(build, "--reviewer", "bob")
    try:
        other.wait_for_address()
        other.ask("POST", "/act", {"action": "ignore", "qid": SITE})
        assert 'data-line="1"' in program.ask("GET", "/")[1]
        assert other.end() == 0
    finally:
        other.process.kill()
        other.process.communicate()


def test_the_session_of_a_served_build_is_read_by_others(
    program: Program, build: Workspace, opener: Opener
) -> None:
    session = opener(build)
    done(session, "bob", "ignore", LAKE)
    assert 'data-line="1"' in program.ask("GET", "/")[1]
