"""What the page says, and that it asks nobody for anything."""

import math
import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

from hgld.benchmarks.labels.agreement.config import AgreeConfig
from hgld.benchmarks.labels.agreement.measures.agreement import Estimate
from hgld.benchmarks.labels.agreement.report import (
    MEASURES,
    SUSPECTS_SHOWN,
    in_percent,
    render_agreement,
    web_address,
)
from hgld.benchmarks.labels.agreement.results import AgreementResults
from hgld.benchmarks.labels.agreement.stage import compare_labels
from hgld.tables import SUSPECTS
from tests.benchmarks.labels.agreement.worlds import category_of, labels_table
from tests.benchmarks.retrieval.report.made_up import Page
from tests.worlds.benchmark_builds import HOSTILE

CONFIG = AgreeConfig(draws=50)
OFFICIAL: Mapping[int, str | None] = {
    **dict.fromkeys(range(6), "church"),
    **dict.fromkeys(range(6, 9), "ocean area "),
    9: None,
}
OURS: Mapping[int, str | None] = {
    **dict.fromkeys(range(4), "church"),
    4: "chapel",
    5: None,
    **dict.fromkeys(range(6, 9), "ocean area"),
    9: "lake",
}


def compared(
    folder: Path,
    official: Mapping[int, str | None] = OFFICIAL,
    ours: Mapping[int, str | None] = OURS,
) -> tuple[AgreementResults, pa.Table]:
    first, second, _ = labels_table(folder, official, ours)
    return compare_labels(first, second, CONFIG, None)


def suspect(text: str, category: str) -> dict[str, object]:
    row = dict.fromkeys(SUSPECTS.schema.names, None) | {
        name: text
        for name in SUSPECTS.schema.names
        if SUSPECTS.schema.field(name).type == pa.string()
    }
    return row | {
        "category": category,
        "landmark_id": 5,
        "peers": 10,
        "peers_as_official": 0,
        "peers_otherwise": 9,
    }


def page_with(text: str, folder: Path) -> Page:
    """Returns a page with `text` wherever another's text comes in."""
    swap = {"church": text, "chapel": f"{text} ", "lake": f"{text}2"}
    official, ours = (
        {id_: swap.get(label or "", label) for id_, label in labels.items()}
        for labels in (OFFICIAL, OURS)
    )
    ours[4] = f"{text}3"
    results, _ = compared(folder, official, ours)
    rows = [suspect(text, text), suspect(text, category_of(1))]
    return Page(render_agreement(results, pa.Table.from_pylist(rows, schema=SUSPECTS.schema)))


def test_a_hostile_text_is_text_everywhere(tmp_path: Path) -> None:
    page, friendly = (page_with(text, tmp_path) for text in (HOSTILE, "Space Needle"))
    # The same elements, whatever the texts hold.
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in friendly.elements]
    assert "script" not in [tag for tag, _ in page.elements]
    # Whole in what is seen, but for the names of a row and a column, which the picture cuts.
    assert page.text.count(HOSTILE) == friendly.text.count("Space Needle") - 2 > 20
    assert [attrs.get("href") for tag, attrs in page.elements if tag == "a"] == [
        *(category_of(id_) for id_ in (5, 4)),
        category_of(1),
    ]


def test_the_page_loads_nothing_and_links_to_categories_alone(tmp_path: Path) -> None:
    html = render_agreement(*compared(tmp_path))
    page = Page(html)
    tags = {tag for tag, _ in page.elements}
    assert not tags & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "img",
        "base",
        "form",
        "image",
    }
    for attribute in ("src", "srcset", "data", "action", "poster", "background", "xlink:href"):
        assert not [tag for tag, attrs in page.elements if attribute in attrs], attribute
    assert {tag for tag, attrs in page.elements if "href" in attrs} == {"a"}
    for tag, attrs in page.elements:
        if tag == "a":
            assert attrs["rel"] == "noreferrer nofollow"
            assert str(attrs["href"]).startswith("http://commons.wikimedia.org/wiki/Category:")
    assert not re.search(r"url\(|@import| on[a-z]+=", html)
    policy = dict(
        zip(page.values("meta", "http-equiv"), page.values("meta", "content"), strict=True)
    )
    assert policy["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        " http://x.example",
        "http://x.example/\nrefresh",
        "data:text/html,x",
        "//x.example",
        "",
    ],
)
def test_what_is_no_web_address_is_no_link(text: str) -> None:
    assert web_address(text) == ""


def test_the_page_says_what_was_measured(tmp_path: Path) -> None:
    results, suspects = compared(tmp_path)
    words = " ".join(Page(render_agreement(results, suspects)).text.split())
    assert "10 landmarks of train" in words
    accuracy = results.levels[0].estimates["accuracy"]
    assert in_percent(accuracy)[0] == "77.8"  # 7 of 9
    assert "77.8% of the officially labelled landmarks have the same super-category" in words
    assert f"(95% interval {in_percent(accuracy)[1]})" in words
    for title, _ in MEASURES.values():
        assert title in words
    assert "blanks alone differ, and it counts as the same" in words
    assert "church 2 of 6 wrong 1 without a label of ours; recall 66.7, precision 100.0" in words
    assert "2 super-category labels of ours that no official row has" in words
    assert "No row was found." in words
    assert "Classes are told by their texts alone" in words


def test_a_trailing_blank_can_be_seen(tmp_path: Path) -> None:
    html = render_agreement(*compared(tmp_path))
    blanks = re.findall(r'<code class="blank">(.*?)</code>', html)
    assert blanks == ["ocean area ", "ocean area"]
    assert re.search(r"\.blank \{[^}]*white-space: pre;", html)


def test_every_cell_of_the_picture_says_its_numbers(tmp_path: Path) -> None:
    page = Page(render_agreement(*compared(tmp_path)))
    drawn = [attrs for tag, attrs in page.elements if tag == "rect" and "y" in attrs]
    assert sorted(str(attrs["class"]) for attrs in drawn) == [
        "other s4",  # no label: 1 of 6
        "other s4",  # chapel, which has no row
        "same s7",  # 4 of 6
        "same s8",
    ]
    assert "church: 4 of 6 are church" in page.text
    assert "church: 1 of 6 are no label" in page.text


def test_what_is_undefined_is_said_and_drawn_nowhere(tmp_path: Path) -> None:
    results, suspects = compared(tmp_path, {1: None}, {1: "lake"})
    page = Page(render_agreement(results, suspects))
    assert "n/a" in page.text
    assert "nan" not in page.text.lower()
    assert not [tag for tag, _ in page.elements if tag == "rect" and "y" in _]
    assert "Where most errors are" not in page.text


def test_of_many_suspects_the_first_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    results, _ = compared(tmp_path)
    rows = [suspect(f"x{number}", category_of(1)) for number in range(SUSPECTS_SHOWN + 1)]
    table = pa.Table.from_pylist(rows, schema=SUSPECTS.schema)
    words = " ".join(Page(render_agreement(results, table)).text.split())
    assert "The first 100 of 101 rows; all are in suspicious_official.csv" in words
    assert "x99" in words
    assert "x100" not in words


def test_a_measure_is_written_with_its_interval() -> None:
    assert in_percent(Estimate(value=0.5, low=0.25, high=1.0)) == ("50.0", "25.0 to 100.0")
    assert in_percent(Estimate(value=math.nan, low=math.nan, high=math.nan)) == ("n/a", "")
    assert in_percent(Estimate(value=-0.0001, low=math.nan, high=math.nan)) == ("0.0", "")
