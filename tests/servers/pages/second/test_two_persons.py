"""Two persons in a real browser: one reviews, the other decides again, blind, by keys alone."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_decisions, read_log
from hgld.review.log.history import standing_of
from tests.hgld.pages.review.second.reviewed import ANSWERS
from tests.servers.pages.conftest import Seats
from tests.servers.pages.looking import LOOKS, troubles
from tests.servers.pages.serving import OpenReview

if TYPE_CHECKING:
    from playwright.sync_api import Page

_ASKED = "qid => document.querySelector('input[name=qid]')?.value !== qid"
_SHOWS = "n => document.querySelectorAll('.difference').length === n"


@dataclass
class Blind:
    """Bob, who is asked, and knows no dams."""

    page: "Page"
    given: dict[str, str | None] = field(default_factory=dict)

    def draw(self, size: int) -> None:
        """Draws classes."""
        self.page.wait_for_selector("#size")
        self.page.fill("#size", str(size))
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(".blind")

    def go_on(self, most: int = 100) -> None:
        """Answers by keys; of the sixth he cannot tell."""
        while most and self.page.locator(".blind").count():
            qid, most = self.page.input_value("input[name=qid]"), most - 1
            said = "span" if ANSWERS[qid] == "dam" else ANSWERS[qid]
            if len(self.given) == 5 or said is None:
                said = "?" if len(self.given) == 5 else None
                self.page.keyboard.press("?" if said else "i")
            else:
                self.page.keyboard.press("r")
                self.page.keyboard.type(said[:3])
                self.page.keyboard.press("Enter")
            self.given[qid] = said
            self.page.wait_for_function(_ASKED, arg=qid)
            assert self.page.evaluate("document.activeElement.id") == "h-second"

    def take_back(self) -> None:
        """Takes the last answer back, and is asked about that class again."""
        qid, _ = self.given.popitem()
        self.page.keyboard.press("u")
        self.page.wait_for_selector(f"input[name=qid][value={qid}]", state="attached")


def accept_all(served: OpenReview, seat: Seats) -> "Page":
    """Ann reviews as the review's own keys do it: Enter for each cluster."""
    desk = seat(served.url)
    while any(row.is_open for row in desk.members()):
        desk.press("Enter")
    return desk.page


def test_two_persons_one_blind_a_report_and_a_settled_difference(
    served: OpenReview, seat: Seats
) -> None:
    build = Workspace(served.root)
    ann = accept_all(served, seat)
    accepted = {qid: one.hierarchical_label for qid, one in read_decisions(build).items()}
    assert accepted.keys() == ANSWERS.keys()

    bob = Blind(seat(served.url, "bob").page)
    bob.page.keyboard.press("Shift+O")
    bob.draw(24)
    bob.go_on(9)
    bob.take_back()
    bob.page.reload()
    bob.go_on()
    (word,) = standing_of(read_log(build).events).samples
    assert list(word.change.classes) == list(bob.given)
    assert len(bob.given) >= 24

    ann.goto(f"{served.url}second/report")
    differing = [row.get_attribute("data-qid") or "" for row in ann.locator(".difference").all()]
    given = bob.given
    wanted = [qid for qid in given if given[qid] != "?" and given[qid] != accepted[qid]]
    assert sorted(differing) == sorted(wanted)
    assert len(differing) >= 2
    first, second = differing[:2]
    ann.keyboard.press("j")
    ann.keyboard.press("2")  # bob's
    ann.wait_for_function(_SHOWS, arg=len(differing) - 1)
    assert read_decisions(build)[first].hierarchical_label == given[first]
    here = "document.activeElement.closest('.difference').dataset.qid"
    assert ann.evaluate(here) == second
    ann.keyboard.press("u")
    ann.wait_for_function(_SHOWS, arg=len(differing))
    assert read_decisions(build)[first].hierarchical_label == accepted[first]


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_both_pages_are_whole_and_read_by_everybody(
    served: OpenReview, seat: Seats, size: dict[str, int], scheme: str
) -> None:
    accept_all(served, seat)
    bob = Blind(seat(served.url, "bob", viewport=size, color_scheme=scheme).page)
    bob.page.goto(f"{served.url}second")
    bob.draw(8)
    problems = troubles(bob.page)
    # While a name is typed keys are letters, and a slip makes no new one.
    bob.page.keyboard.press("r")
    bob.page.keyboard.type("i?u")
    bob.page.keyboard.press("Enter")
    assert bob.page.input_value("#pick-text") == "i?u"
    bob.page.keyboard.press("Escape")
    bob.go_on()
    bob.page.goto(f"{served.url}second/report")
    bob.page.wait_for_selector("#second table")
    assert problems | troubles(bob.page, whole=".wide-table") == {}
