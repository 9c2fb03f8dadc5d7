"""Two persons in a real browser: one reviews, the other decides again, blind, by keys alone."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sklearn.metrics import cohen_kappa_score

from hgld.benchmarks.reviewing.chromium import Watch
from hgld.benchmarks.reviewing.served import ServedPage
from hgld.engine.workspace import Workspace
from hgld.review.log.decisions import read_decisions, read_log
from hgld.review.log.history import standing_of
from tests.hgld.pages.review.conftest import NARROW, WIDE
from tests.hgld.pages.review.second.browser.conftest import Seat
from tests.hgld.pages.review.second.browser.persons import (
    accept_all,
    answer,
    asked,
    serious,
)
from tests.hgld.pages.review.second.reviewed import ANSWERS, CLASSES, SIDES

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LANDMARKS = {qid: landmarks for qid, _, landmarks, _ in CLASSES}


def thinks(qid: str) -> str | None:
    """What bob answers: he knows no dams."""
    return "span" if ANSWERS[qid] == "dam" else ANSWERS[qid]


@dataclass
class Blind:
    """Bob, who is asked."""

    page: "Page"
    given: dict[str, str | None]

    def go_on(self, most: int) -> None:
        """Answers by keys; of the sixth he cannot tell."""
        for _ in range(most):
            if not self.page.locator(".blind").count():
                return
            qid = asked(self.page)
            self.given[qid] = "?" if len(self.given) == 5 else thinks(qid)
            answer(self.page, self.given[qid])

    def draw(self, size: int) -> None:
        """Draws classes."""
        self.page.wait_for_selector("#size")
        self.page.fill("#size", str(size))
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(".blind")


def test_two_persons_one_blind_a_kill_a_report_and_a_settled_difference(
    sit: Seat, server: ServedPage, tmp_path: Path
) -> None:
    build = Workspace(server.root)
    ann = sit("ann")
    accept_all(ann, server)
    accepted = {qid: one.hierarchical_label for qid, one in read_decisions(build).items()}
    assert accepted.keys() == ANSWERS.keys()

    bob = Blind(sit("bob"), {})
    bob.page.goto(server.url)
    bob.page.wait_for_selector("#bench .member")
    bob.page.keyboard.press("Shift+O")
    bob.draw(24)
    assert serious(bob.page) == []
    bob.go_on(8)
    cut_off(bob.page, server)
    bob.go_on(2)
    bob.page.keyboard.press("u")
    bob.page.wait_for_function(
        "() => document.querySelector('#said').textContent.startsWith('Undone')"
    )
    assert asked(bob.page) == list(bob.given)[-1]
    bob.given.popitem()
    bob.go_on(100)
    assert len(bob.given) in {24, 25}  # with a hidden one, where a known one is left

    ann.goto(f"{server.url}second/report")
    assert serious(ann) == []
    the_report_equals(ann, build, accepted, bob.given)
    a_difference_is_settled(ann, build, accepted, bob.given)
    for theme in ("light", "dark"):
        for size in (WIDE, NARROW):
            looked_at(sit, server, tmp_path, theme, size)


def cut_off(page: "Page", server: ServedPage) -> None:
    """Kills the server while a class is asked; it is asked again."""
    process = server.pid
    server.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    at = asked(page)
    page.keyboard.press("i")
    page.wait_for_selector("#say[open]")
    assert "does not answer" in page.inner_text("#say-body")
    server.start()
    page.goto(f"{server.url}second")
    assert asked(page) == at
    assert page.inner_text(".progress-text").startswith("9 of 2")


def the_report_equals(
    page: "Page",
    build: Workspace,
    accepted: Mapping[str, str | None],
    given: Mapping[str, str | None],
) -> None:
    """Holds the figures beside what scikit-learn makes of the answers."""
    (word,) = standing_of(read_log(build).events).samples
    assert list(word.change.classes) == list(given)
    hidden = {qid for change in word.event.changes[1:] for qid in change.classes}
    assert len(given) == 24 + len(hidden)
    both = [qid for qid in given if qid not in hidden and given[qid] != "?"]
    first = [accepted[qid] or "ignored" for qid in both]
    second = [given[qid] or "ignored" for qid in both]
    agreed = [qid for qid in both if accepted[qid] == given[qid]]
    share = sum(LANDMARKS[qid] for qid in agreed) / sum(LANDMARKS[qid] for qid in both)
    sided = [(accepted[qid], given[qid]) for qid in both if accepted[qid] and given[qid]]
    sides = [[SIDES[one or ""] for one in column] for column in zip(*sided, strict=True)]
    table = page.locator("#second table").first
    labels, on_sides = [row.inner_text().split("\t") for row in table.locator("tbody tr").all()]
    assert labels[:2] == ["Super-category", str(len(both))]
    assert labels[2].startswith(f"{round(100 * len(agreed) / len(both))}% ")
    assert labels[3].startswith(f"{cohen_kappa_score(first, second):.2f} ")
    assert labels[4] == f"{round(100 * share)}%"
    assert on_sides[3].startswith(f"{cohen_kappa_score(*sides):.2f} ")


def a_difference_is_settled(
    page: "Page",
    build: Workspace,
    accepted: Mapping[str, str | None],
    given: Mapping[str, str | None],
) -> None:
    """Settles one by keys, takes it back, and settles it otherwise."""
    rows = page.locator(".difference")
    differing = [row.get_attribute("data-qid") or "" for row in rows.all()]
    wanted = [qid for qid in given if given[qid] != "?" and given[qid] != accepted[qid]]
    assert sorted(differing) == sorted(wanted)
    assert len(differing) >= 2
    first, second = differing[:2]

    def shows(count: int) -> None:
        page.wait_for_function(
            "n => document.querySelectorAll('.difference').length === n", arg=count
        )

    page.keyboard.press("j")
    page.keyboard.press("2")
    shows(len(differing) - 1)
    assert read_decisions(build)[first].hierarchical_label == given[first]
    here = "document.activeElement.closest('.difference').dataset.qid"
    assert page.evaluate(here) == second
    page.keyboard.press("u")
    shows(len(differing))
    assert read_decisions(build)[first].hierarchical_label == accepted[first]
    page.keyboard.press("m")
    page.wait_for_selector("#pick[open]")
    page.keyboard.type("mere")
    page.keyboard.press("Enter")
    shows(len(differing) - 1)
    event = read_log(build).events[-1]
    assert (event.event, event.reviewer) == ("settle", "ann")
    (qid,) = event.classes
    assert event.why == f"ann said {accepted[qid] or 'ignore'}, bob said {given[qid] or 'ignore'}"
    assert read_decisions(build)[qid].hierarchical_label == "mere / tarn"


def looked_at(
    sit: Seat, server: ServedPage, folder: Path, theme: str, size: dict[str, int]
) -> None:
    """Takes pictures of both pages, on which nothing may stand out of the window."""
    kept = Path(os.environ.get("HGLD_SCREENSHOTS", folder))
    for who, path in (("bob", "second/report"), ("eve", "second")):
        page = sit(who, viewport=size, color_scheme=theme)
        page.goto(f"{server.url}{path}")
        if who == "eve" and page.locator("#size").count():
            Blind(page, {}).draw(5)
        name = f"{path.replace('/', '-')}-{size['width']}-{theme}.png"
        page.screenshot(path=kept / name, full_page=True)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], name
        tables = "() => [...document.querySelectorAll('.wide-table')]"
        cut = f"{tables}.map(one => one.scrollWidth - one.clientWidth)"
        assert set(page.evaluate(cut)) <= {0}, name
        assert serious(page) == [], name
        page.context.close()


def test_a_slip_makes_no_new_name_and_a_new_one_is_taken_with_its_side(
    sit: Seat, server: ServedPage, watch: Watch
) -> None:
    watch.forgiven = (*watch.forgiven, "422")  # the slip is refused
    accept_all(sit("ann"), server)
    bob = sit("bob")
    bob.goto(f"{server.url}second")
    Blind(bob, {}).draw(4)
    first = asked(bob)
    bob.keyboard.press("r")
    bob.keyboard.type("qqq")
    bob.keyboard.press("Enter")
    assert asked(bob) == first
    assert bob.input_value("#pick-text") == "qqq"
    bob.fill("#pick-text", "spam")
    bob.keyboard.press("ArrowDown")
    bob.keyboard.press("ArrowDown")
    bob.keyboard.press("Enter")
    bob.wait_for_selector("#say[open]")
    assert "looks like a typo" in bob.inner_text("#say-body")
    bob.get_by_role("button", name="Do it as I wrote it").click()
    bob.wait_for_function(
        "qid => document.querySelector('input[name=qid]').value !== qid", arg=first
    )
    standing = standing_of(read_log(Workspace(server.root)).events)
    change = standing.opinions["bob"][first].change
    assert (change.hierarchical_label, change.natural_or_human_made) == ("spam", "human-made")
    # It is among the names from then on, and keys do nothing while a text is typed.
    bob.keyboard.press("r")
    bob.keyboard.type("i?u")
    assert bob.input_value("#pick-text") == "i?u"
    bob.fill("#pick-text", "spa")
    assert [
        one.split("\n")[0] for one in bob.locator("#pick-list [role=option]").all_inner_texts()
    ][:2] == ["spam", "span"]
