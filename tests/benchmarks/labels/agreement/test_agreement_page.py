"""What the page says, and that it asks nobody for anything."""

import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.agreement.config import AgreeConfig
from hgld.benchmarks.labels.agreement.page import SUSPECTS_SHOWN, render_agreement, web_address
from hgld.benchmarks.labels.agreement.stage import compare_labels
from hgld.tables import SUSPECTS
from tests.benchmarks.labels.agreement.worlds import category_of, compared
from tests.benchmarks.retrieval.made_up import Page
from tests.worlds.benchmark_builds import HOSTILE

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


def rendered(
    folder: Path,
    official: Mapping[int, str | None] = OFFICIAL,
    ours: Mapping[int, str | None] = OURS,
    rows: pa.Table | None = None,
) -> str:
    _, files = compared(folder, official, ours)
    found, suspects = compare_labels(*files, AgreeConfig(), None)
    return render_agreement(found, suspects if rows is None else rows)


def suspects_of(*texts: str, category: str) -> pa.Table:
    """Returns rows with a text wherever one comes in."""
    schema = SUSPECTS.schema
    rows = [
        {field.name: text if field.type == pa.string() else 1 for field in schema}
        | {"category": category}
        for text in texts
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def page_with(text: str, folder: Path) -> Page:
    swap = {"church": text, "chapel": f"{text}3", "lake": f"{text}2"}
    official, ours = (
        {id_: swap.get(label or "", label) for id_, label in labels.items()}
        for labels in (OFFICIAL, OURS)
    )
    rows = [suspects_of(text, category=one) for one in (text, category_of(1))]
    return Page(rendered(folder, official, ours, pa.concat_tables(rows)))


def test_a_hostile_text_is_text_everywhere(tmp_path: Path) -> None:
    page, friendly = (page_with(text, tmp_path) for text in (HOSTILE, "Space Needle"))
    # The same elements, whatever the texts hold.
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in friendly.elements]
    assert "script" not in [tag for tag, _ in page.elements]
    assert page.text.count(HOSTILE) == friendly.text.count("Space Needle") > 10
    assert [attrs.get("href") for tag, attrs in page.elements if tag == "a"] == [
        *(category_of(id_) for id_ in (5, 4)),
        category_of(1),
    ]


def test_the_page_loads_nothing_and_links_only_to_categories(tmp_path: Path) -> None:
    html = rendered(tmp_path)
    page = Page(html)
    loading = {"script", "link", "iframe", "object", "embed", "img", "base", "form", "image"}
    assert not {tag for tag, _ in page.elements} & loading
    assert {tag for tag, attrs in page.elements if {"src", "href"} & attrs.keys()} == {"a"}
    for tag, attrs in page.elements:
        if tag == "a":
            assert attrs["rel"] == "noreferrer nofollow"
            assert str(attrs["href"]).startswith("http://commons.wikimedia.org/wiki/Category:")
    assert not re.search(r"url\(|@import| on[a-z]+=", html)
    assert "default-src 'none'" in html


@pytest.mark.parametrize(
    "text", [" http://x.example", "http://x.example/\nrefresh", "data:text/html,x", "//x.example"]
)
def test_what_is_no_web_address_is_no_link(text: str) -> None:
    assert web_address(text) == ""


def test_the_page_says_what_was_measured_and_what_could_be_tested(tmp_path: Path) -> None:
    words = " ".join(Page(rendered(tmp_path)).text.split())
    assert "77.8% of the officially labelled landmarks" in words  # 7 of 9
    assert "the 10 landmarks that are in both are compared" in words
    assert "church: 2 of 6 wrong" in words
    assert "could be tested: 0 by their class, 0 by their label" in words


def test_a_trailing_blank_can_be_seen(tmp_path: Path) -> None:
    blanks = re.findall(r'<code class="blank">(.*?)</code>', rendered(tmp_path))
    assert blanks == ["ocean area ", "ocean area"]


def test_what_is_undefined_is_said_and_drawn_nowhere(tmp_path: Path) -> None:
    html = rendered(tmp_path, {1: None}, {1: "lake"})
    assert "n/a" in html
    assert "nan" not in Page(html).text.lower()
    assert 'class="heat"' not in html


def test_of_many_suspects_the_first_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    texts = [f"x{number}" for number in range(SUSPECTS_SHOWN + 1)]
    words = Page(rendered(tmp_path, rows=suspects_of(*texts, category=category_of(1)))).text
    assert "The first 100 of 101 rows" in words
    assert "x99" in words
    assert "x100" not in words
