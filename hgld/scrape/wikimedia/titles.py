"""Page titles, as Commons URLs name them."""

import unicodedata
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from hgld.scrape.wikimedia.wikidata import is_qid


def title_of_url(url: str) -> str:
    """Returns the page title that a Commons URL names, or the Q-id of an item.

    Underscores become spaces, percent-encoding is UTF-8, and the title is in Unicode normal form C,
    like every title of MediaWiki, so that two spellings of a title give one key.

    Args:
        url: as in GLDv2: `http:` or `https:`, fully or partly percent-encoded; or a Q-id, or the
            address of an item on Wikidata.

    Returns:
        The title, such as `Category:O'Hara's Mill & Dam`.

    Raises:
        ValueError: not the URL of a wiki page, not UTF-8, or a character that is not allowed in a
            title and would split a request's list of titles.

    Example:
        >>> title_of_url("http://commons.wikimedia.org/wiki/Category:Crespi_d'Adda")
        "Category:Crespi d'Adda"
        >>> title_of_url("https://www.wikidata.org/wiki/Q12418"), title_of_url("Q12418")
        ('Q12418', 'Q12418')
    """
    if is_qid(url.strip()):
        return url.strip()
    parts = urlsplit(url)
    try:
        title = canonical_title(_title_in(parts))
    except UnicodeDecodeError as error:
        raise ValueError(f"{url!r} is not percent-encoded UTF-8") from error
    # MediaWiki ignores a title that is only a fragment.
    if not is_askable(title) or not title.partition("#")[0].strip(": "):
        raise ValueError(f"{url!r} names no title: it is empty or has a '|' or a control character")
    return title


def canonical_title(text: str) -> str:
    """Returns a title with spaces for underscores, stripped, in Unicode normal form C.

    Example:
        >>> canonical_title("Category:Wadi_Rum ")
        'Category:Wadi Rum'
    """
    return unicodedata.normalize("NFC", text).replace("_", " ").strip()


def is_askable(title: str) -> bool:
    """Says whether a title can be sent in a list of titles, even if the server finds it invalid."""
    return bool(title) and not any(
        char == "|" or unicodedata.category(char) in {"Cc", "Cs"} for char in title
    )


def _title_in(url: SplitResult) -> str:
    """Returns the title in a URL, decoded.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        ValueError: not the URL of a wiki page.
    """
    _, found, encoded = url.path.partition("/wiki/")
    if found:
        return unquote(encoded, errors="strict")
    titles = parse_qs(url.query, errors="strict").get("title")
    if not titles or not url.path.endswith("/index.php"):
        raise ValueError(
            f"{url.geturl()!r} is not the address of a wiki page (.../wiki/Category:... or "
            f".../index.php?title=Category:...)"
        )
    return titles[0]
