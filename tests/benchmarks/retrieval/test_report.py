"""The report as a page: what it says, and that it asks nobody for anything."""

import base64
import hashlib
import re

import pytest

from hgld.benchmarks.retrieval.examples import Examples
from hgld.benchmarks.retrieval.metrics import metrics_of
from hgld.benchmarks.retrieval.report import confusions, level_tables, render_report
from hgld.benchmarks.retrieval.results import FIRST, Row
from hgld.engine.dataset import Level
from tests.benchmarks.retrieval.made_up import (
    CONTINENT,
    HOSTILE,
    KEYS,
    LEVELS,
    PIXEL,
    changed,
    examples_of,
    html_of,
    page_of,
    results_of,
)


def test_a_hostile_name_is_text_everywhere() -> None:
    page = page_of(results_of(HOSTILE), HOSTILE)
    friendly = page_of(results_of())
    # The same elements, whatever the names hold, and the names whole in what is seen.
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in friendly.elements]
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert page.text.count(HOSTILE) == friendly.text.count("Space Needle") > 10
    assert not [value for value in page.values("script", "src") if value]


def test_the_page_asks_no_server_for_anything() -> None:
    results = results_of()
    page = page_of(results)
    html = html_of(results)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"link", "iframe", "object", "embed", "video", "base", "a"}
    assert set(page.values("img", "src")) == {PIXEL}
    for attribute in ("href", "srcset", "data", "action", "poster", "background", "xlink:href"):
        assert not [tag for tag, attrs in page.elements if attribute in attrs], attribute
    assert not re.search(r"https?:|//[a-z]|url\(|@import", html)
    policy = dict(
        zip(page.values("meta", "http-equiv"), page.values("meta", "content"), strict=True)
    )
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["Content-Security-Policy"] == (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_the_tables_have_every_metric_once_and_the_best_is_marked() -> None:
    results = results_of()
    tables = level_tables(results, metrics_of(results), results.methods)
    assert [table.title for table in tables] == ["all levels", *(one.title for one in LEVELS)]
    assert sorted(one.key for table in tables for one in table.metrics) == sorted(KEYS)
    page = page_of(results)
    assert page.text.count("(best)") == len(metrics_of(results)) == 13
    assert "47.5 ± 0.5 (best)[45.0, 50.0]" in page.text
    # Of levels missed fewer are better.
    assert "0.30 (best)[0.2" in page.text
    keys = [value for value in page.values("td", "data-sort") if value is not None]
    assert keys.count("0.475") == keys.count("0.3") == 13
    assert "" in keys  # what is not known


def test_every_picture_says_what_it_shares_in_words_and_by_its_frame() -> None:
    page = page_of(results_of())
    cards = [value or "" for value in page.values("figure", "class") if value and "card" in value]
    shared = [f"card shared-{number}" for number in range(4)]
    assert cards == [*["card query", shared[0]] * 2, "card query", *shared]  # first two mistakes
    for words in ("nothing shared", "both natural, or both human-made", "same super-category"):
        assert words in page.text
    assert all(page.values("img", "alt"))


@pytest.mark.parametrize(
    ("levels", "frames", "legend"),
    [
        (
            (LEVELS[0], LEVELS[2]),
            ["shared-0", "shared-1", "shared-2", "shared-2"],
            ["same landmark", "both natural, or both human-made", "nothing shared"],
        ),
        (
            (*LEVELS, CONTINENT),
            ["shared-0", "shared-1", "shared-2", "shared-3"],
            [
                *("same landmark", "same super-category", "both natural, or both human-made"),
                *("same continent", "nothing shared"),
            ],
        ),
    ],
    ids=["two levels", "four levels"],
)
def test_a_report_has_as_many_levels_as_its_results(
    levels: tuple[Level, ...], frames: list[str], legend: list[str]
) -> None:
    results = results_of(levels=levels)
    page = page_of(results)
    count = len(levels)
    cards = [value for value in page.values("figure", "class") if value and "card" in value]
    assert cards[4:] == ["card query", *(f"card {frame}" for frame in frames)]
    listed = [value for value in page.values("li", "class") if value and "shared" in value]
    assert listed == [f"shared-{shared}" for shared in reversed(range(count + 1))]
    for shared, title in zip(reversed(range(count + 1)), legend, strict=True):
        assert f"{shared} of {count} {title}" in page.words
    # A caption has the landmark and every coarser label, and no more.
    captions = re.findall(r'<span class="coarser muted">(.*?)</span>', html_of(results))
    assert {caption.count("<bdi>") for caption in captions} == {count - 1}
    rows = [metric.level for metric in metrics_of(results)]
    assert rows == ["all levels"] * 4 + [level.title for level in levels] * 3
    assert page.text.count("(best)") == 4 + 3 * count
    assert ("super-category" in page.words) == (LEVELS[1] in levels)


def test_what_is_undefined_is_said_and_drawn_nowhere() -> None:
    def undefined(row: Row) -> Row:
        return Row(method=row.method, metric=row.metric, against=row.against, run=row.run)

    results = changed(results_of(), undefined)
    html = render_report(results, Examples(mistakes={}))
    assert 'class="marker' not in html
    assert "n/a" in html
    assert not re.search(r">[^<]*\bnan\b", html.partition("<script>")[0])


def test_a_super_category_of_few_landmarks_is_grey_and_its_gain_is_not_drawn() -> None:
    html = html_of(results_of())
    assert '<tr class="muted"><th scope="row"><bdi>tower</bdi></th>' in html
    assert "40.9" not in html


def test_differences_are_shown_with_their_p_values_and_seeds_with_their_spread() -> None:
    page = page_of(results_of())
    assert "+17.5[+16.7, +18.3]63< 0.001< 0.001" in page.text
    assert "47.5 ± 0.5[43.0, 51.0]47.2, 47.8" in page.text  # with each run
    assert "+17.5 ± 0.5[+43.0, +51.0]" in page.text  # the change


def test_what_costs_is_said_where_it_is_known_each_on_a_line_of_its_own() -> None:
    html = html_of(results_of())
    (after,) = re.findall(r'data-cost="training_hours" data-sort="0.7">(.*?)<', html)
    assert after == "42 min"
    assert html.count('data-cost="training_hours" data-sort=""></td>') == 1
    assert html.count('data-cost="images_per_s" data-sort="118.2">118</td>') == 2
    # So that whoever compares two reports can leave them out.
    assert not [line for line in html.splitlines() if line.count("data-cost") > 1]


def test_without_pictures_everything_stands_in_words() -> None:
    html = render_report(results_of(), examples_of(results_of()))
    assert "<img" not in html
    assert html.count('class="card shared-0 wordy"') == 3


def test_a_missing_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="d is missing"):
        render_report(results_of(), examples_of(results_of()), dict.fromkeys("qabc", PIXEL))


def test_the_grid_has_the_labels_of_most_queries_and_the_rest_together() -> None:
    found = [(f"label {number:02}", f"label {number:02}", 20 - number) for number in range(14)]
    found += [("label 00", "label 13", 3), ("label 02", "label 01", 2), ("label 13", "label 00", 1)]
    rows = [
        Row(method="after", metric=FIRST, label=label, found=other, queries=queries)
        for label, other, queries in found
    ]
    results = results_of(rows=tuple(rows))
    grid, wrong = confusions(results, results.methods[1])
    order = [0, 2, 1, *range(3, 12)]
    assert [label for label, _ in grid.rows] == [f"label {number:02}" for number in order]
    counts = [[cell.count for cell in cells] for _, cells in grid.rows]
    assert counts[0] == [20, *[0] * 11, 3]  # the last one is beyond the twelve
    assert counts[1][:3] == [0, 18, 2]
    assert [(row.label, row.found, row.queries, total) for row, total in wrong] == [
        ("label 00", "label 13", 3, 23),
        ("label 02", "label 01", 2, 20),
        ("label 13", "label 00", 1, 8),
    ]
