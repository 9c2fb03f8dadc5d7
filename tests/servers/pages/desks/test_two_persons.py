"""Two persons in a real browser: one has reviewed, the other decides again, blind, by keys alone."""

import re
from pathlib import Path

import pytest

from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_decisions, read_log
from hgld.review.log.history import standing_of
from tests.hgld.pages.review.desks.reviewed import ANSWERS, write_reviewed
from tests.servers.pages.conftest import Seats
from tests.servers.pages.looking import LOOKS, troubles
from tests.servers.pages.serving import OpenReview
from tests.worlds.review.desk import Desk


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return write_reviewed(tmp_path / "build").root


def draw(desk: Desk, size: int) -> None:
    desk.press("n", "Control+a")
    desk.type(str(size))
    with desk.page.expect_navigation():
        desk.hit("Enter")


def asked(desk: Desk) -> str:
    """Returns the class that is asked; empty if all are answered."""
    found = desk.page.locator("[data-key=i]")
    return re.findall(r"Q\d+", found.get_attribute("data-fields") or "")[0] if found.count() else ""


def go_on(desk: Desk, given: dict[str, str | None], most: int = 100) -> None:
    """Answers by keys, of somebody to whom lakes are waterfalls; of a sixth class they cannot tell."""
    while most and (qid := asked(desk)):
        said, most = ANSWERS[qid], most - 1
        given[qid] = "?" if len(given) == 5 else "cascade" if said == "mere / tarn" else said
        if given[qid] in {None, "?"}:
            desk.press("d" if given[qid] else "i")
        else:
            desk.press("r")
            desk.type(str(given[qid])[:3])
            desk.press("Enter")
        assert desk.tell("document.activeElement.tagName") == "H2"


def test_two_persons_one_blind_a_report_and_a_settled_difference(
    served: OpenReview, visit: Seats
) -> None:
    build = Workspace(served.root)
    bob = visit(served.url, "bob", f"{served.url}second")
    given: dict[str, str | None] = {}
    draw(bob, 24)
    go_on(bob, given, 9)
    qid, _ = given.popitem()
    bob.press("u")
    assert asked(bob) == qid
    bob.page.reload()
    go_on(bob, given)
    (word,) = standing_of(read_log(build).events).samples
    assert list(word.change.classes) == list(given)
    ann = visit(served.url, "ann", f"{served.url}second?sample=0")
    links = ann.page.locator("[data-row] a")
    differing = [str(one.get_attribute("href")).partition("q=")[2] for one in links.all()]
    wanted = [qid for qid in given if given[qid] != "?" and given[qid] != ANSWERS[qid]]
    assert sorted(differing) == sorted(wanted)
    first, second = differing[:2]
    ann.press("j", "2")  # bob's
    assert read_decisions(build)[first].hierarchical_label == given[first]
    here = "document.activeElement.closest('[data-row]').querySelector('a').href"
    assert ann.tell(here).endswith(f"q={second}")
    ann.press("u")
    assert links.count() == len(differing)
    assert read_decisions(build)[first].hierarchical_label == ANSWERS[first]


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_both_pages_are_whole_and_read_by_everybody(
    served: OpenReview, visit: Seats, size: dict[str, int], scheme: str
) -> None:
    desk = visit(served.url, "bob", f"{served.url}second", viewport=size, color_scheme=scheme)
    problems = troubles(desk.page)
    draw(desk, 12)
    problems |= troubles(desk.page, whole="main *", apart="#desk :is(button, a)")
    # While a name is typed keys are letters, and a slip makes no new one.
    desk.press("r")
    desk.type("i?u")
    desk.press("Enter")
    assert desk.page.input_value("#pick-text") == "i?u"
    desk.press("Escape")
    go_on(desk, {})
    desk.page.goto(f"{served.url}second?sample=0")
    assert problems | troubles(desk.page, whole="main *", apart="#desk :is(button, a)") == {}
