"""Addresses: every way to write one, and what names no page.

The right page is the one that MediaWiki shows whoever opens the address in a browser.
"""

from collections.abc import Iterator

from tests.worlds.second_lab.files import PLAIN, WIKI, Trap


def title_traps() -> Iterator[Trap]:
    """One page each, and the ways to write its address."""
    numbers = {title: number for number, (_, _, title) in enumerate(_TITLES)}
    for name, address, title in _TITLES:
        qid = f"Q{5000 + numbers[title]}"
        page = f"Category:{title}"
        yield Trap(
            name=name,
            url=address if "://" in address else WIKI + address,
            title=page,
            qid=qid,
            classes=("Q20",),
            pages={page: PLAIN},
            items={page: qid},
            facts={qid: "P31:Q20"},
        )


_TITLES = (
    ("raw apostrophe", "Category:Crespi_d'Ogna", "Crespi d'Ogna"),
    ("encoded apostrophe", "Category:Crespi_d%27Ogna", "Crespi d'Ogna"),
    ("quotation marks", "Category:The_%22Old%22_Mill", 'The "Old" Mill'),
    ("ampersand", "Category:Salt_&_Pepper", "Salt & Pepper"),
    ("plus", "Category:A+B", "A+B"),
    ("per cent", "Category:100%25_wool", "100% wool"),
    ("raw per cent", "Category:100%_wool", "100% wool"),
    ("per cent at the end", "Category:Fifty%25", "Fifty%"),
    ("question mark", "Category:Who%3F", "Who?"),
    ("exclamation mark, asterisk, tilde", "Category:Go!_*_~x", "Go! * ~x"),
    ("slash", "Category:A/B", "A/B"),
    ("encoded slash", "Category:A%2FB", "A/B"),
    ("a slash at the end", "Category:A/", "A/"),
    ("wiki in the title", "Category:A/wiki/B", "A/wiki/B"),
    ("colons", "Category:Kyiv:_Lavra:x", "Kyiv: Lavra:x"),
    ("a namespace in the name", "Category:File:x", "File:x"),
    ("a language in the name", "Category:De:Stijl", "De:Stijl"),
    ("semicolon, at, dollar, brackets", "Category:A;_B@C_$5,_(D)", "A; B@C $5, (D)"),
    ("equals sign", "Category:E=mc2", "E=mc2"),
    ("backslash, caret, backtick", "Category:A%5CB%5EC%60D", "A\\B^C`D"),
    ("emoji", "Category:%F0%9F%8F%B0_Tower", "\U0001f3f0 Tower"),
    ("accent in one character", "Category:Caf%C3%A9", "Caf\u00e9"),
    ("accent in two characters", "Category:Cafe%CC%81", "Caf\u00e9"),
    ("raw accent", "Category:Caf\u00e9", "Caf\u00e9"),
    ("lower-case hexadecimal", "Category:Caf%c3%a9", "Caf\u00e9"),
    ("two accents in the wrong order", "Category:Xq%CC%81%CC%A3", "Xq\u0323\u0301"),
    ("Korean in parts", "Category:%E1%84%92%E1%85%A1%E1%86%AB", "\ud55c"),
    ("Angstrom sign", "Category:%E2%84%ABngstr%C3%B6m", "\u00c5ngstr\u00f6m"),
    ("Hebrew", "Category:%D7%A9%D7%9C%D7%95%D7%9D", "\u05e9\u05dc\u05d5\u05dd"),
    ("zero-width non-joiner", "Category:%D9%85%DB%8C%E2%80%8C%D8%AE", "\u0645\u06cc\u200c\u062e"),
    ("a mark of direction", "Category:%E2%80%8EBridge%E2%80%8F", "Bridge"),
    ("soft hyphen", "Category:Soft%C2%ADhyphen", "Soft\u00adhyphen"),
    ("non-breaking space", "Category:Two%C2%A0words", "Two words"),
    ("ideographic space", "Category:%E6%9D%B1%E3%80%80%E4%BA%AC", "\u6771 \u4eac"),
    ("ideograph beyond 16 bits", "Category:%F0%A0%AE%B7", "\U00020bb7"),
    ("underscores in a row", "Category:Two__words", "Two words"),
    ("underscores at the ends", "Category:_Two_words_", "Two words"),
    ("encoded spaces", "Category:Two%20words", "Two words"),
    ("raw spaces", "Category: Two words", "Two words"),
    ("space before the colon", "Category_:Two_words", "Two words"),
    ("lower-case namespace", "category:Two_words", "Two words"),
    ("upper-case namespace", "CATEGORY:Two_words", "Two words"),
    ("lower-case first letter", "Category:two_words", "Two words"),
    ("lower-case first letter with accent", "Category:%C3%A9glise", "\u00c9glise"),
    ("lower-case Cyrillic", "Category:%D0%B6%D0%B8%D1%82%D0%BE", "\u0416\u0438\u0442\u043e"),
    ("encoded colon", "Category%3ATwo_words", "Two words"),
    ("colon before the namespace", ":Category:Two_words", "Two words"),
    ("everything encoded", "%43ategory%3A%54wo%5Fwords", "Two words"),
    ("the same again", "Category:Two_words", "Two words"),
    ("joined emoji", "Category:%F0%9F%91%A9%E2%80%8D%F0%9F%9A%80", "\U0001f469\u200d\U0001f680"),
    ("spaces around", f" {WIKI}Category:Two_words ", "Two words"),
    ("a port", "HTTP://commons.wikimedia.org:80/wiki/Category:Two_words", "Two words"),
    ("https", "https://commons.wikimedia.org/wiki/Category:Two_words", "Two words"),
    ("mobile", "https://commons.m.wikimedia.org/wiki/Category:Two_words", "Two words"),
    ("query", "Category:Two_words?uselang=de&x=/wiki/y", "Two words"),
    ("fragment", "Category:Two_words#History", "Two words"),
    ("encoded fragment", "Category:Two_words%23History", "Two words"),
    (
        "index.php",
        "https://commons.wikimedia.org/w/index.php?uselang=de&title=Category:Two+words%3F",
        "Two words?",
    ),
    ("as long as may be", f"Category:{'L' * 255}", "L" * 255),
    ("as long as may be, in bytes", f"Category:{'%C3%89' * 127}", "\u00c9" * 127),
)


def no_page_traps() -> Iterator[Trap]:
    for name, address in _NO_PAGES:
        yield Trap(name=name, url=WIKI + address, status="no_page")


_NO_PAGES = (
    ("no page", "Category:Nowhere"),
    ("no page, written otherwise", "category:nowhere__at%C2%A0cafe%CC%81"),
    ("square bracket, written otherwise", "category:cafe%CC%81%C2%A0["),
    ("a slash too many", "Category:Castle/"),
    ("another case", "Category:CASTLE"),
    ("no name", "Category:"),
    ("no name but a fragment", "Category:%23x"),
    ("nothing but a fragment", "%23x"),
    ("square brackets", "Category:Castle[1]"),
    ("curly brackets", "Category:Castle{1}"),
    ("angle brackets", "Category:<b>Castle</b>"),
    ("pipe", "Category:Castle|Category:Two_words"),
    ("encoded pipe", "Category:Castle%7CCategory:Two_words"),
    ("encoded twice", "Category:Caf%25C3%25A9"),
    ("signature", "Category:~~~~"),
    ("up a folder", "Category:../Castle"),
    ("too long", f"Category:{'L' * 256}"),
    ("too long, in bytes", f"Category:{'%C3%89' * 128}"),
    ("NUL", "Category:Castle%00"),
    ("line feed", "Category:Cas%0Atle"),
    ("no UTF-8", "Category:%FF%FE"),
    ("half a surrogate pair", "Category:%ED%A0%80"),
    ("replacement character", "Category:Castle%EF%BF%BD"),
    ("no character", "Category:Castle%EF%BF%BF"),
    ("another wiki", "wikipedia:Category:Castle"),
    ("special page", "Special:Categories"),
)
