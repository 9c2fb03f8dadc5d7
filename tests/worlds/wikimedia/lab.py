"""The lab: a real MediaWiki and a real SPARQL engine."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.worlds.second_lab import write_all_labs


@dataclass(frozen=True, slots=True)
class Lab:
    """A real MediaWiki and a real SPARQL engine on loopback."""

    commons: str
    sparql: str
    folder: Path
    """Writing `lag` into it makes MediaWiki lag; `server.log` has its requests."""

    def requests(self) -> int:
        """Returns how many requests to the API were made."""
        return (self.folder / "server.log").read_text().count("POST /w/api.php")


@pytest.fixture(scope="session")
def lab(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Serves the pages and items of both labs on free ports; skips without their programs.

    MediaWiki takes half a minute to import the pages, in memory: on a disk it takes minutes.
    """
    # `oxigraph` is beside Python, which is on no PATH unless the environment is activated.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    programs = ("php", "curl", "oxigraph", "/usr/share/mediawiki/maintenance/run.php")
    if missing := [name for name in programs if shutil.which(name, os.F_OK, path) is None]:
        pytest.skip(f"needs {', '.join(missing)}: make packages; pip install oxigraph")
    scripts, folder = shared / "wikimedia_lab", tmp_path_factory.mktemp("lab")
    content = folder / "content"
    content.mkdir()
    write_all_labs(content, scripts)
    wiki, engine = free_ports(2)

    def run(*command: object) -> None:
        # Not through pipes: the servers that a script leaves behind would hold them open.
        words, nowhere = [str(word) for word in command], subprocess.DEVNULL
        environment = os.environ | {"PATH": path}
        subprocess.run(words, check=True, stdout=nowhere, stderr=nowhere, env=environment)

    try:
        run("bash", scripts / "start.sh", folder, wiki, engine, content)
        commons, sparql = f"http://127.0.0.1:{wiki}/w/", f"http://127.0.0.1:{engine}/query"
        yield Lab(commons=commons, sparql=sparql, folder=folder)
    finally:
        run("bash", scripts / "stop.sh", folder)


@contextlib.contextmanager
def lagging(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Makes MediaWiki lag until it is waited for; gives the seconds of each wait."""
    lag, waits = lab.folder / "lag", list[float]()
    lag.write_text("7.25")

    def wait(seconds: float) -> None:
        waits.append(seconds)
        lag.unlink(missing_ok=True)

    monkeypatch.setattr("hgld.http.patience.sleep", wait)
    try:
        yield waits
    finally:
        lag.unlink(missing_ok=True)


def wait_for(port: int, process: subprocess.Popen[bytes], limit_s: float) -> None:
    """Waits until a server listens on a port."""
    end = time.monotonic() + limit_s
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def free_ports(count: int) -> list[int]:
    """Returns ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
