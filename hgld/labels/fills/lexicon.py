"""The name of a category, and what its words mean in the shipped taxonomy, in any language."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from hgld.labels.taxonomy.phrase import singular
from hgld.labels.taxonomy.rows import SHIPPED, load_taxonomy_tables, read_csv_rows
from hgld.labels.taxonomy.wording import LabelReader

_PREFIX = re.compile(r"^.*?(?:/wiki/|^)Category:", re.IGNORECASE)
_LONGEST = 3
"""Longest noun in words; the 1% of nouns that are longer are ignored."""
_MOST_READINGS = 3

_Words = tuple[str, ...]


def name_of_category(category: str) -> str:
    """Returns the name of a category, as Commons shows it.

    Args:
        category: its URL, percent-encoded or not, or its title with or without `Category:`.

    Example:
        >>> name_of_category("http://commons.wikimedia.org/wiki/Category:Kirche_St._Martin_(Bernau)")
        'Kirche St. Martin (Bernau)'
        >>> name_of_category("Category:%C3%8Ele de la Jatte")
        'Île de la Jatte'
        >>> name_of_category("https://commons.m.wikimedia.org/wiki/Category:Quo_vadis%3F?uselang=de")
        'Quo vadis?'
    """
    name = category.strip()
    if "/wiki/" in name:  # cut query and fragment of a URL; a title may have both characters
        name = re.split(r"[?#]", name, maxsplit=1)[0]
    name = unquote(_PREFIX.sub("", name, count=1)).replace("_", " ")
    return unicodedata.normalize("NFC", " ".join(name.split()))


def folded(text: str) -> str:
    """Returns a text casefolded and without accents, in its own script.

    Example:
        >>> folded("Église Saint-Étienne")
        'eglise saint-etienne'
    """
    text = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in text if not unicodedata.combining(letter))


def folded_words(text: str) -> _Words:
    """Returns the folded words of a text, without numbers and punctuation."""
    return tuple(re.findall(r"[^\W\d_]+", folded(text)))


def parts_of(name: str) -> tuple[str, list[str]]:
    """Splits a name into the text outside parentheses, and the text in each pair.

    Example:
        >>> parts_of("Pommern (ship, 1903)")
        ('Pommern', ['ship, 1903'])
    """
    main = re.sub(r"\([^)]*\)?", " ", name)
    return " ".join(main.split()), re.findall(r"\(([^)]*)\)", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What the taxonomy knows about a title."""

    tokens: list[str]
    """Features for a model: which super-category a word means, and its position."""
    said: dict[str, str]
    """Super-category to the first words of the title that mean it."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The nouns of a taxonomy by their words, in all languages."""

    reader: LabelReader
    nouns: dict[_Words, tuple[str, ...]]
    """Words to the super-categories that they mean."""
    examples: list[tuple[str, str]]
    """Distinct pairs of noun, as written, and super-category, in the order of the files."""

    def meaning(self, title: str) -> Meaning:
        """Returns what the words of a title mean.

        Args:
            title: the name of a landmark's category or of a parent category.
        """
        main, asides = parts_of(title)
        tokens: list[str] = []
        said: dict[str, str] = {}
        for place, text in (("m", main), *(("p", aside) for aside in asides)):
            tokens += self._read(place, text, said)
            tokens += self._match(folded_words(text), said)
        return Meaning(tokens=tokens, said=said)

    def _read(self, place: str, text: str, said: dict[str, str]) -> Iterator[str]:
        """Yields tokens from the reader of class labels, for which the head decides."""
        for rank, each in enumerate(self.reader.read(text)[:_MOST_READINGS]):
            outcome = f"{each.action}:{each.hierarchical_label}"
            yield from (f"R{place}{rank}:{outcome}", f"R:{outcome}")
            yield f"RE:{each.evidence}:{each.hierarchical_label}"
            if each.action == "accept":
                said.setdefault(each.hierarchical_label, each.words)

    def _match(self, words: _Words, said: dict[str, str]) -> Iterator[str]:
        """Yields tokens for the longest known nouns, which do not overlap, and their position."""
        covered: set[int] = set()
        for length in range(_LONGEST, 0, -1):
            for start in range(len(words) - length + 1):
                places = range(start, start + length)
                if covered.issuperset(places):
                    continue
                span = words[start : start + length]
                labels = self.nouns.get(span) or self.nouns.get((*span[:-1], singular(span[-1])))
                if not labels:
                    continue
                covered.update(places)
                for label in labels:
                    said.setdefault(label, " ".join(span))
                    yield f"A:{label}"
                    if start == 0:
                        yield f"AF:{label}"
                    if start + length == len(words):
                        yield f"AL:{label}"


def read_lexicon() -> Lexicon:
    """Reads the shipped nouns: those written by hand, OpenStreetMap's and WordNet's."""
    tables = load_taxonomy_tables()
    written = [(each.alias, each.hierarchical_label) for each in tables.aliases]
    written += [
        (row["name"], row["hierarchical_label"])
        for row in read_csv_rows(SHIPPED / "openstreetmap.csv")
    ]
    nouns = [
        (row["noun"], row["hierarchical_label"]) for row in read_csv_rows(SHIPPED / "wordnet.csv")
    ]
    found: defaultdict[_Words, dict[str, None]] = defaultdict(dict)
    for text, label in written + nouns:
        found[folded_words(text)][label] = None
    found.pop((), None)
    return Lexicon(
        reader=LabelReader(tables),
        nouns={words: tuple(labels) for words, labels in found.items()},
        examples=list(dict.fromkeys(written)),
    )
