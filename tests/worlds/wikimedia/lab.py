"""What tests of the scrape share: settings, a run that dies, and the lab of real servers."""

import contextlib
import gzip
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import requests

from hgld.engine.workspace import Workspace
from hgld.http.patience import HttpPolicy
from hgld.http.session import make_session
from hgld.scrape.parents.stage import ParentsConfig, run_parents
from hgld.scrape.stage import ScrapeConfig, run_scrape
from hgld.tables import CATEGORIES
from tests.worlds.commands.once import made_once
from tests.worlds.wikimedia.small import CATEGORIES_CSV, Server, serving

_RAM_DISK = "/dev/shm"  # noqa: S108 - a folder with a name of its own is made in it


STATUSES = {
    1: "ok",
    2: "ok",
    3: "ok",
    4: "redirect_loop",
    5: "no_item",
    6: "ok",
    7: "ok",
    8: "no_p31",
    9: "ok",
    10: "ok",
    11: "no_page",
    12: "no_page",
    13: "ok",
    14: "redirect_loop",
    15: "no_page",
}
"""Landmark of `CATEGORIES_CSV` to the status it ends in."""


def statuses_of(workspace: Workspace) -> dict[int, str]:
    """Returns landmark_id to status, of what is written, finished or not."""
    rows = [
        row for shard in workspace.shards(CATEGORIES) for row in pq.read_table(shard).to_pylist()
    ]
    assert len(rows) == len({row["landmark_id"] for row in rows})
    return {row["landmark_id"]: row["status"] for row in rows}


def fast_config(server: Server, **settings: Any) -> ScrapeConfig:  # noqa: ANN401 - any setting
    """Returns settings for small batches and short waits against a server."""
    defaults: dict[str, Any] = {
        "titles_per_request": 4,
        "items_per_request": 3,
        "backoff_s": 0.01,
        "failure_pause_s": 0.0,
        "read_timeout_s": 5.0,
    }
    addresses = {"commons": server.commons, "sparql": server.sparql}
    return ScrapeConfig(**{**addresses, **defaults, **settings})


FAST_POLICY = HttpPolicy(
    backoff_s=0.01, connect_timeout_s=0.5, read_timeout_s=0.5, deadline_s=1.0, attempts=3
)


def post(server: Server, policy: HttpPolicy = FAST_POLICY) -> requests.Response:
    """Asks a server for one item, under a policy of short waits."""
    with make_session(policy=policy) as session:
        return session.post(server.sparql, data={"query": "VALUES ?item { wd:Q1 }"})


def scrape_child(root: Path, config: ScrapeConfig, categories: Path, die_at: int) -> None:
    """Runs the scrape as the target of a process; kills itself with SIGKILL at a write point.

    Args:
        root: the workspace.
        config: the settings.
        categories: the input.
        die_at: as in `_die_at`.
    """
    _die_at(die_at)
    run_scrape(Workspace(root), config, categories)


def parents_child(root: Path, config: ScrapeConfig, die_at: int) -> None:
    """Runs the parents as `scrape_child` does the scrape."""
    _die_at(die_at)
    run_parents(Workspace(root), ParentsConfig(), config)


def _die_at(die_at: int) -> None:
    """Has this process kill itself with SIGKILL at a write point.

    Args:
        die_at: 2n dies before the n-th rename of a finished file, 2n + 1 after it; negative never.
    """
    renames = 0
    replace = os.replace

    def replace_or_die(source: str, target: str) -> None:
        nonlocal renames
        if die_at == 2 * renames:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if die_at == 2 * renames + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        renames += 1

    os.replace = replace_or_die  # type: ignore[assignment] # what `Path.replace` calls


@pytest.fixture
def server() -> Iterator[Server]:
    """The small Wikimedia, running."""
    with serving() as running:
        yield running


@pytest.fixture
def categories(tmp_path: Path) -> Path:
    """A CSV file of landmarks to look up in it."""
    path = tmp_path / "categories.csv"
    path.write_text(CATEGORIES_CSV, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The digests that an undisturbed scrape of the small Wikimedia leaves."""
    folder = tmp_path_factory.mktemp("clean")
    (folder / "categories.csv").write_text(CATEGORIES_CSV, encoding="utf-8")
    with serving() as server:
        report = run_scrape(
            Workspace(folder / "build"), fast_config(server), folder / "categories.csv"
        )
    return report.manifest.outputs


@dataclass(frozen=True, slots=True)
class Lab:
    """A real MediaWiki and a real SPARQL engine on loopback."""

    commons: str
    sparql: str
    folder: Path
    """Writing `lag` into it makes MediaWiki lag; `server.log` has its requests."""


@pytest.fixture(scope="session")
def lab(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Starts the lab's servers once, on free ports; skips where their programs are missing.

    MediaWiki takes 24 s to import the pages: the first of the processes that run the tests does,
    and the others copy what came of it.
    """
    content, running = shared / "wikimedia_lab", list[Lab]()
    with contextlib.ExitStack() as stack:

        def start(kept: Path) -> None:
            running.append(stack.enter_context(serving_lab(shared, content)))
            shutil.copytree(running[0].folder / "data", kept / "data")
            for name in ("items.json", "wikidata.nt.gz"):
                shutil.copy(content / name, kept)
            (kept / "pages.xml.gz").write_bytes(gzip.compress(b"<mediawiki/>"))

        kept = made_once(tmp_path_factory, "lab", start)
        if not running:
            running.append(stack.enter_context(serving_lab(shared, kept)))
            shutil.copytree(kept / "data", running[0].folder / "data", dirs_exist_ok=True)
        yield running[0]


@contextlib.contextmanager
def serving_lab(shared: Path, content: Path) -> Iterator[Lab]:
    """Starts a lab's servers on free ports; skips where their programs are missing.

    Args:
        shared: where the scripts are that start and stop them.
        content: the folder of pages.xml.gz, items.json and wikidata.nt.gz.
    """
    # `oxigraph` is beside Python, which is on no PATH unless the environment is activated.
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    programs = ("php", "curl", "oxigraph")
    missing = [name for name in programs if shutil.which(name, path=path) is None]
    if not Path("/usr/share/mediawiki").is_dir():
        missing.append("mediawiki")
    if missing:
        pytest.skip(
            f"needs {', '.join(missing)}: apt-get install -y --no-install-recommends mediawiki "
            f"php-cli php-sqlite3 php-mbstring php-xml php-intl curl; pip install oxigraph"
        )
    # SQLite on a RAM disk makes the import ten times faster.
    ram = _RAM_DISK if os.access(_RAM_DISK, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="hgld-lab-", dir=ram))
    ports = [str(port) for port in free_ports(2)]
    scripts = shared / "wikimedia_lab"
    try:
        _run(["bash", str(scripts / "start.sh"), str(folder), *ports, str(content)], path)
        yield Lab(
            commons=f"http://127.0.0.1:{ports[0]}/w/",
            sparql=f"http://127.0.0.1:{ports[1]}/query",
            folder=folder,
        )
    finally:
        _run(["bash", str(scripts / "stop.sh"), str(folder)], path)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def lagging(lab: Lab, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Makes the lab's MediaWiki lag until the log says that it is waited for."""
    lag = lab.folder / "lag"
    lag.write_text("7.25")
    lifter = threading.Thread(target=_lift_when_waiting, args=(lag, caplog))
    lifter.start()
    try:
        yield
    finally:
        lag.unlink(missing_ok=True)
        lifter.join()


def _lift_when_waiting(lag: Path, caplog: pytest.LogCaptureFixture) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and "trying again" not in caplog.text:
        time.sleep(0.05)
    lag.unlink(missing_ok=True)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until a server listens on a port."""
    end = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def _run(command: Sequence[str], path: str) -> None:
    # Not through pipes: the servers that the script leaves behind would hold them open.
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PATH": path},
    )


def free_ports(count: int) -> list[int]:
    """Returns ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
