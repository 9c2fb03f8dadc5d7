"""The review page as a person at a keyboard has it, in a real browser without a window."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

from hgld.errors import MissingInputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAM = "chromium"
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_TIMEOUT_MS = 30_000
# All that is to come is there, or waits for a dialog to be closed.
_IS_IDLE = """
() => document.querySelector("#bench:not([aria-busy])") && (document.querySelector("dialog[open]")
  || !document.querySelector("#work:not([data-coming='0']), #pane-names[data-coming]"))
"""


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
        with contextlib.closing(browser):
            yield browser


class Desk:
    """A page of the review, used with keys only."""

    def __init__(self, page: "Page", url: str) -> None:
        """Takes a page of a browser, and the address of the review."""
        self.page, self.url = page, url
        page.set_default_timeout(_TIMEOUT_MS)

    def open(self, path: str = "", reviewer: str = "") -> Self:
        """Opens the review; where it asks who reviews, says so."""
        self.page.goto(f"{self.url}{path}")
        self.wait()
        if reviewer and self.layer == "write":
            with self.page.expect_event("load"):  # an address that is put right is no other page
                self.page.keyboard.type(reviewer)
                self.page.keyboard.press("Enter")
        self.wait()
        self.page.wait_for_function("() => document.activeElement !== document.body")
        return self

    def hit(self, key: str) -> None:
        """Presses a key, and waits for nothing."""
        shift = "Shift+" if len(key) == 1 and key.isalpha() and key.isupper() else ""
        self.page.keyboard.press(f"{shift}{key}")

    def wait(self) -> None:
        """Waits until the page has done what it was told."""
        self.page.wait_for_function(_IS_IDLE)

    def tell(self, script: str, argument: object = None) -> Any:  # noqa: ANN401 - JavaScript's
        """Returns what a script finds out."""
        return self.page.evaluate(script, argument)

    @property
    def layer(self) -> str:
        """The topmost dialog; empty where none is open."""
        return str(
            self.tell("() => [...document.querySelectorAll('dialog[open]')].at(-1)?.id ?? ''")
        )
