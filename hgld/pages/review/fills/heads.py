"""Names grouped by a word that many of them begin or end with, such as all `Kirche ...`."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from hgld.pages.serving.finding import fold_text

OTHERS = ""
_FEWEST = 2
_SHORTEST = 3  # letters: neither `de` nor `St`
_LITTLE = frozenset({"the", "der", "die", "das", "les", "los", "las", "and", "und", "von", "van"})


class HeadWords(NamedTuple):
    """The words of a name that may stand for its group; one of them may be both."""

    first: str
    last: str


class HeadGroup(NamedTuple):
    """Names that share a word."""

    key: str
    """The word, folded."""
    title: str


def head_words(name: str) -> HeadWords:
    """Returns the first and the last word of a name that say something.

    What stands behind a comma or in brackets says where a place is, not what.

    Example:
        >>> head_words("St. Mary's Church, Oxford"), head_words("Kirche (Bern)")
        (HeadWords(first="Mary's", last='Church'), HeadWords(first='Kirche', last='Kirche'))
    """
    told = re.split(r"[,(]", name, maxsplit=1)[0]
    words = [word for one in told.split() if _tells(word := one.strip('.;:!?"“”'))]
    return HeadWords(words[0], words[-1]) if words else HeadWords("", "")


def group_by_head(heads: Sequence[HeadWords]) -> list[HeadGroup]:
    """Returns the group of each name: by that of its words which most names begin or end with.

    Args:
        heads: of each name.

    Returns:
        One for each name; a word that no other name begins or ends with makes no group.
    """
    folded = [HeadWords(fold_text(one.first), fold_text(one.last)) for one in heads]
    counts = Counter(word for one in folded for word in {one.first, one.last} if word)
    keys = [max(one, key=lambda word: counts[word]) for one in folded]
    sizes = Counter(keys)
    keys = [key if sizes[key] >= _FEWEST else OTHERS for key in keys]
    titles = _titles(heads, folded, keys)
    return [HeadGroup(key, titles[key]) for key in keys]


def _titles(
    heads: Sequence[HeadWords], folded: Sequence[HeadWords], keys: Sequence[str]
) -> dict[str, str]:
    """Returns what each group is called: its word as most names spell it, where they have it."""
    spelt: dict[str, Counter[str]] = {}
    for told, plain, key in zip(heads, folded, keys, strict=True):
        is_first = plain.first == key
        title = f"{told.first} …" if is_first else f"… {told.last}"
        spelt.setdefault(key, Counter())[title] += 1
    named = {key: max(sorted(titles), key=lambda one: titles[one]) for key, titles in spelt.items()}
    return named | {OTHERS: "Others"}


def _tells(word: str) -> bool:
    is_word = len(word) >= _SHORTEST and any(letter.isalpha() for letter in word)
    return is_word and fold_text(word) not in _LITTLE
