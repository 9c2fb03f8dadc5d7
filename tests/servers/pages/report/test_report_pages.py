"""The report in a browser: read by everybody, at any width, printed, and without JavaScript."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hgld.benchmarks.retrieval.report.leaderboard import NamedResults, render_leaderboard
from hgld.benchmarks.retrieval.report.page import render_report, shown_images
from hgld.benchmarks.retrieval.results import Results, read_results_file
from hgld.benchmarks.reviewing.chromium import Watch
from hgld.engine.dataset import Level
from tests.benchmarks.retrieval.report.made_up import LEVELS, measure, results_of
from tests.hgld.pages.looking import AXE, AXE_PROBLEMS, CUT, OVERLAPS, SIDEWAYS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch <i>"
# One pixel, as a GIF.
PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
TEXTS = "h1, h2, h3, h4, p, li, dd, dt, td, th, label, summary, .name, .text, .what, .value"
APART = ".marks .name, .marks .text, .card, .strip h4, h2, h3, summary, #compare label"
Opener = Callable[..., "Page"]


@pytest.fixture
def opener(chromium: "Browser", tmp_path: Path) -> Iterator[Opener]:
    """What opens a page; what goes wrong in one, or asks for anything, fails the test."""
    watch, contexts = Watch(), []

    def opens(html: str, **options: object) -> "Page":
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        if options.get("java_script_enabled", True):
            watch.follow(context)
        page = context.new_page()
        page.goto(path.as_uri())
        return page

    yield opens
    for context in contexts:
        context.close()
    assert watch.errors == []
    assert {address for address in watch.addresses if not address.startswith("file:")} == set()


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


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_read_by_everybody(opener: Opener, width: int, scheme: str) -> None:
    html = report_of(many_methods(LONG))
    page = opener(html, viewport={"width": width, "height": 900}, color_scheme=scheme)
    for details in page.locator("details").all():
        details.evaluate("(one) => { one.open = true; }")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(AXE_PROBLEMS) == []
    assert page.evaluate(SIDEWAYS) == []
    assert page.evaluate(CUT, TEXTS) == []
    assert page.evaluate(OVERLAPS, APART) == []


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("data_set", ["inat2018", "cub200", "roxford5k"])
def test_the_report_of_a_data_set_is_read_by_everybody(
    opener: Opener, width: int, data_set: str
) -> None:
    html = report_of(results_on(data_set, LONG))
    page = opener(html, viewport={"width": width, "height": 900})
    for details in page.locator("details").all():
        details.evaluate("(one) => { one.open = true; }")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(AXE_PROBLEMS) == []
    assert page.evaluate(SIDEWAYS) == []
    assert page.evaluate(CUT, TEXTS) == []
    assert page.evaluate(OVERLAPS, APART) == []


@pytest.mark.parametrize("data_set", ["inat2018", "cub200", "roxford5k"])
def test_the_report_of_a_data_set_is_printed_whole(opener: Opener, data_set: str) -> None:
    html = report_of(results_on(data_set, "a name"))
    page = opener(html, viewport={"width": 718, "height": 1000})
    page.emulate_media(media="print")
    assert page.evaluate(SIDEWAYS) == []
    assert page.evaluate(CUT, TEXTS) == []


def test_printed_it_is_whole(opener: Opener) -> None:
    page = opener(report_of(many_methods("a name")), viewport={"width": 718, "height": 1000})
    page.emulate_media(media="print")
    assert page.evaluate(SIDEWAYS) == []
    assert page.evaluate(CUT, TEXTS) == []
    assert not page.locator("#compare").is_visible()
    # What is folded on the screen is there on paper.
    folded = page.locator("details:not([open]) table").first
    assert folded.evaluate("(one) => one.checkVisibility({ contentVisibilityAuto: true })")
    assert folded.evaluate("(one) => one.getBoundingClientRect().height") > 0


@pytest.mark.parametrize("width", [718, 390, 1280])
def test_the_published_comparison_of_many_methods_is_whole(opener: Opener, width: int) -> None:
    """Printed on A4, on a phone and on a screen; its names are those that runs have."""
    folder = Path(__file__).parents[4] / "benchmarks/results/retrieval/gldv2_mini_methods"
    html = render_report(read_results_file(folder / "results.json"), None)
    page = opener(html, viewport={"width": width, "height": 1000})
    page.emulate_media(media="print" if width == 718 else "screen")
    assert page.evaluate(SIDEWAYS) == []
    assert page.evaluate(CUT, TEXTS) == []


def test_a_table_is_sorted_by_a_click_and_what_has_no_value_comes_last(opener: Opener) -> None:
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
    page = opener(report_of(dataclasses.replace(results, methods=tuple(methods))))
    speeds = page.locator('td[data-cost="images_per_s"]')
    button = page.get_by_role("button", name="Images/s")
    button.click()
    shown = speeds.all_inner_texts()
    assert shown == [*sorted(shown[:-1], key=int, reverse=True), ""]
    button.press("Enter")
    assert speeds.all_inner_texts() == [*shown[-2::-1], ""]


def test_two_methods_stand_beside_each_other_on_one_query(opener: Opener) -> None:
    page = opener(report_of(many_methods("x")), viewport={"width": 400, "height": 900})
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


def test_without_javascript_everything_is_there(opener: Opener) -> None:
    page = opener(report_of(many_methods("x")), java_script_enabled=False)
    assert page.locator(".example:visible").count() == 3
    assert page.locator(".strip:visible").count() == 3 * 8
    assert not page.locator("#compare").is_visible()
    assert page.locator("th button").count() == 0


def test_the_leaderboard_over_several_files_is_read_by_everybody(opener: Opener) -> None:
    flat = results_of(levels=LEVELS[:1], data_set="cub200")
    named = [
        NamedResults(name=LONG, source="a.json", results=many_methods("x")),
        NamedResults(name="cub200", source=LONG, results=flat),
        NamedResults(name="cub200", source=LONG, results=flat),
    ]
    page = opener(render_leaderboard(named), viewport={"width": 400, "height": 900})
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(AXE_PROBLEMS) == []
    assert page.evaluate(SIDEWAYS) == []
    page.get_by_role("button", name="ASI").click()
    assert page.locator("tbody").all_inner_texts()[1].count("Llanfair") == 4
    assert [one.locator("tr").count() for one in page.locator("tbody").all()] == [8, 4]
