"""Page titles: out of a URL, and to the IRI that Wikidata's RDF has for the page."""

import unicodedata
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit


def title_of_url(url: str) -> str:
    """Returns the page title that a Commons URL names.

    Underscores are spaces, percent-encoding is UTF-8, and the title is in Unicode normal form C,
    as every title of MediaWiki is: two spellings of one title are one key.

    Args:
        url: as GLDv2 gives it: `http:` or `https:`, percent-encoded in full or in part.

    Returns:
        The title, such as `Category:O'Hara's Mill & Dam`.

    Raises:
        ValueError: no URL of a wiki page, not UTF-8, or a character that no title can have and
            that would run two titles of a request into one.

    Example:
        >>> title_of_url("http://commons.wikimedia.org/wiki/Category:Crespi_d'Adda")
        "Category:Crespi d'Adda"
    """
    parts = urlsplit(url)
    try:
        title = canonical_title(_title_in(parts))
    except UnicodeDecodeError as error:
        raise ValueError(f"{url!r} is not percent-encoded UTF-8") from error
    # MediaWiki gives no answer at all for a title that is nothing but a fragment.
    if not is_askable(title) or not title.partition("#")[0].strip(": "):
        raise ValueError(f"{url!r} names no title: it is empty or has a '|' or a control character")
    return title


class TitleOrError(NamedTuple):
    """What a URL names: a page's title, or none."""

    title: str
    """Empty where the URL names none."""
    error: str = ""
    """Why the URL names none."""


def titles_of(urls: Iterable[str]) -> list[TitleOrError]:
    """Returns what each URL names, in order."""
    return [_title_or_error(url) for url in urls]


def known_titles(names: Iterable[TitleOrError]) -> list[str]:
    """Returns the titles that there are among those of `titles_of`, each once, in order."""
    return list(dict.fromkeys(name.title for name in names if name.title))


def _title_or_error(url: str) -> TitleOrError:
    try:
        return TitleOrError(title_of_url(url))
    except ValueError as error:
        return TitleOrError("", str(error))


def canonical_title(text: str) -> str:
    """Returns a title with spaces for underscores, none around it, in Unicode normal form C.

    Example:
        >>> canonical_title("Category:Wadi_Rum ")
        'Category:Wadi Rum'
    """
    return unicodedata.normalize("NFC", text).replace("_", " ").strip()


def is_askable(title: str) -> bool:
    """Says whether a title can stand in a request beside others, valid on the server or not."""
    return bool(title) and not any(
        char == "|" or unicodedata.category(char) in {"Cc", "Cs"} for char in title
    )


def _title_in(url: SplitResult) -> str:
    """Returns the title in a URL, decoded.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        ValueError: no URL of a wiki page.
    """
    _, found, encoded = url.path.partition("/wiki/")
    if found:
        return unquote(encoded, errors="strict")
    titles = parse_qs(url.query, errors="strict").get("title")
    if not titles or not url.path.endswith("/index.php"):
        raise ValueError(
            f"{url.geturl()!r} is no address of a wiki page (.../wiki/Category:... or "
            f".../index.php?title=Category:...)"
        )
    return titles[0]
