"""Titles from URLs, to IRIs, and out of soft redirects."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgld.scrape.wikimedia.titles import iri_of_title, redirect_target, title_of_url

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


@pytest.mark.parametrize(
    ("wikitext", "target"),
    [
        ("{{Category redirect|1=Wadi Rum (renamed)}}", "Category:Wadi Rum (renamed)"),
        ("{{category redirect|Castle}}", "Category:Castle"),
        ("{{Category_redirect|Castle|reason=x}}", "Category:Castle"),
        ("{{Category redirect|reason=x|Castle}}", "Category:Castle"),
        ("{{Category redirect|Category:Castle}}", "Category:Castle"),
        ("{{Category redirect|:category:Old_castle}}", "Category:Old castle"),
        ("{{Category redirect|[[:Category:Castle]]}}", "Category:Castle"),
        ("{{Template:Category redirect|Castle}}", "Category:Castle"),
        ("{{ Category redirect \n| 1 = Castle \n}}", "Category:Castle"),
        ("{{Seecat|Castle}}", "Category:Castle"),
        ("{{Catredirect|Castle}}", "Category:Castle"),
        ("{{Synonym taxon category redirect|Castle}}", "Category:Castle"),
        ("<!-- {{Category redirect|No}} -->{{Category redirect|Yes}}", "Category:Yes"),
        ("{{Infobox|Tower}} text {{Category redirect|Castle}}", "Category:Castle"),
        ("{{Category redirect|A &amp; B}}", "Category:A & B"),
        ("{{Category redirect|Bed&section}}", "Category:Bed&section"),
        ("{{Category redirect|A %26 B, 50% C}}", "Category:A & B, 50% C"),
        ("{{Category redirect|No|1=Castle}}", "Category:Castle"),
        ("{{Category redirect|reason={{En|1=moved|x}}|Castle}}", "Category:Castle"),
        ("{{Category redirect|reason=[[:Category:A|x]]|Castle}}", "Category:Castle"),
        ("{{Category redirect|[[:Category:Castle|x]]}}", "Category:Castle"),
        ("{{En|1=Moved: {{Category redirect|Castle}}}}", "Category:Castle"),
        ("{{ Category  redirect_\n|Castle}}", "Category:Castle"),
        ("{{Cat-red|Castle}}", "Category:Castle"),
        ("<nowiki>{{Seecat|No}}</nowiki>{{Seecat|Castle}}", "Category:Castle"),
        ("<nowiki/>{{Seecat|Castle}}<nowiki></nowiki>", "Category:Castle"),
        ("<pre a=b>{{Seecat|No}}</PRE >{{Seecat|Castle}}", "Category:Castle"),
        ("{{Seecat|Castle}}<!-- {{Seecat|No}}", "Category:Castle"),
        ("<pre>{{Seecat|Castle}}", "Category:Castle"),
        ("<NoWiki>{{Seecat|No}}</nowiki><nowiki>{{Seecat|Castle}}", "Category:Castle"),
        ("<!-- <pre> -->{{Seecat|Castle}}</pre>", "Category:Castle"),
        ("{{Category redirect|Castle#Part}}", "Category:Castle"),
        ("{{Category redirect|Cafe\u0301}}", "Category:Caf\u00e9"),
    ],
)
def test_the_target_of_a_soft_redirect_is_read(wikitext: str, target: str) -> None:
    assert redirect_target(wikitext) == target


@pytest.mark.timeout(60)  # minutes, where the time grows as the square of the length
@pytest.mark.parametrize(
    "text",
    ["<pre>", "<nowiki x", "<nowiki></pre>", "<!--", "{{a", "{{", "[[a|", "|", "&", "</pre ", "\0"],
)
def test_a_long_text_of_a_page_takes_no_long_time(text: str) -> None:
    page = text * (2_000_000 // len(text))  # as long as MediaWiki lets a page be
    assert redirect_target(page + "}}" * (1_000_000 if "{{" in text else 0)) == ""
    assert redirect_target(f"{{{{Category redirect|Castle}}}}{page}") == "Category:Castle"


@pytest.mark.parametrize(
    "wikitext",
    [
        "",
        "text",
        "{{Category redirect}}",
        "{{Category redirect|}}",
        "{{Category redirect|A=B}}",
        "{{Category redirect|{{ucfirst:castle}}}}",
        "{{Category redirect|{{{1|Castle}}}}}",
        "{{Category redirect|<i>Castle</i>}}",
        "{{Other|A}}",
        "{{Seecat|1=",
        "<nowiki>{{Seecat|Castle}}</nowiki>",
    ],
)
def test_a_text_without_a_target_has_none(wikitext: str) -> None:
    assert redirect_target(wikitext) == ""
