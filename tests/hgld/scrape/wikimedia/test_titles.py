"""Titles from URLs, and where soft redirects point, out of their texts."""

import random
import re
import unicodedata
from urllib.parse import quote

import pytest

from hgld.scrape.wikimedia.soft_redirects import redirect_target
from hgld.scrape.wikimedia.titles import title_of_url

_WIKI = "http://commons.wikimedia.org/wiki/"
_INDEX = "https://commons.wikimedia.org/w/index.php?"


@pytest.mark.parametrize(
    ("url", "title"),
    [
        (f"{_WIKI}Category:Tel_Qasile", "Category:Tel Qasile"),
        ("https://commons.wikimedia.org/wiki/Category:A/wiki/B", "Category:A/wiki/B"),
        ("https://commons.wikimedia.org/wiki/Category:Latah%20Creek", "Category:Latah Creek"),
        (f"{_WIKI}Category:O'Hara's_Mill_%26_Dam", "Category:O'Hara's Mill & Dam"),
        (f"{_WIKI}Category:Caf%C3%A9_Z%C3%BCrich", "Category:Café Zürich"),
        (f"{_WIKI}Category:A/B_(C,_D)", "Category:A/B (C, D)"),
        (f"{_WIKI}Category:Who%3F", "Category:Who?"),
        (f"{_WIKI}Category:100%25_wool", "Category:100% wool"),
        (f"{_WIKI}Category:Castle#History", "Category:Castle"),
        (f"{_WIKI}Category:Castle?uselang=de", "Category:Castle"),
        (f" {_WIKI}Category:Castle_ ", "Category:Castle"),
        (f"{_INDEX}uselang=de&title=Category:A+%2B_B", "Category:A + B"),
        # A letter and its accent in one character or in two: one title, one key.
        (f"{_WIKI}Category:Cafe%CC%81", "Category:Caf\u00e9"),
    ],
)
def test_the_title_is_what_the_url_names(url: str, title: str) -> None:
    assert title_of_url(url) == title


@pytest.mark.parametrize(
    "url",
    [
        *("", _WIKI, "Category:Castle"),
        f"{_INDEX}curid=1",
        "https://commons.wikimedia.org/?title=Category:A",
        f"{_INDEX}title=Category:%E9",
        *(f"{_WIKI}{page}" for page in ("Category:%E9", "%23History", ":%23History")),
        *(f"{_WIKI}Category:A{odd}" for odd in ("%7CCategory:B", "%00", "\udc00")),
    ],
)
def test_a_url_that_names_no_page_is_named_in_the_error(url: str) -> None:
    with pytest.raises(ValueError, match=f"(?i){re.escape(repr(url))}"):
        title_of_url(url)


def test_a_title_survives_the_way_into_a_url_and_back() -> None:
    chance = random.Random(0)
    kinds = {"Cc", "Cs"}
    told = [chr(n) for n in range(0x3000) if unicodedata.category(chr(n)) not in kinds and n != 124]
    for _ in range(300):
        text = "".join(chance.choices([*told, *"#?%&+_ /:;\\'\"\U0001f3f0\U0010ffff"], k=8))
        title = title_of_url(_WIKI + quote(f"Category:x{text}x", safe=""))
        assert title == unicodedata.normalize("NFC", f"Category:x{text}x").replace("_", " ")


_NAMES = (
    *("category redirect", "Template:Category redirect", " Category  redirect_\n"),
    *("Seecat", "Catredirect", "Cat-red", "Synonym taxon category redirect"),
)
_ARGUMENTS = (
    *("Castle|reason=x", "reason=x|Castle", "No|1=Castle", "Category:Castle", "Castle#Part"),
    *("[[:Category:Castle]]", "[[:Category:Castle|x]]", "Cas<!-- {{{ }} | -->tle"),
    *("reason={{En|1=moved|x}}|Castle", "reason=[[:Category:A|x]]|Castle"),
)


@pytest.mark.parametrize(
    ("wikitext", "target"),
    [
        *((f"{{{{{name}|Castle}}}}", "Category:Castle") for name in _NAMES),
        *((f"{{{{Category redirect|{one}}}}}", "Category:Castle") for one in _ARGUMENTS),
        ("{{Category redirect|1=Wadi Rum (renamed)}}", "Category:Wadi Rum (renamed)"),
        ("{{Category redirect|:category:Old_castle}}", "Category:Old castle"),
        ("{{ Category redirect \n| 1 = Castle \n}}", "Category:Castle"),
        ("<!-- {{Category redirect|No}} -->{{Category redirect|Yes}}", "Category:Yes"),
        ("{{Infobox|Tower}} text {{Category redirect|Castle}}", "Category:Castle"),
        ("{{Category redirect|A &amp; B}}", "Category:A & B"),
        ("{{Category redirect|Bed&section}}", "Category:Bed&section"),
        ("{{Category redirect|A %26 B, 50% C}}", "Category:A & B, 50% C"),
        ("{{En|1=Moved: {{Category redirect|Castle}}}}", "Category:Castle"),
        ("<nowiki>{{Seecat|No}}</nowiki>{{Seecat|Castle}}", "Category:Castle"),
        ("<nowiki/>{{Seecat|Castle}}<nowiki></nowiki>", "Category:Castle"),
        ("<pre a=b>{{Seecat|No}}</PRE >{{Seecat|Castle}}", "Category:Castle"),
        ("{{Seecat|Castle}}<!-- {{Seecat|No}}", "Category:Castle"),
        ("<pre>{{Seecat|Castle}}", "Category:Castle"),
        ("<NoWiki>{{Seecat|No}}</nowiki><nowiki>{{Seecat|Castle}}", "Category:Castle"),
        ("<!-- <pre> -->{{Seecat|Castle}}</pre>", "Category:Castle"),
        ("<pre><!-- {{Seecat|No}} -->{{Seecat|Castle}}", "Category:Castle"),
        ("{{template : category redirect<!-- x -->|reason=a|Castle|b}}", "Category:Castle"),
        ("{{Category redirect|Cafe\u0301}}", "Category:Caf\u00e9"),
    ],
)
def test_the_target_of_a_soft_redirect_is_read(wikitext: str, target: str) -> None:
    assert redirect_target(wikitext) == target


@pytest.mark.parametrize(
    "text",
    ["<pre>", "<nowiki x", "<nowiki></pre>", "<!--", "{{a", "{{", "[[a|", "|", "&", "</pre ", "\0"],
)
def test_what_has_no_end_hides_no_target_before_it_and_gives_none(text: str) -> None:
    page = text * (20_000 // len(text))
    assert redirect_target(page + "}}" * (10_000 if "{{" in text else 0)) == ""
    assert redirect_target(f"{{{{Category redirect|Castle}}}}{page}") == "Category:Castle"


@pytest.mark.parametrize(
    "wikitext",
    [
        *("", "text", "{{Other|A}}", "{{Seecat|1=", "<nowiki>{{Seecat|Castle}}</nowiki>"),
        *("{{Category redirect}}", "{{Category redirect|}}", "{{Category redirect|A=B}}"),
        *("{{Category redirect|{{ucfirst:castle}}}}", "{{Category redirect|{{{1|Castle}}}}}"),
        *("{{Category redirect|Cas{{x}}tle}}", "{{Category redirect|<i>Castle</i>}}"),
    ],
)
def test_a_text_without_a_target_has_none(wikitext: str) -> None:
    assert redirect_target(wikitext) == ""
