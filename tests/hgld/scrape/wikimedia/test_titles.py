"""Titles from URLs, and to IRIs."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgld.scrape.wikimedia.titles import iri_of_title, known_titles, title_of_url, titles_of

_WIKI = "http://commons.wikimedia.org/wiki/"


@pytest.mark.parametrize(
    ("url", "title"),
    [
        (f"{_WIKI}Category:Tel_Qasile", "Category:Tel Qasile"),
        ("https://commons.wikimedia.org/wiki/Category:Latah%20Creek", "Category:Latah Creek"),
        (f"{_WIKI}Category:O'Hara's_Mill_%26_Dam", "Category:O'Hara's Mill & Dam"),
        (f"{_WIKI}Category:Caf%C3%A9_Z%C3%BCrich", "Category:Café Zürich"),
        (f"{_WIKI}Category:A/B_(C,_D)", "Category:A/B (C, D)"),
        (f"{_WIKI}Category:Who%3F", "Category:Who?"),
        (f"{_WIKI}Category:100%25_wool", "Category:100% wool"),
        (f"{_WIKI}Category:Castle#History", "Category:Castle"),
        (f"{_WIKI}Category:Castle?uselang=de", "Category:Castle"),
        (f" {_WIKI}Category:Castle_ ", "Category:Castle"),
        (
            "https://commons.wikimedia.org/w/index.php?uselang=de&title=Category:A+%2B_B",
            "Category:A + B",
        ),
        # A letter and its accent in one character or in two: one title, one key.
        (f"{_WIKI}Category:Cafe%CC%81", "Category:Caf\u00e9"),
    ],
)
def test_the_title_is_what_the_url_names(url: str, title: str) -> None:
    assert title_of_url(url) == title


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "no address of a wiki page"),
        ("https://commons.wikimedia.org/w/index.php?curid=1", "no address of a wiki page"),
        ("https://commons.wikimedia.org/?title=Category:A", "no address of a wiki page"),
        (
            "https://commons.wikimedia.org/w/index.php?title=Category:%E9",
            "not percent-encoded UTF-8",
        ),
        ("Category:Castle", "no address of a wiki page"),
        (f"{_WIKI}Category:%E9", "not percent-encoded UTF-8"),
        (f"{_WIKI}", "names no title"),
        (f"{_WIKI}%23History", "names no title"),
        (f"{_WIKI}:%23History", "names no title"),
        (f"{_WIKI}Category:A%7CCategory:B", "names no title"),
        (f"{_WIKI}Category:A%00", "names no title"),
    ],
)
def test_a_url_that_names_no_page_says_why(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        title_of_url(url)


def test_an_iri_is_quoted_as_wikidata_quotes_it() -> None:
    title = "Category:O'Hara's Mill & Dam: a, b (c) é!"
    quoted = "Category:O%27Hara%27s_Mill_%26_Dam:_a,_b_(c)_%C3%A9!"
    assert iri_of_title(title) == f"https://commons.wikimedia.org/wiki/{quoted}"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1))
def test_a_title_survives_the_way_to_its_iri_and_back(text: str) -> None:
    url = _WIKI + quote(f"Category:x{text}x", safe="")
    try:
        title = title_of_url(url)
    except ValueError:
        assert "|" in text
        return
    assert title_of_url(iri_of_title(title)) == title


def test_each_url_gives_its_title_or_why_it_names_none() -> None:
    names = titles_of([f"{_WIKI}Category:Castle", "nowhere", f"{_WIKI}Category:Castle%20"])
    assert [name.title for name in names] == ["Category:Castle", "", "Category:Castle"]
    assert [bool(name.error) for name in names] == [False, True, False]
    assert "'nowhere' is no address of a wiki page" in names[1].error
    assert known_titles(names) == ["Category:Castle"]
