"""A real browser without a window."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hgld.errors import MissingInputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROGRAM = "chromium"
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextlib.contextmanager
def started_chromium() -> Iterator["Browser"]:
    """Starts Chromium with a new profile, and ends it.

    Raises:
        MissingInputError: it is not installed, or playwright is not.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise MissingInputError(f"{PROGRAM} is not installed; apt-get install {PROGRAM}")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise MissingInputError("playwright is not installed; pip install playwright") from error
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()
