"""A Prefect server that lives as long as who started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hgld.errors import InputError

STARTS_ONE = """
import sys, time
from pathlib import Path
from hgld.flows.server import temporary_server

with temporary_server(Path(sys.argv[1])) as address:
    print(address, flush=True)
    time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def children_of(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until_gone(pid: int, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_running(pid)


@pytest.mark.fault(108, "kill of who started a Prefect server")
def test_a_server_ends_with_who_started_it_also_where_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        (server,) = children_of(process.pid)
        assert is_running(server)
        os.kill(process.pid, signal.SIGKILL)
        assert process.stdout.read() == ""  # so nobody else holds it open
        assert process.wait() == -signal.SIGKILL
        wait_until_gone(server)


def test_a_server_answers_shows_its_page_and_ends_with_the_block(tmp_path: Path) -> None:
    import httpx

    from hgld.flows.server import temporary_server

    with temporary_server(tmp_path) as address:
        assert httpx.get(f"{address}/api/health").json() is True
        page = httpx.get(address, follow_redirects=True)
        assert page.headers["content-type"].startswith("text/html")
        assert f"{address}/api" in httpx.get(f"{address}/ui-settings").text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/api/health")


def test_a_server_that_does_not_start_is_one_line_that_names_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hgld.flows.server import temporary_server

    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "nonsense://")
    with (
        pytest.raises(InputError, match=r"did not start; \S+server.log says why"),
        temporary_server(tmp_path),
    ):
        pass
    assert (tmp_path / "server.log").stat().st_size > 0
