"""A browser, and the page of a build that nobody has decided."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.hgld.pages.review.second.browser.persons import PageProcess
from tests.hgld.pages.review.second.reviewed import write_reviewed

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    """A browser without a window."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("needs chromium: apt-get install chromium")
    pytest.importorskip("playwright", reason="needs playwright: pip install playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(OPTIONS))
        yield browser
        browser.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PageProcess]:
    """The page of a build that nobody has decided."""
    page = PageProcess(write_reviewed(tmp_path / "build", is_decided=False).root)
    page.start()
    yield page
    page.kill()
    assert page.wrong == []
