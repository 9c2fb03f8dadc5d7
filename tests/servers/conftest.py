"""What the tests of real servers and of the browser share."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.reviewing.desk import started_chromium
from tests.worlds.commands.once import made_once
from tests.worlds.commands.readme import ROOT
from tests.worlds.commands.typed import run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_Started = tuple["Browser", asyncio.AbstractEventLoop]

_LONGEST_FIRST = (
    "test_readme.py",  # makes the demo, which two of the following take
    "flows/test_operating.py",
    "flows/test_end_to_end.py",
    "test_tutorial.py",
    "scrape",
    "flows",
    "training",
    "pages",
)
"""What begins late leaves one process alone at the end.

The process that the first file leaves alone takes most that need a MediaWiki: 20 s to start one.
"""

_HERE = Path(__file__).parent
VENV = Path(sys.executable).parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has the longest files come first."""

    def place(item: pytest.Item) -> int:
        if not item.path.is_relative_to(_HERE):
            return -1
        name = item.path.relative_to(_HERE).as_posix()
        found = (n for n, one in enumerate(_LONGEST_FIRST) if f"{name}/".startswith(f"{one}/"))
        return next(found, len(_LONGEST_FIRST))

    items.sort(key=place)


def make(target: str, *settings: str) -> list[str]:
    """Returns the command that makes a target of the Makefile with what runs the tests.

    Nothing is installed: the environment may be that of another checkout.
    """
    installed = (f"--old-file={VENV}/.installed-{extra}" for extra in ("all", "docs"))
    return ["make", *installed, target, f"VENV={VENV}", *settings]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make demo` left its build in, with what it printed; nobody changes it."""
    return made_once(tmp_path_factory, "demo", _make_demo)


def _make_demo(folder: Path) -> None:
    printed = run(make("demo", f"ARGS=--root {folder / 'demo-build'}"), ROOT)
    (folder / "printed.txt").write_text(printed, encoding="utf-8")


@pytest.fixture(scope="session")
def _started_chromium() -> Iterator[_Started]:
    """The browser of this worker, and the loop of asyncio that playwright keeps for it."""
    with started_chromium() as browser:
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)
        yield browser, loop
        asyncio._set_running_loop(loop)


@pytest.fixture
def chromium(_started_chromium: _Started) -> Iterator["Browser"]:
    """The browser: one a worker; each test gets contexts of its own.

    Playwright's loop counts as running only during the test: `asyncio.run` of other tests would
    refuse to work beside it.
    """
    browser, loop = _started_chromium
    asyncio._set_running_loop(loop)
    yield browser
    asyncio._set_running_loop(None)
