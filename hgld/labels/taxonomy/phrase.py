"""Turns a label into comparable words: one case, one spelling, singular, no accents."""

import re
import unicodedata
from itertools import takewhile

# Letters that do not decompose into a plain letter and an accent; \u0131: Turkish dotless i.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "\u0131": "i", "ð": "d"}
    | dict.fromkeys("\u2019\u02bc", "'")  # typographic apostrophes
)
_AMERICAN = {
    "archaeological": "archeological",
    "archaeology": "archeology",
    "artefact": "artifact",
    "centre": "center",
    "defence": "defense",
    "grey": "gray",
    "harbour": "harbor",
    "jewellery": "jewelry",
    "labour": "labor",
    "mediaeval": "medieval",
    "neighbourhood": "neighborhood",
    "neigbourhood": "neighborhood",  # sic in Wikidata: "village or neigbourhood"
    "theatre": "theater",
}
_UNCHANGED = {"alps", "canvas", "christmas", "news"}
_SHORTEST_PLURAL = 4  # inns; three letters are words such as "gas" and "abs"
_ARTICLES = {"the", "a", "an"}

CUTS = frozenset(
    {
        *("of", "in", "for", "by", "at", "on", "near", "with", "from", "to", "within", "under"),
        *("without", "between", "along", "among", "around", "after", "before", "during", "over"),
        *("against", "through", "dedicated", "located", "situated", "built", "used", "named"),
        *("containing", "that", "which", ","),
    }
)
"""Words that end the noun phrase for the kind of thing; the rest says which, where or whose."""

JOINTS = frozenset({"and", "or", "&", "/"})
"""Words that join two such noun phrases."""


def singular(word: str) -> str:
    """Returns the singular of an English plural, by its ending; other words unchanged.

    Both sides of a comparison pass through here, so a wrong singular does no harm.

    Example:
        >>> [singular(word) for word in ("churches", "abbeys", "properties", "glass", "ruins")]
        ['church', 'abbey', 'property', 'glass', 'ruin']
    """
    if len(word) < _SHORTEST_PLURAL or not word.isascii() or word in _UNCHANGED:
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and word[-2] not in "sui" else word


def fold(text: str) -> tuple[str, ...]:
    """Returns the words of a text in comparable form; `,`, `/` and `&` are words.

    Text in parentheses, numbers and articles are left out; possessives lose their apostrophe;
    words get American spelling and the singular.

    Args:
        text: a label in any language.

    Example:
        >>> fold("Pilgrims' ways (1172-1954)"), fold("Château-forts, Théâtre")
        (('pilgrim', 'way'), ('chateau', 'fort', ',', 'theater'))
    """
    text = re.sub(r"\([^)]*\)?", " ", text).casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_LETTERS))
        text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = re.sub(r"'(?=s\b)|(?<=s)'(?=\s|$)", "", text)
    words = re.findall(r"[^\W\d_]+|[,/&]", text)
    return tuple(singular(_AMERICAN.get(word, word)) for word in words if word not in _ARTICLES)


def head_and_tail(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Splits a noun phrase before its first preposition, participle or comma.

    Returns:
        The head phrase, and what follows an `of`; empty if another word comes first.

    Example:
        >>> head_and_tail(("group", "of", "lake", "in", "finland"))
        (('group',), ('lake', 'in', 'finland'))
        >>> head_and_tail(("mine", "in", "wale"))
        (('mine',), ())
    """
    head = words[:1] + tuple(takewhile(lambda word: word not in CUTS, words[1:]))
    cut = words[len(head) : len(head) + 1]
    return head, words[len(head) + 1 :] if cut == ("of",) else ()


def alternatives(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Splits words at `and`, `or` and `/`.

    Example:
        >>> alternatives(("church", "and", "museum"))
        [('church',), ('museum',)]
    """
    parts: list[tuple[str, ...]] = [()]
    for word in words:
        if word in JOINTS:
            parts.append(())
        else:
            parts[-1] += (word,)
    return [part for part in parts if part]
