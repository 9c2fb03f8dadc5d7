"""The review page as a person at a keyboard has it: served, in a browser without a window."""

import contextlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hgld.errors import InputError, MissingInputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# The first that is there: without a window it takes a third less of the processor.
_PROGRAMS = ("chromium-headless-shell", "chromium")
_OPTIONS = ("--disable-gpu", "--disable-quic")
_TIMEOUT_MS = 30_000
_END_S = 20.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
_HGLD = [sys.executable, "-c", "from hgld.flows.cli.commands import main; main()"]
_IS_IDLE = "() => document.querySelector('#desk') && !document.body.hasAttribute('aria-busy')"


@contextlib.contextmanager
def started_chromium() -> Iterator["Browser"]:
    """Starts Chromium with a new profile, and ends it.

    Raises:
        MissingInputError: it is not installed.
        ImportError: playwright is not.
    """
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise MissingInputError(f"Chromium is not installed; apt-get install {_PROGRAMS[0]}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=_OPTIONS)
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
        if reviewer and self.layer == "pick":
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


def call_hgld(*arguments: str) -> None:
    """Runs `hgld` with arguments; what it says is told only where it fails.

    Raises:
        InputError: it failed; the text is what it said.
    """
    command = [*_HGLD, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise InputError(f"{' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")


class ServedPage:
    """The page of a build, on a port that is free; `with` starts the server and ends it."""

    def __init__(self, root: Path) -> None:
        """Names the build."""
        self.root, self._port = root, 0

    def __enter__(self) -> Self:
        """Starts the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the server as Ctrl-C does, if it still runs."""
        self._end(signal.SIGINT)

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Starts the server, on the port that it had, and waits for its address.

        Raises:
            RuntimeError: it ended without an address; it says why on its standard error.
        """
        arguments = ["review", "--root", str(self.root), "--no-open", "--port", str(self._port)]
        self.process = subprocess.Popen(  # noqa: S603 - our own code
            [*_HGLD, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        found = next(filter(None, map(_ADDRESS.search, self.process.stdout or ())), None)
        if found is None:
            self.kill()
            raise RuntimeError(f"the server of {self.root} did not start")
        self._port = int(found[1])

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        self.process.send_signal(number)  # which does nothing where it has ended
        # Not `communicate`: processes of its own may outlive it, and hold what it wrote to.
        with self.process.stdout or contextlib.nullcontext():
            try:
                self.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise
