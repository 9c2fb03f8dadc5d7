"""Titles as the tables of MediaWiki have them."""

import pytest

from hgld.scrape.dumps.page_table import page_key, page_title


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Category:Crespi d'Adda", (14, b"Crespi_d'Adda")),
        ("category:crespi d'Adda", (14, b"Crespi_d'Adda")),
        (" Category_: Ä  b_", (14, "Ä_b".encode())),
        ("Category:a\u00a0\u2003b\u200e", (14, b"A_b")),
        ("Category:été", (14, "Été".encode())),
        ("Category:ß", (14, "ß".encode())),
        (" : Category:A", (14, b"A")),
        ("Category:A#part", (14, b"A")),
        ("Category:A: B", (14, b"A:_B")),
        ("Tower: a poem", (0, b"Tower:_a_poem")),
        ("file:X.jpg", (6, b"X.jpg")),
        ("Category:", (14, b"")),
    ],
)
def test_a_title_is_looked_up_as_mediawiki_writes_it(title: str, key: tuple[int, bytes]) -> None:
    assert page_key(title) == key


@pytest.mark.parametrize(
    ("key", "title"),
    [
        ((14, b"Crespi_d'Adda"), "Category:Crespi d'Adda"),
        ((0, b"Tower"), "Tower"),
        ((9, b"X"), "namespace 9:X"),
        ((14, b"\xff"), "Category:\ufffd"),
    ],
)
def test_a_key_is_told_as_a_title(key: tuple[int, bytes], title: str) -> None:
    assert page_title(key) == title
