"""The letters of super-categories' names: what is kept as typed, and what reads the same."""

import functools
import re
import unicodedata

from hgld.review.log.events import label_key

# What a spreadsheet makes of a typed quote or hyphen.
_TYPED = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    }
)
_JOINERS = "\u200c\u200d"
# Scripts whose words are written with joiners, by the first word of their letters' Unicode names.
_JOINED = re.compile(
    "(ARABIC|BALINESE|BENGALI|DEVANAGARI|GUJARATI|GURMUKHI|JAVANESE|KANNADA|KHMER|MALAYALAM|MANDAIC"
    "|MONGOLIAN|MYANMAR|NKO|ORIYA|SINHALA|SYRIAC|TAMIL|TELUGU|TIBETAN) "
)
# What has no look of its own and is no format to Unicode: a joiner, fillers, variants of a look.
_BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\ufe00-\ufe0f]")
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def turns_text(text: str) -> bool:
    """Says whether a text has characters that turn its direction: it may read as another one."""
    return not _TURNS.isdisjoint(text)


@functools.lru_cache(maxsize=4096)
def clean_name(text: str) -> str:
    r"""Returns a name in NFC, with single spaces and without what cannot be seen.

    Joiners stay between letters of the scripts that are written with them.

    Example:
        >>> clean_name(" tow\u200ber  house "), len(clean_name("\u0928\u094d\u200d\u0928"))
        ('tower house', 4)
    """
    text = unicodedata.normalize("NFC", text)
    if text.isascii():
        return " ".join(text.split())
    kept = (
        one
        for place, one in enumerate(text)
        if (_joins(text, place) if one in _JOINERS else not _is_unseen(one))
    )
    return unicodedata.normalize("NFC", " ".join("".join(kept).split()))


def plain_text(text: str) -> str:
    """Returns a text as `clean_name` does, with typed quotes and hyphens.

    Example:
        >>> plain_text(" St.\u00a0John\u2019s  chapel ")
        "St. John's chapel"
    """
    return clean_name(text).translate(_TYPED)


@functools.lru_cache(maxsize=4096)
def alike_key(text: str) -> str:
    """Returns what names have in common that are the same to a reader.

    They differ in nothing but case, spaces, quotes, hyphens, how accents are put together, and what
    cannot be seen.

    Example:
        >>> alike_key("Drive\u2011in") == alike_key("drive-in")
        True
    """
    return label_key(plain_text(text))


def _is_unseen(one: str) -> bool:
    is_format = unicodedata.category(one) in {"Cf", "Cc"} and not one.isspace()
    return is_format or _BLANK.match(one) is not None


def _joins(text: str, place: int) -> bool:
    around = (text[place - 1 : place], text[place + 1 : place + 2])
    return all(one and _JOINED.match(unicodedata.name(one, "")) for one in around)
