"""The report in a browser: read by everybody, at any width, printed, and without JavaScript."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.retrieval.leaderboard import NamedResults, render_leaderboard
from hgld.benchmarks.retrieval.report import render_report
from hgld.benchmarks.retrieval.results import Results
from tests.benchmarks.retrieval.made_up import LEVELS, examples_of, results_of, with_mean
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, PICTURE, UNFOLD, troubles

if TYPE_CHECKING:
    from playwright.sync_api import Page

LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch <i>"
TEXTS = "h1, h2, h3, h4, p, li, dd, dt, td, th, summary, .name, .text, .what, .value"
APART = ".marks .name, .marks .text, .card, .strip h4, h2, h3, summary"
PAPER = {"width": 718, "height": 1000}


@pytest.fixture
def shows(opener: Opener, tmp_path: Path) -> Opener:
    """Opens a page that is given as text."""

    def opens(html: str, **options: object) -> "Page":
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        return opener(path.as_uri(), **options)

    return opens


def many_methods(name: str) -> Results:
    """Eight methods, and twenty super-categories with long names."""
    results = results_of(name, is_drawn=True)
    before, after = results.methods
    methods = [before]
    rows = [row for row in results.rows if row.method == "before"]
    of_after = [row for row in results.rows if row.method == "after"]
    level = LEVELS[1].title
    gain = results.row("after", "h_ap", against="before", level=level, label=name)
    gains = [
        with_mean(dataclasses.replace(gain, label=f"{name} {label}"), 0.2 - 0.02 * label, 0.03)
        for label in range(20)
    ]
    for number in range(7):
        called = f"after {number}"
        methods.append(dataclasses.replace(after, name=called, title=f"After {number}"))
        rows += [dataclasses.replace(row, method=called) for row in [*of_after, *gains]]
    return dataclasses.replace(results, methods=tuple(methods), rows=tuple(rows))


def report_of(results: Results, name: str = "a name") -> str:
    return render_report(results, examples_of(results, name), dict.fromkeys("qabcd", PICTURE))


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    shows: Opener, size: dict[str, int], scheme: str
) -> None:
    page = shows(report_of(many_methods(LONG), LONG), viewport=size, color_scheme=scheme)
    page.evaluate(UNFOLD)
    assert troubles(page, whole=TEXTS, apart=APART) == {}


def test_it_is_whole_on_paper_with_what_is_folded_on_the_screen(shows: Opener) -> None:
    page = shows(report_of(many_methods("x")), viewport=PAPER)
    page.emulate_media(media="print")
    assert troubles(page, whole=TEXTS, asks_axe=False) == {}
    folded = page.locator("details:not([open]) table").first
    assert folded.evaluate("(one) => one.getBoundingClientRect().height") > 0


def test_the_leaderboard_over_several_files_is_whole_and_read_by_everybody(shows: Opener) -> None:
    flat = results_of(levels=LEVELS[:1], data_set="cub200")
    named = [
        NamedResults(name=LONG, source="a/benchmarks", results=many_methods("x")),
        NamedResults(name="cub200", source=LONG, results=flat),
    ]
    page = shows(render_leaderboard(named), viewport={"width": 400, "height": 900})
    assert troubles(page) == {}
    assert [one.locator("tr").count() for one in page.locator("tbody").all()] == [8, 2]
