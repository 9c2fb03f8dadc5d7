"""Persons at the second opinion in a real browser."""

from typing import TYPE_CHECKING

from hgld.benchmarks.reviewing.served import ServedPage
from tests.hgld.pages.looking import AXE

if TYPE_CHECKING:
    from playwright.sync_api import Page


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


def accept_all(page: "Page", server: ServedPage) -> None:
    """Reviews as the review's own keys do it: Enter for each cluster."""
    page.goto(server.url)
    page.wait_for_selector("#bench .member")
    while page.locator("#bench .member.is-open").count():
        before = page.get_attribute("#bench", "data-line")
        page.keyboard.press("Enter")
        page.wait_for_function(
            "line => document.querySelector('#bench').dataset.line !== line", arg=before
        )
