"""A real MediaWiki and a real SPARQL engine on loopback, with as many pages as are wanted.

MediaWiki is Debian's package, on SQLite; its pages are written straight into its tables, since its
own import takes a day for as many as GLDv2 has landmarks. The SPARQL engine is oxigraph.
"""

import contextlib
import hashlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hgld.benchmarks.speed.scraping.rehearsal_world import Landmark, class_triples

_MEDIAWIKI = Path("/usr/share/mediawiki")
_REDIRECTS = "Category_redirects"
_CATEGORY = 14  # the namespace
_NOW = "20261101000000"
_SETTINGS = """
$wgMainCacheType = $wgMessageCacheType = $wgParserCacheType = CACHE_NONE;
$wgSessionCacheType = CACHE_DB;
$wgRateLimits = [];
$wgJobRunRate = 0;
"""
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class LocalWikimedia:
    """The running servers."""

    commons: str
    """Address of the folder of api.php."""
    sparql: str
    _folder: Path

    def api_requests(self) -> int:
        """Counts the requests that MediaWiki's server has logged."""
        return (self._folder / "php.log").read_text(encoding="utf-8").count("POST /w/api.php")

    def move_on(self, landmarks: Iterable[int]) -> None:
        """Makes of these landmarks' pages what they are later."""
        with contextlib.closing(_database(self._folder)) as database, database:
            for landmark in (Landmark(number=number, later=True) for number in landmarks):
                key = (_CATEGORY, _db_key(landmark.title))
                found = "SELECT page_id FROM page WHERE page_namespace = ? AND page_title = ?"
                if landmark.kind == "gone":
                    database.execute(f"DELETE FROM page WHERE page_id = ({found})", key)  # noqa: S608 - no input in it
                else:
                    database.execute(
                        f"UPDATE page_props SET pp_value = ? WHERE pp_page = ({found})",  # noqa: S608 - no input in it
                        (landmark.page_item, *key),
                    )


def missing_programs() -> list[str]:
    """Returns what has to be installed before the servers can run."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    missing = [name for name in ("php", "oxigraph") if shutil.which(name, path=path) is None]
    return missing + ([] if _MEDIAWIKI.is_dir() else ["mediawiki"])


def mediawiki_version() -> str:
    """Returns the version of the MediaWiki that is installed, as its source has it."""
    defines = (_MEDIAWIKI / "includes" / "Defines.php").read_text(encoding="utf-8")
    return defines.partition("define( 'MW_VERSION', '")[2].partition("'")[0]


@contextlib.contextmanager
def local_wikimedia(folder: Path, landmarks: int) -> Iterator[LocalWikimedia]:
    """Makes the world, and serves it until the end of the block.

    Args:
        folder: an empty folder, best on a RAM disk.
        landmarks: how many landmarks the world has, numbered from 1.

    Yields:
        The servers' addresses.

    Raises:
        RuntimeError: a server does not start.
    """
    api, sparql = _free_port(), _free_port()
    _install(folder, api)
    with contextlib.closing(_database(folder)) as database, database:
        _write_pages(database, landmarks)
    with (folder / "wikidata.nt").open("w", encoding="utf-8") as file:
        file.writelines(class_triples())
        for number in range(1, landmarks + 1):
            file.writelines(_facts(number))
    oxigraph = str(Path(sys.executable).with_name("oxigraph"))
    store = ["--location", str(folder / "oxigraph")]
    _run([oxigraph, "load", *store, "--file", str(folder / "wikidata.nt")])
    with (
        _serving(["php", "-S", f"127.0.0.1:{api}", "-t", str(folder / "www")], folder / "php.log"),
        _serving(
            [oxigraph, "serve-read-only", *store, "--bind", f"127.0.0.1:{sparql}"],
            folder / "oxigraph.log",
        ),
    ):
        for port in (api, sparql):
            _wait_for(port)
        yield LocalWikimedia(
            f"http://127.0.0.1:{api}/w/", f"http://127.0.0.1:{sparql}/query", folder
        )


def _facts(number: int) -> Iterator[str]:
    """Yields the facts of a landmark's items, now and later."""
    now, later = Landmark(number=number), Landmark(number=number, later=True)
    yield from now.triples()
    if later.page_item not in {now.page_item, ""}:
        yield from later.triples()


def _install(folder: Path, port: int) -> None:
    """Installs an empty MediaWiki below a folder."""
    for name in ("data", "conf", "www"):
        (folder / name).mkdir()
    (folder / "www" / "w").symlink_to(_MEDIAWIKI)
    settings = {
        "--confpath": folder / "conf",
        "--dbtype": "sqlite",
        "--dbpath": folder / "data",
        "--dbname": "commons",
        "--server": f"http://127.0.0.1:{port}",
        "--scriptpath": "/w",
        "--pass": "for-this-machine-alone",
    }
    options = [str(part) for pair in settings.items() for part in pair]
    run = str(_MEDIAWIKI / "maintenance" / "run.php")
    _run(["php", run, "install", *options, "Rehearsal", "Admin"])
    with _local_settings(folder).open("a", encoding="utf-8") as file:
        file.write(_SETTINGS)


def _local_settings(folder: Path) -> Path:
    return folder / "conf" / "LocalSettings.php"


def _database(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "data" / "commons.sqlite")


def _db_key(title: str) -> str:
    """Returns a category's title as MediaWiki's tables have it."""
    return title.removeprefix("Category:").replace(" ", "_")


def _write_pages(database: sqlite3.Connection, landmarks: int) -> None:
    """Writes every page, with its revision, text, item and redirect."""
    pages = _Pages(database)
    for number in range(1, landmarks + 1):
        landmark = Landmark(number=number)
        match landmark.kind:
            case "gone":
                continue
            case "soft" | "loop":
                target = landmark.page_title.removeprefix("Category:")
                pages.add(landmark.title, text=f"{{{{Category redirect|1={target}}}}}")
            case "hard":
                pages.add(landmark.title, redirect=landmark.page_title)
        if landmark.kind != "loop":
            pages.add(landmark.page_title, item=landmark.page_item)


class _Pages:
    """Writes pages into the tables of a MediaWiki that has just been installed."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        # Numbers of pages, revisions and texts go on after those of the main page.
        self._page: int = database.execute("SELECT max(page_id) FROM page").fetchone()[0]
        self._revision: int = database.execute("SELECT max(rev_id) FROM revision").fetchone()[0]
        self._text: int = database.execute("SELECT max(old_id) FROM text").fetchone()[0]

    def add(self, title: str, *, text: str = "", item: str = "", redirect: str = "") -> None:
        """Writes a page. One with a text is a soft redirect, and in the category of those."""
        self._page += 1
        self._revision += 1
        self._insert(
            "page",
            page_id=self._page,
            page_namespace=_CATEGORY,
            page_title=_db_key(title),
            page_is_redirect=int(bool(redirect)),
            page_random=0.5,
            page_touched=_NOW,
            page_latest=self._revision,
            page_len=len(text.encode()),
        )
        self._insert(
            "revision",
            rev_id=self._revision,
            rev_page=self._page,
            rev_comment_id=1,
            rev_actor=1,
            rev_timestamp=_NOW,
        )
        self._insert(
            "slots",
            slot_revision_id=self._revision,
            slot_role_id=1,
            slot_content_id=self._content(text) if text else 1,
            slot_origin=self._revision,
        )
        if item:
            self._insert(
                "page_props", pp_page=self._page, pp_propname="wikibase_item", pp_value=item
            )
        if redirect:
            self._insert(
                "redirect",
                rd_from=self._page,
                rd_namespace=_CATEGORY,
                rd_title=_db_key(redirect),
                rd_interwiki="",
                rd_fragment="",
            )
        if text:
            self._insert(
                "categorylinks",
                cl_from=self._page,
                cl_to=_REDIRECTS,
                cl_sortkey=_db_key(title),
                cl_timestamp=_NOW,
                cl_type="subcat",
            )

    def _content(self, text: str) -> int:
        """Writes a text; its number is that of its content too, as with the main page's."""
        self._text += 1
        sha1 = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self._insert("text", old_id=self._text, old_text=text, old_flags="utf-8")
        self._insert(
            "content",
            content_id=self._text,
            content_size=len(text.encode()),
            content_sha1=sha1,
            content_model=1,
            content_address=f"tt:{self._text}",
        )
        return self._text

    def _insert(self, table: str, **row: str | float) -> None:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self._database.execute(
            f"INSERT INTO {table} ({names}) VALUES ({marks})",  # noqa: S608 - names of our own
            tuple(row.values()),
        )


@contextlib.contextmanager
def _serving(command: list[str], log: Path) -> Iterator[None]:
    """Runs a server as long as the block."""
    environment = {**os.environ, "MW_CONFIG_FILE": str(_local_settings(log.parent))}
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=file, env=environment) as process,  # noqa: S603 - our own
    ):
        try:
            yield
        finally:
            process.terminate()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if done.returncode:
        raise RuntimeError(
            f"{' '.join(command[:3])} failed: {done.stdout[-500:]}{done.stderr[-500:]}"
        )


def _wait_for(port: int) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"no server listens on port {port} after {_START_S:g} s")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
