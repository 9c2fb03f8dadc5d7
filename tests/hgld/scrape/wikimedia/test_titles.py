"""Titles from URLs, and to IRIs."""

import random
import re
import unicodedata
from urllib.parse import quote

import pytest

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
