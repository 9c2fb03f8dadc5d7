import base64
import dataclasses
import hashlib
import io
import math
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from hgld.benchmarks.pages import percent, points
from hgld.benchmarks.retrieval.report import (
    cells_of,
    format_table,
    metrics_of,
    picture_uri,
    render_report,
    shown_images,
)
from hgld.benchmarks.retrieval.results import (
    Example,
    Measure,
    MethodResults,
    Picture,
    Results,
    RetrievalCounts,
)
from hgld.engine.dataset import Level
from hgld.errors import DamagedError
from hgld.pictures import PictureFile
from hgld.tables import ANNOTATIONS

LEVELS = ANNOTATIONS["train"].levels
CONTINENT = Level(
    column="continent", name="continent", title="part of the world", shared="same continent"
)
HOSTILE = "</script><script src=\"http://evil.example/x.js\">alert('x')</script>\u202e&"
PIXEL = "data:image/jpeg;base64,AAAA"


class Page(HTMLParser):
    """The elements of a page and its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, tag: str, attribute: str) -> list[str | None]:
        return [attrs.get(attribute) for name, attrs in self.elements if name == tag]


def keys_of(levels: Sequence[Level]) -> list[str]:
    return ["h_ap", "ndcg", "asi"] + [
        f"{key}_{level.name}" for key in ("map_at_100", "r_at_1") for level in levels
    ]


KEYS = keys_of(LEVELS)


def results_of(
    name: str = "Space Needle", *, levels: tuple[Level, ...] = LEVELS, **changes: object
) -> Results:
    """Made up, with `name` wherever a user's or a stranger's text comes in.

    The query is followed by two pictures of each method, which share 0, 1, 2 ... levels with it.
    """

    def picture(image_id: str, shared: int) -> Picture:
        return Picture(
            image_id=image_id,
            landmark=name,
            labels=(name, "human-made", "europe")[: len(levels) - 1],
            shared_levels=min(shared, len(levels)),
        )

    def method(key: str, mean: float, baseline: str) -> MethodResults:
        value = Measure(mean=mean, standard_error=0.0125, queries=9, undefined=2)
        change = Measure(mean=mean - 0.3, standard_error=0.004, queries=9, undefined=2)
        return MethodResults(
            name=key,
            title=f"{key} {name}",
            description=name,
            measures=dict.fromkeys(keys_of(levels), value),
            baseline=baseline,
            changes=dict.fromkeys(keys_of(levels), change) if baseline else {},
            better=6 if baseline else 0,
            worse=3 if baseline else 0,
            h_ap_by_supercategory={name: value, "tower": value},
        )

    example = Example(
        query=picture("q", len(levels)),
        quantile=0.0,
        h_ap={"before": 0.31, "after": 0.52},
        retrieved={
            "before": [picture("a", 0), picture("b", 1)],
            "after": [picture("c", 2), picture("d", 3)],
        },
    )
    made = Results(
        metadata={"date": "2025-01-02T03:04:05+00:00", "hgld": "0.1.0", "cpu": name, "gpu": None},
        levels=levels,
        counts=RetrievalCounts(
            queries=11,
            query_landmarks=5,
            index_images=1234,
            index_landmarks=7,
            supercategories=3,
            left_out={"test images without a landmark": 8},
        ),
        methods=(method("before", 0.3, ""), method("after", 0.475, "before")),
        examples=(example,),
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # fields of Results


def html_of(results: Results) -> str:
    return render_report(results, dict.fromkeys(shown_images(results.examples), PIXEL))


def page_of(results: Results) -> Page:
    return Page(html_of(results))


def test_a_hostile_name_is_text_everywhere() -> None:
    page = page_of(results_of(HOSTILE))
    friendly = page_of(results_of())
    # The same elements, whatever the names hold, and the names whole in what is seen.
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in friendly.elements]
    assert "script" not in [tag for tag, _ in page.elements]
    assert page.text.count(HOSTILE) == friendly.text.count("Space Needle") > 10


def test_names_cannot_turn_the_text_around_them() -> None:
    html = render_report(results_of(HOSTILE), dict.fromkeys("qabcd", PIXEL))
    cards = re.findall(r'<span class="landmark">(.*?)</span>', html)
    assert len(cards) == 5
    assert all(card.startswith("<bdi>") and card.endswith("</bdi>") for card in cards)


def test_the_page_asks_no_server_for_anything() -> None:
    results = results_of()
    page = page_of(results)
    html = render_report(results, dict.fromkeys("qabcd", PIXEL))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "video", "base", "form", "a"}
    assert set(page.values("img", "src")) == {PIXEL}
    for attribute in ("href", "srcset", "data", "action", "poster", "background", "xlink:href"):
        assert not [tag for tag, attrs in page.elements if attribute in attrs], attribute
    assert not re.search(r"https?:|//[a-z]|url\(|@import", html)
    policy = dict(
        zip(page.values("meta", "http-equiv"), page.values("meta", "content"), strict=True)
    )
    assert policy["Content-Security-Policy"] == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    )


def test_the_table_marks_the_better_method_alone() -> None:
    results = results_of()
    for metric in metrics_of(results):
        before, after = cells_of(results, metric)
        assert (before.mean, before.error, before.change) == ("30.0", "1.2", "")
        assert (after.mean, after.error, after.change) == ("47.5", "1.2", "+17.5 ± 0.4")
        assert (before.is_best, after.is_best) == (False, True)
    page = page_of(results)
    classes = [value for value in page.values("td", "class") if value and "best" in value]
    assert len(classes) == len(metrics_of(results)) == 9
    assert page.text.count("(best)") == 9


def test_a_loss_is_marked_at_the_baseline() -> None:
    results = results_of()
    before, after = results.methods
    lower = Measure(mean=0.1, standard_error=0.01, queries=9, undefined=2)
    worse = dataclasses.replace(after, measures=dict.fromkeys(KEYS, lower))
    swapped = dataclasses.replace(results, methods=(before, worse))
    assert [cell.is_best for cell in cells_of(swapped, metrics_of(swapped)[0])] == [True, False]


def test_equal_methods_are_not_told_apart() -> None:
    results = results_of()
    same = dataclasses.replace(results.methods[1], measures=results.methods[0].measures)
    results = dataclasses.replace(results, methods=(results.methods[0], same))
    assert not any(cell.is_best for cell in cells_of(results, metrics_of(results)[0]))


def test_every_picture_says_what_it_shares_in_words_and_by_its_frame() -> None:
    page = page_of(results_of())
    cards = [value or "" for value in page.values("figure", "class") if value and "card" in value]
    assert cards == [
        "card query",
        "card shared-0",
        "card shared-1",
        "card shared-2",
        "card shared-3",
    ]
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
    assert cards == ["card query", *(f"card {frame}" for frame in frames)]
    listed = [value for value in page.values("li", "class") if value and "shared" in value]
    assert listed == [f"shared-{shared}" for shared in reversed(range(count + 1))]
    words = " ".join(page.text.split())
    for shared, title in zip(reversed(range(count + 1)), legend, strict=True):
        assert f"{shared} of {count}{title}" in words
    assert f"labels have {count} levels, the finest first: landmark, {levels[1].title}" in words
    assert f"H-AP by {levels[1].title} of the query" in words
    # A caption has the landmark and every coarser label, and no more.
    captions = re.findall(r'<span class="coarser">(.*?)</span>', html_of(results))
    assert {caption.count("<bdi>") for caption in captions} == {count - 1}
    rows = [metric.level for metric in metrics_of(results)]
    assert rows == ["all levels"] * 3 + [level.title for level in levels] * 2
    assert page.text.count("(best)") == 3 + 2 * count
    assert ("super-category" in words) == (LEVELS[1] in levels)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_no_two_frames_of_a_report_look_alike(count: int) -> None:
    html = html_of(results_of(levels=(*LEVELS, CONTINENT)[:count]))
    looks = []
    for shared in range(count + 1):
        frames = re.findall(rf"\.shared-{shared} {{ --frame: var\((--[a-z0-9-]+)\)", html)
        styles = re.findall(rf"\.shared-{shared} img {{ border-style: (\w+)", html)
        assert len(frames) == 1
        assert re.search(rf"{frames[0]}: #[0-9a-f]{{6}};", html)
        looks.append((frames[0], *styles))
    # By colour, and by form for who sees none; a solid frame has no style of its own.
    assert (
        len({colour for colour, *_ in looks})
        == len({tuple(form) for _, *form in looks})
        == count + 1
    )
    assert looks[0] == ("--nothing", "dotted")
    assert looks[-1] == ("--finest",)


def test_the_plot_stands_where_the_numbers_say() -> None:
    page = page_of(results_of())
    marks = [attrs["x"] for tag, attrs in page.elements if tag == "svg" and "x" in attrs]
    assert marks == ["30.0%", "47.5%"] * 4
    label = next(value for value in page.values("svg", "aria-label") if value)
    assert "H-AP, all levels: before Space Needle 30.0, after Space Needle 47.5." in label


def test_what_is_undefined_is_said_and_drawn_nowhere() -> None:
    results = results_of()
    nothing = Measure.of([math.nan, math.nan])
    methods = tuple(
        dataclasses.replace(
            method,
            measures=dict.fromkeys(KEYS, nothing),
            changes=dict.fromkeys(KEYS, nothing) if method.baseline else {},
        )
        for method in results.methods
    )
    page = page_of(dataclasses.replace(results, methods=methods, examples=()))
    assert not [attrs for tag, attrs in page.elements if tag == "svg" and "x" in attrs]
    assert "n/a" in page.text
    assert "nan" not in page.text.lower()
    assert "What the methods retrieve" not in page.text


def test_a_missing_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold every image of the examples, d is missing"):
        render_report(results_of(), dict.fromkeys("qabc", PIXEL))


def test_the_terminal_table_shows_every_method_and_metric() -> None:
    console = Console(file=io.StringIO(), width=160, record=True)
    console.print(format_table(results_of("[bold]x[/bold] [/]")))
    text = console.export_text()
    assert "11 queries, 1,234 index images" in text
    assert "before [bold]x[/bold] [/]" in text  # a name is no markup
    rows = [line for line in text.splitlines() if "±" in line and "│" in line]
    assert len(rows) == 9
    assert re.search(r"H-AP +│ all levels +│ +30\.0 ± 1\.2 │ +47\.5 ± 1\.2", rows[0])
    assert "super-category" in rows[4]


def test_numbers_are_written_in_percent_and_points() -> None:
    assert percent(0.12345) == "12.3"
    assert percent(math.nan) == "n/a"
    assert (points(0.125), points(-0.125), points(-0.0001)) == ("+12.5", "-12.5", "0.0")
    assert points(math.nan) == "n/a"


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
    with pytest.raises(DamagedError, match=r"x\.bmp has other bytes .* delete it, then fetch it"):
        picture_uri(picture)
