"""The report in a browser: read by everybody, at any width, printed, and without JavaScript."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.retrieval.report.leaderboard import NamedResults, render_leaderboard
from hgld.benchmarks.retrieval.report.page import render_report, shown_images
from hgld.benchmarks.retrieval.results import Results, read_results_file
from hgld.engine.dataset import Level
from tests.benchmarks.retrieval.report.made_up import LEVELS, measure, results_of
from tests.servers.pages.conftest import Opener
from tests.servers.pages.looking import LOOKS, PICTURE, troubles

if TYPE_CHECKING:
    from playwright.sync_api import Page

LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch <i>"
TEXTS = "h1, h2, h3, h4, p, li, dd, dt, td, th, label, summary, .name, .text, .what, .value"
APART = ".marks .name, .marks .text, .card, .strip h4, h2, h3, summary, #compare label"
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
    results = results_of(name)
    before, after = results.methods
    gains = {f"{name} {number}": measure(0.2 - 0.02 * number, 0.03) for number in range(20)}
    runs = [
        dataclasses.replace(
            after, name=f"after {number}", title=f"After {number}", gain_by_label=gains
        )
        for number in range(7)
    ]
    (example,) = results.examples
    methods = (before, *runs)
    retrieved = {one.name: [*example.retrieved["before"] * 4] for one in methods}
    # So that its cards are higher than those of others.
    retrieved["after 2"] = [
        dataclasses.replace(one, landmark=f"{one.landmark} of many words and of several lines")
        for one in retrieved["after 2"]
    ]
    scores = dict.fromkeys(retrieved, 0.5)
    examples = [
        dataclasses.replace(
            example,
            quantile=quantile,
            query=dataclasses.replace(example.query, image_id=f"q{quantile}"),
            retrieved=retrieved,
            scores=scores,
        )
        for quantile in (0.0, 0.5, 1.0)
    ]
    return dataclasses.replace(
        results,
        is_drawn=True,
        methods=methods,
        comparisons=tuple(
            dataclasses.replace(one, method="after 0") for one in results.comparisons
        ),
        examples=tuple(examples),
    )


def results_on(data_set: str, name: str) -> Results:
    """Results on a data set with many levels, with one, and with none."""
    ranks = ("species", "genus", "family", "order", "class", "phylum", "kingdom")
    levels = tuple(
        Level(column=rank, name=rank, title=rank, shared=f"same {rank}") for rank in ranks
    )
    chosen = {"inat2018": levels, "cub200": levels[4:5], "roxford5k": ()}[data_set]
    return results_of(name, levels=chosen, data_set=data_set)


def report_of(results: Results) -> str:
    return render_report(results, dict.fromkeys(shown_images(results), PICTURE))


def unfolded(page: "Page") -> "Page":
    page.evaluate(
        "() => document.querySelectorAll('details').forEach((one) => { one.open = true; })"
    )
    return page


@pytest.mark.parametrize(("size", "scheme"), LOOKS)
def test_it_is_whole_and_read_by_everybody(
    shows: Opener, size: dict[str, int], scheme: str
) -> None:
    page = unfolded(shows(report_of(many_methods(LONG)), viewport=size, color_scheme=scheme))
    assert troubles(page, whole=TEXTS, apart=APART) == {}


@pytest.mark.parametrize("data_set", ["inat2018", "cub200", "roxford5k"])
def test_the_report_of_a_data_set_is_whole_on_the_screen_and_on_paper(
    shows: Opener, data_set: str
) -> None:
    (size, scheme), _ = LOOKS
    page = unfolded(
        shows(report_of(results_on(data_set, LONG)), viewport=size, color_scheme=scheme)
    )
    assert troubles(page, whole=TEXTS, apart=APART) == {}
    page = shows(report_of(results_on(data_set, "a name")), viewport=PAPER)
    page.emulate_media(media="print")
    assert troubles(page, whole=TEXTS, asks_axe=False) == {}


def test_printed_it_is_whole_with_what_is_folded_on_the_screen(shows: Opener) -> None:
    page = shows(report_of(many_methods("a name")), viewport=PAPER)
    page.emulate_media(media="print")
    assert troubles(page, whole=TEXTS, asks_axe=False) == {}
    assert not page.locator("#compare").is_visible()
    folded = page.locator("details:not([open]) table").first
    assert folded.evaluate("(one) => one.checkVisibility({ contentVisibilityAuto: true })")
    assert folded.evaluate("(one) => one.getBoundingClientRect().height") > 0


def test_the_published_comparison_of_many_methods_is_whole(shows: Opener) -> None:
    """Printed on A4, on a phone and on a screen; its names are those that runs have."""
    folder = Path(__file__).parents[4] / "benchmarks/results/retrieval/gldv2_mini_methods"
    page = shows(render_report(read_results_file(folder / "results.json"), None))
    for width in (1280, 390, 718):
        page.set_viewport_size({"width": width, "height": 1000})
        page.emulate_media(media="print" if width == 718 else "screen")
        assert troubles(page, whole=TEXTS, asks_axe=False) == {}, width


def test_a_table_is_sorted_by_a_click_and_what_has_no_value_comes_last(shows: Opener) -> None:
    results = many_methods("x")
    methods = [
        dataclasses.replace(
            one,
            costs=dataclasses.replace(
                one.costs, images_per_s=None if number == 3 else (number * 37) % 11
            ),
        )
        for number, one in enumerate(results.methods)
    ]
    page = shows(report_of(dataclasses.replace(results, methods=tuple(methods))))
    speeds = page.locator('td[data-cost="images_per_s"]')
    button = page.get_by_role("button", name="Images/s")
    button.click()
    shown = speeds.all_inner_texts()
    assert shown == [*sorted(shown[:-1], key=int, reverse=True), ""]
    button.press("Enter")
    assert speeds.all_inner_texts() == [*shown[-2::-1], ""]


def test_two_methods_stand_beside_each_other_on_one_query(shows: Opener) -> None:
    page = shows(report_of(many_methods("x")), viewport={"width": 400, "height": 900})
    assert page.locator(".example:visible").count() == 3
    query, first, second = page.locator("#compare select").all()
    query.select_option("q0.5")
    first.select_option("after 2")
    assert page.locator(".example:visible").count() == 1
    assert page.locator(".strip:visible").count() == 1
    second.select_option("before")
    strips = page.locator(".strip:visible")
    assert strips.count() == 2
    # Rank by rank: the same rank stands at the same height.
    tops = [
        [card.bounding_box()["y"] for card in strip.locator(".rank").all()]  # type: ignore[index]
        for strip in strips.all()
    ]
    assert len(tops[0]) == 8
    assert tops[0] == pytest.approx(tops[1], abs=1)
    query.select_option("")
    first.select_option("")
    second.select_option("")
    assert page.locator(".strip:visible").count() == 3 * 8


def test_without_javascript_everything_is_there(shows: Opener) -> None:
    page = shows(report_of(many_methods("x")), java_script_enabled=False)
    assert page.locator(".example:visible").count() == 3
    assert page.locator(".strip:visible").count() == 3 * 8
    assert not page.locator("#compare").is_visible()
    assert page.locator("th button").count() == 0


def test_the_leaderboard_over_several_files_is_whole_and_read_by_everybody(shows: Opener) -> None:
    flat = results_of(levels=LEVELS[:1], data_set="cub200")
    named = [
        NamedResults(name=LONG, source="a.json", results=many_methods("x")),
        NamedResults(name="cub200", source=LONG, results=flat),
        NamedResults(name="cub200", source=LONG, results=flat),
    ]
    page = shows(render_leaderboard(named), viewport={"width": 400, "height": 900})
    assert troubles(page) == {}
    page.get_by_role("button", name="ASI").click()
    # Each file's methods stay together.
    assert [one.locator("tr").count() for one in page.locator("tbody").all()] == [8, 4]
