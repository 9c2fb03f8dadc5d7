"""Addresses: every way to write one, and what names no page.

The right page is the one that MediaWiki shows whoever opens the address in a browser.
"""

from collections.abc import Iterator

from tests.worlds.second_lab.files import WIKI, Trap, landed


def title_traps() -> Iterator[Trap]:
    """One page each, and the ways to write its address."""
    numbers = {title: number for number, (_, _, title) in enumerate(_TITLES)}
    for name, address, title in _TITLES:
        url = address if "://" in address else WIKI + address
        yield landed(name, f"Category:{title}", f"Q{5000 + numbers[title]}", url=url)


_TITLES = (
    ("raw per cent", "Category:100%_wool", "100% wool"),
    ("encoded slash", "Category:A%2FB", "A/B"),
    ("a namespace in the name", "Category:File:x", "File:x"),
    ("semicolon, at, dollar, brackets", "Category:A;_B@C_$5,_(D)", "A; B@C $5, (D)"),
    ("backslash, caret, backtick", "Category:A%5CB%5EC%60D", "A\\B^C`D"),
    ("emoji", "Category:%F0%9F%8F%B0_Tower", "\U0001f3f0 Tower"),
    ("two accents in the wrong order", "Category:Xq%CC%81%CC%A3", "Xq\u0323\u0301"),
    ("Angstrom sign", "Category:%E2%84%ABngstr%C3%B6m", "\u00c5ngstr\u00f6m"),
    ("a mark of direction", "Category:%E2%80%8EBridge%E2%80%8F", "Bridge"),
    ("non-breaking space", "Category:Two%C2%A0words", "Two words"),
    ("underscores in a row", "Category:Two__words", "Two words"),
    ("underscores at the ends", "Category:_Two_words_", "Two words"),
    ("raw spaces", "Category: Two words", "Two words"),
    ("space before the colon", "Category_:Two_words", "Two words"),
    ("lower-case namespace", "category:Two_words", "Two words"),
    ("lower-case first letter", "Category:two_words", "Two words"),
    ("lower-case first letter with accent", "Category:%C3%A9glise", "\u00c9glise"),
    ("encoded colon", "Category%3ATwo_words", "Two words"),
    ("colon before the namespace", ":Category:Two_words", "Two words"),
    ("a port", "HTTP://commons.wikimedia.org:80/wiki/Category:Two_words", "Two words"),
    ("encoded fragment", "Category:Two_words%23History", "Two words"),
    ("as long as may be, in bytes", f"Category:{'%C3%89' * 127}", "\u00c9" * 127),
)


def no_page_traps() -> Iterator[Trap]:
    for name, address in _NO_PAGES:
        yield Trap(name=name, url=WIKI + address, status="no_page")


_NO_PAGES = (
    ("no page", "Category:Nowhere"),
    ("no page, written otherwise", "category:nowhere__at%C2%A0cafe%CC%81"),
    ("another case", "Category:CASTLE"),
    ("no name", "Category:"),
    ("square brackets", "Category:Castle[1]"),
    ("pipe", "Category:Castle|Category:Two_words"),
    ("encoded twice", "Category:Caf%25C3%25A9"),
    ("too long, in bytes", f"Category:{'%C3%89' * 128}"),
    ("line feed", "Category:Cas%0Atle"),
    ("half a surrogate pair", "Category:%ED%A0%80"),
    ("no character", "Category:Castle%EF%BF%BF"),
    ("another wiki", "wikipedia:Category:Castle"),
    ("special page", "Special:Categories"),
)
