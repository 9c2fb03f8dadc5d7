"""Two persons in a real browser: one has reviewed, the other decides again, blind, by keys alone."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_decisions, read_log
from hgld.review.log.history import standing_of
from tests.hgld.pages.review.desks.reviewed import ANSWERS, write_reviewed
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, troubles
from tests.servers.pages.serving import OpenReview

if TYPE_CHECKING:
    from playwright.sync_api import Page

_IDLE = "() => !document.body.hasAttribute('aria-busy')"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return write_reviewed(tmp_path / "build").root


def seat(
    served: OpenReview, opener: Opener, who: str, path: str = "second", **options: object
) -> "Page":
    named = {"name": "reviewer", "value": who, "url": served.url}
    return opener(f"{served.url}{path}", [named], **options)


def press(page: "Page", key: str) -> None:
    page.keyboard.press(key)
    page.wait_for_function(_IDLE)


def draw(page: "Page", size: int) -> None:
    page.keyboard.press("n")
    page.keyboard.press("Control+a")
    page.keyboard.type(str(size))
    with page.expect_navigation():
        page.keyboard.press("Enter")


def asked(page: "Page") -> str:
    """Returns the class that is asked; empty if all are answered."""
    found = page.locator("[data-key=i]")
    return re.findall(r"Q\d+", found.get_attribute("data-fields") or "")[0] if found.count() else ""


def go_on(page: "Page", given: dict[str, str | None], most: int = 100) -> None:
    """Answers by keys, of somebody to whom lakes are waterfalls; of a sixth class they cannot tell."""
    while most and (qid := asked(page)):
        said, most = ANSWERS[qid], most - 1
        given[qid] = "?" if len(given) == 5 else "cascade" if said == "mere / tarn" else said
        if given[qid] in {None, "?"}:
            press(page, "d" if given[qid] else "i")
        else:
            press(page, "r")
            page.keyboard.type(str(given[qid])[:3])
            press(page, "Enter")
        assert page.evaluate("document.activeElement.tagName") == "H2"


def test_two_persons_one_blind_a_report_and_a_settled_difference(
    served: OpenReview, opener: Opener
) -> None:
    build, bob = Workspace(served.root), seat(served, opener, "bob")
    given: dict[str, str | None] = {}
    draw(bob, 24)
    go_on(bob, given, 9)
    qid, _ = given.popitem()
    press(bob, "u")
    assert asked(bob) == qid
    bob.reload()
    go_on(bob, given)
    (word,) = standing_of(read_log(build).events).samples
    assert list(word.change.classes) == list(given)
    ann = seat(served, opener, "ann", "second?sample=0")
    links = ann.locator("[data-row] a")
    differing = [str(one.get_attribute("href")).partition("q=")[2] for one in links.all()]
    wanted = [qid for qid in given if given[qid] != "?" and given[qid] != ANSWERS[qid]]
    assert sorted(differing) == sorted(wanted)
    first, second = differing[:2]
    press(ann, "j")
    press(ann, "2")  # bob's
    assert read_decisions(build)[first].hierarchical_label == given[first]
    here = "document.activeElement.closest('[data-row]').querySelector('a').href"
    assert ann.evaluate(here).endswith(f"q={second}")
    press(ann, "u")
    assert links.count() == len(differing)
    assert read_decisions(build)[first].hierarchical_label == ANSWERS[first]


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_both_pages_are_whole_and_read_by_everybody(
    served: OpenReview, opener: Opener, size: dict[str, int], scheme: str
) -> None:
    page = seat(served, opener, "bob", viewport=size, color_scheme=scheme)
    problems = troubles(page)
    draw(page, 12)
    problems |= troubles(page, whole="main *", apart="#desk :is(button, a)")
    # While a name is typed keys are letters, and a slip makes no new one.
    press(page, "r")
    page.keyboard.type("i?u")
    press(page, "Enter")
    assert page.input_value("#pick-text") == "i?u"
    press(page, "Escape")
    go_on(page, {})
    page.goto(f"{served.url}second?sample=0")
    assert problems | troubles(page, whole="main *", apart="#desk :is(button, a)") == {}
