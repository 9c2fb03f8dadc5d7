"""Persons at the second opinion in a real browser, and a server that can be killed."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ROOT = Path(__file__).resolve().parents[6]
AXE = ROOT / "tests/hgld/pages/review/vendor/axe.min.js"
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}


@dataclass
class PageProcess:
    """A server of its own process, which can be killed and started again on its port."""

    root: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None
    killed: list[int] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Errors of scripts, and addresses asked for elsewhere."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        program = [sys.executable, "-m", "tests.hgld.pages.review.second.reviewed"]
        self.process = subprocess.Popen(
            [*program, str(self.root), str(self.port)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                self.port = int(found[1])
                break
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.url}/second", timeout=5).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the page does not answer")

    def kill(self) -> None:
        """Ends it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.killed.append(self.process.wait(20))
        assert self.process.stdout is not None
        self.process.stdout.close()


def seat(browser: "Browser", server: PageProcess, who: str, **more: object) -> "Page":
    """Returns a page of a person's own browser; what goes wrong in it is gathered."""
    options = {"viewport": WIDE} | more
    context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type]
    context.add_cookies([{"name": "reviewer", "value": who, "url": server.url}])
    page = context.new_page()
    wrong = server.wrong
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda sent: None if sent.url.startswith(server.url) else wrong.append(sent.url)
    )
    return page


def asked(page: "Page") -> str:
    return page.input_value("input[name=qid]")


def answer(page: "Page", said: str | None) -> None:
    """Answers the class that is asked, by keys."""
    qid = asked(page)
    if said is None:
        page.keyboard.press("i")
    elif said == "?":
        page.keyboard.press("?")
    else:
        page.keyboard.press("r")
        page.keyboard.type(said[:3])
        page.keyboard.press("Enter")
    page.wait_for_function(
        "qid => document.querySelector('input[name=qid]')?.value !== qid", arg=qid
    )
    assert page.evaluate("document.activeElement.id") == "h-second"


def serious(page: "Page") -> list[str]:
    """Returns what axe finds that would keep somebody out."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    return [
        f"{one['id']}: {one['nodes'][0]['html']}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


def accept_all(page: "Page", server: PageProcess) -> None:
    """Reviews as the review's own keys do it: Enter for each cluster."""
    page.goto(server.url)
    page.wait_for_selector("#bench .member")
    while page.locator("#bench .member.is-open").count():
        before = page.get_attribute("#bench", "data-line")
        page.keyboard.press("Enter")
        page.wait_for_function(
            "line => document.querySelector('#bench').dataset.line !== line", arg=before
        )
