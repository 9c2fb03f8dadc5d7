"""A stranger's text on the page is text, and the page asks nobody for anything."""

import re
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="needs `pip install 'hgld[cluster]'`")

from hgld.benchmarks.labels.agreement.config import AgreeConfig
from hgld.benchmarks.labels.agreement.page import render_agreement, web_address
from hgld.benchmarks.labels.agreement.stage import compare_labels
from tests.benchmarks.labels.agreement.worlds import compared

HOSTILE = "</code><script src=//evil.example onload='x'>&"


def test_a_hostile_text_is_text_and_only_categories_are_linked(tmp_path: Path) -> None:
    ours = dict.fromkeys(range(1, 12), HOSTILE)
    official = {**ours, 7: f"{HOSTILE}2"}
    _, files = compared(tmp_path, official, ours, texts=ours)
    html = render_agreement(*compare_labels(*files, AgreeConfig(), None))
    assert "<script" not in html
    assert html.count("&lt;script src=//evil.example") > 5
    assert "default-src 'none'" in html
    assert not re.search(r"<(link|iframe|object|embed|img|base|form)|url\(|@import", html)
    links = re.findall(r"<a ([^>]*)>", html)
    category = r'href="http://commons.wikimedia.org/wiki/Category:\w+" rel="noreferrer nofollow"'
    assert all(re.fullmatch(category, one) for one in links)
    assert len(links) == 2  # an error, and a row that looks wrong


def test_what_is_undefined_is_said_and_drawn_nowhere(tmp_path: Path) -> None:
    _, files = compared(tmp_path, {1: None}, {1: "lake"})
    html = render_agreement(*compare_labels(*files, AgreeConfig(), None))
    assert "n/a" in html
    assert 'class="heat"' not in html


@pytest.mark.parametrize(
    "text", [" http://x.example", "http://x.example/\nrefresh", "data:text/html,x", "//x.example"]
)
def test_what_is_no_web_address_is_no_link(text: str) -> None:
    assert web_address(text) == ""
