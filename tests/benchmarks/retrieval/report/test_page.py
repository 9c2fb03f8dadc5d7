import base64
import dataclasses
import hashlib
import io
import math
import re
from pathlib import Path

import pytest
from PIL import Image

from hgld.benchmarks.retrieval.report.metrics import metrics_of
from hgld.benchmarks.retrieval.report.page import (
    confusion_grid,
    leaderboard_tables,
    picture_uri,
    render_report,
    shown_images,
)
from hgld.benchmarks.retrieval.results import Confusion
from hgld.benchmarks.retrieval.statistics.summary import measures_of
from hgld.engine.dataset import Level
from hgld.errors import DamagedError
from hgld.pictures import PictureFile
from tests.benchmarks.retrieval.report.made_up import (
    CONTINENT,
    HOSTILE,
    KEYS,
    LEVELS,
    PIXEL,
    html_of,
    measure,
    method_of,
    page_of,
    results_of,
)


def test_a_hostile_name_is_text_everywhere() -> None:
    page = page_of(results_of(HOSTILE))
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


def test_the_tables_have_every_metric_once_and_the_best_method_on_top() -> None:
    results = results_of()
    tables = leaderboard_tables(results, metrics_of(results))
    assert [table.title for table in tables] == ["all levels", *(one.title for one in LEVELS)]
    assert sorted(one.key for table in tables for one in table.metrics) == sorted(KEYS)
    for table in tables:
        assert [method.name for method, _ in table.rows] == ["after", "before"]
    page = page_of(results)
    classes = [value for value in page.values("td", "class") if value and "best" in value]
    assert len(classes) == len(metrics_of(results)) == 13
    assert page.text.count("(best)") == 13
    assert "47.5 ± 0.5 (best)[45.0, 50.0]" in page.text
    # Of levels missed fewer are better.
    assert "0.30 (best)[0.2" in page.text


def test_a_table_can_be_sorted_by_what_stands_in_it() -> None:
    page = page_of(results_of())
    keys = [value for value in page.values("td", "data-sort") if value is not None]
    assert keys.count("0.475") == keys.count("0.3") == 13
    assert keys.count("118.2") == 2
    assert "" in keys  # what is not known


def test_every_picture_says_what_it_shares_in_words_and_by_its_frame() -> None:
    page = page_of(results_of())
    cards = [value or "" for value in page.values("figure", "class") if value and "card" in value]
    assert cards[4:] == [
        "card query",
        "card shared-0",
        "card shared-1",
        "card shared-2",
        "card shared-3",
    ]
    assert cards[:4] == ["card query", "card shared-0"] * 2  # the mistakes
    for shared in range(4):
        assert f"{shared} of 3" in page.text
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
        assert f"{shared} of {count}{title}" in page.words
    # A caption has the landmark and every coarser label, and no more.
    captions = re.findall(r'<span class="coarser">(.*?)</span>', html_of(results))
    assert {caption.count("<bdi>") for caption in captions} == {count - 1}
    rows = [metric.level for metric in metrics_of(results)]
    assert rows == ["all levels"] * 4 + [level.title for level in levels] * 3
    assert page.text.count("(best)") == 4 + 3 * count
    assert ("super-category" in page.words) == (LEVELS[1] in levels)


def test_what_is_undefined_is_said_and_drawn_nowhere() -> None:
    results = results_of()
    nothing = measures_of({"": [math.nan, math.nan]})[""]
    methods = tuple(
        dataclasses.replace(
            method,
            measures=dict.fromkeys(KEYS, nothing),
            changes=dict.fromkeys(KEYS, nothing) if method.baseline else {},
            mistakes=(),
            confusions=(),
        )
        for method in results.methods
    )
    page = page_of(dataclasses.replace(results, methods=methods, examples=()))
    assert not [attrs for tag, attrs in page.elements if tag == "svg" and "x" in attrs]
    assert "n/a" in page.text
    assert "nan" not in page.text.lower()


def test_a_super_category_of_few_queries_stands_apart_without_an_interval() -> None:
    html = html_of(results_of())
    whole, few = html.split('<tbody class="few">')
    row = '<th scope="row"><bdi>tower</bdi></th><td class="number">2</td><td class="number">2</td>'
    assert few.count(row) == 1
    assert row not in whole
    assert "40.9" not in html  # the gain of two queries, give or take as much


def test_differences_are_shown_with_their_p_values_and_seeds_with_their_spread() -> None:
    page = page_of(results_of())
    assert "+17.5[+16.7, +18.3]63< 0.001< 0.001" in page.text
    assert "47.0 ± 0.5[43.0, 51.0]47.2, 47.8" in page.text  # with each run
    assert "+47.0 ± 0.5[+43.0, +51.0]" in page.text  # the change


def test_what_costs_is_said_where_it_is_known() -> None:
    html = html_of(results_of())
    (after,) = re.findall(r'data-cost="training_hours" data-sort="0.7">(.*?)<', html)
    assert after == "42 min"
    assert html.count('data-cost="training_hours" data-sort=""></td>') == 1
    assert html.count('data-cost="images_per_s" data-sort="118.2">118</td>') == 2
    # Each on a line of its own, so that whoever compares two reports can leave them out.
    assert not [line for line in html.splitlines() if line.count("data-cost") > 1]


def test_the_queries_and_methods_can_be_chosen() -> None:
    page = page_of(results_of())
    assert page.values("article", "data-query") == ["q"]
    strips = [value for value in page.values("section", "data-method") if value]
    assert strips == ["before", "after"]
    options = page.values("option", "value")
    assert options == ["", "q", "", "before", "after", "", "before", "after"]
    (form,) = [attrs for tag, attrs in page.elements if tag == "form"]
    assert "hidden" in form  # without JavaScript it would do nothing


def test_without_pictures_everything_stands_in_words() -> None:
    results = results_of()
    html = render_report(results, None)
    assert "<img" not in html
    assert html.count('class="card shared-0 wordy"') == 3
    assert page_of(results).text.count("Space Needle") > 10


def test_a_missing_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="d is missing"):
        render_report(results_of(), dict.fromkeys("qabc", PIXEL))


def test_the_grid_has_the_labels_of_most_queries_and_the_rest_together() -> None:
    method = dataclasses.replace(
        method_of("x", "after", 0.4, "before"),
        confusions=tuple(
            Confusion(label=label, found=found, queries=queries)
            for label, found, queries in [
                *(
                    (f"label {number:02}", f"label {number:02}", 20 - number)
                    for number in range(14)
                ),
                ("label 00", "label 13", 3),
                ("label 02", "label 01", 2),
                ("label 13", "label 00", 1),
            ]
        ),
    )
    grid = confusion_grid(method)
    order = [0, 2, 1, *range(3, 12)]
    assert grid.labels == [f"label {number:02}" for number in order]
    assert grid.queries[:4] == [23, 20, 19, 17]
    assert grid.counts[0] == [20, *[0] * 11, 3]  # the last one is beyond the twelve
    assert grid.counts[1][:3] == [0, 18, 2]
    assert sum(map(sum, grid.counts)) == sum(grid.queries)
    assert grid.confused == [
        ("label 00", "label 13", 3, 23),
        ("label 02", "label 01", 2, 20),
        ("label 13", "label 00", 1, 8),
    ]


def test_shown_images_are_those_of_examples_and_mistakes() -> None:
    results = results_of()
    assert shown_images(results) == set("qabcd")
    assert shown_images(dataclasses.replace(results, examples=())) == set("qa")


def test_a_method_without_a_value_comes_last() -> None:
    results = results_of()
    nothing = dataclasses.replace(measure(0.9), mean=math.nan)
    after = dataclasses.replace(results.methods[1], measures=dict.fromkeys(KEYS, nothing))
    results = dataclasses.replace(results, methods=(results.methods[0], after))
    table = leaderboard_tables(results, metrics_of(results))[0]
    assert [method.name for method, _ in table.rows] == ["before", "after"]


def picture_file(path: Path) -> PictureFile:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return PictureFile(path=path, size_bytes=len(content), sha256=digest, mend="fetch it")


def test_a_picture_is_a_small_square_jpeg_of_its_middle(tmp_path: Path) -> None:
    wide = Image.new("RGBA", (600, 200), (255, 0, 0, 255))
    wide.paste((0, 0, 255, 255), (200, 0, 400, 200))
    wide.save(tmp_path / "wide.png")
    uri = picture_uri(picture_file(tmp_path / "wide.png"))
    head, _, content = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert (image.format, image.size) == ("JPEG", (144, 144))
        pixel = image.convert("RGB").getpixel((3, 72))
    assert isinstance(pixel, tuple)
    assert pixel[0] < 60 < pixel[2]


def test_a_picture_that_was_altered_is_not_shown(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.bmp")
    picture = picture_file(tmp_path / "x.bmp")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "x.bmp")
    with pytest.raises(DamagedError, match=r"x\.bmp"):
        picture_uri(picture)
