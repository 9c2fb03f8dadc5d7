"""The lab: a real MediaWiki and a real SPARQL engine."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.worlds.second_lab import write_all_labs
from tests.worlds.second_lab.redirects import Step, steps

_MEDIAWIKI = Path("/usr/share/mediawiki")
_SETTINGS = "conf/LocalSettings.php"


@dataclass(frozen=True, slots=True)
class Lab:
    """A real MediaWiki and a real SPARQL engine on loopback."""

    commons: str
    sparql: str
    folder: Path
    """Writing `lag` into it makes MediaWiki lag; `server.log` has its requests."""
    content: Path
    """The folder of pages.xml.gz, items.json, wikidata.nt.gz and facts.nt.gz, its makings."""

    def requests(self) -> int:
        """Returns how many requests to the API were made."""
        return (self.folder / "server.log").read_text().count("POST /w/api.php")


@pytest.fixture(scope="session")
def lab(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Serves the pages and items of all labs, on free ports; skips without their programs."""
    _require_programs()
    folder, scripts = tmp_path_factory.mktemp("lab"), shared / "wikimedia_lab"
    content = folder / "content"
    content.mkdir()
    write_all_labs(content, scripts)
    shutil.copy(scripts / "facts.nt.gz", content)
    wiki, engine = free_ports(2)
    try:
        _run(["bash", scripts / "start.sh", folder, wiki, engine, content])
        for at_once in steps():
            _move_and_delete(folder, at_once)
        yield Lab(
            commons=f"http://127.0.0.1:{wiki}/w/",
            sparql=f"http://127.0.0.1:{engine}/query",
            folder=folder,
            content=content,
        )
    finally:
        _run(["bash", scripts / "stop.sh", folder])


def _require_programs() -> None:
    missing = [name for name in ("php", "curl", "oxigraph") if _which(name) is None]
    if not _MEDIAWIKI.is_dir():
        missing.append("mediawiki")
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: make packages; pip install oxigraph")


def _which(name: str) -> str | None:
    return shutil.which(name, path=_path())


def _path() -> str:
    # `oxigraph` is beside Python, which is on no PATH unless the environment is activated.
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def _move_and_delete(folder: Path, at_once: Sequence[Step]) -> None:
    """Moves and deletes pages as an administrator does, so that MediaWiki writes its log."""
    scripts = {
        "move": ("moveBatch", "--noredirects"),
        "move and redirect": ("moveBatch",),
        "delete": ("deleteBatch",),
    }
    for kind, script in scripts.items():
        lines = ["|".join(filter(None, titles)) for done, *titles in at_once if done == kind]
        if lines:
            batch = folder / "batch.txt"
            batch.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            _maintain(folder, *script, batch)


def import_files(lab: Lab, files: Path, text: str) -> None:
    """Uploads a folder of files, with a text for the page of each."""
    images = lab.folder / "docroot/images"
    images.mkdir()
    with (lab.folder / _SETTINGS).open("a", encoding="utf-8") as settings:
        settings.write(f'$wgUploadDirectory = "{images}"; $wgUploadPath = "/images";\n')
    _maintain(lab.folder, "importImages", f"--comment={text}", files)
    asked = {"action": "query", "list": "allimages", "ailimit": "1", "format": "json"}
    while "/w/images/" in requests.get(f"{lab.commons}api.php", params=asked, timeout=60).text:
        time.sleep(0.1)  # PHP looks every two seconds whether the settings have changed


def _maintain(folder: Path, *words: object) -> None:
    """Runs a script of MediaWiki."""
    run = ["php", _MEDIAWIKI / "maintenance/run.php", *words]
    _run(run, {"MW_CONFIG_FILE": str(folder / _SETTINGS)})


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


def wait_for(port: int, process: subprocess.Popen[bytes], limit_s: float = 20) -> None:
    """Waits until a server listens on a port."""
    end = time.monotonic() + limit_s
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens on port {port}")


def _run(command: Sequence[object], environment: Mapping[str, str] | None = None) -> None:
    # Not through pipes: the servers that a script leaves behind would hold them open.
    subprocess.run(
        [str(word) for word in command],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {}), "PATH": _path()},
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
