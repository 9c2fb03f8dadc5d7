"""What the words of a title mean by the shipped taxonomy, in any of its languages."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hgld.labels.fills.guessing.titles import folded, folded_words, head_of, parts_of
from hgld.labels.taxonomy.distil import DISTILLED, read_distilled
from hgld.labels.taxonomy.phrase import singular
from hgld.labels.taxonomy.rows import load_taxonomy_tables
from hgld.labels.taxonomy.wording import LabelReader

_LONGEST = 3
"""Words of a noun; 1% of the nouns have more, and are not looked for."""
_SHORTEST_PART = 4
"""Letters of a noun that counts within a longer word: `kirche` in `Dorfkirchen`."""
_MOST_READINGS = 3
_MOST_WORDS = 6

_Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What the taxonomy knows of a title."""

    tokens: list[str]
    """For a model to learn from: which super-category some word means, and where it stands."""
    said: dict[str, str]
    """Super-category to the words of the title that mean it, the first of them."""


@dataclass(slots=True)
class Lexicon:
    """The nouns of a taxonomy by their words, whatever the language."""

    reader: LabelReader
    nouns: dict[_Words, tuple[str, ...]]
    """Words to the super-categories that they mean."""
    examples: list[tuple[str, str]]
    """Each noun as it is written, and its super-category, once; in the order of the files."""
    _parts: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)

    def meaning(self, title: str) -> Meaning:
        """Returns what the words of a title mean.

        Args:
            title: the name of a category, of a landmark's own or of a parent of it.
        """
        main, asides = parts_of(title)
        tokens: list[str] = []
        said: dict[str, str] = {}
        for place, text in (("m", main), *(("p", aside) for aside in asides)):
            words = folded_words(folded(text))
            tokens += self._read(place, text, said)
            tokens += self._matched(words, said)
            for word in words:
                tokens += self._within(word, said)
        tokens += [f"P:{word}" for aside in asides for word in folded_words(folded(aside))]
        return Meaning(tokens=tokens + list(_shape(main, title)), said=said)

    def _read(self, place: str, text: str, said: dict[str, str]) -> Iterator[str]:
        """Yields what the reader of class labels makes of it: the head decides."""
        for rank, each in enumerate(self.reader.read(text).candidates[:_MOST_READINGS]):
            outcome = f"{each.action}:{each.hierarchical_label}"
            yield from (f"R{place}{rank}:{outcome}", f"R:{outcome}")
            yield f"RE:{each.evidence}:{each.hierarchical_label}"
            if each.action == "accept":
                said.setdefault(each.hierarchical_label, each.words)

    def _matched(self, words: _Words, said: dict[str, str]) -> Iterator[str]:
        """Yields what the longest known nouns mean, at the ends and between; none overlaps."""
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

    def _within(self, word: str, said: dict[str, str]) -> list[str]:
        """Returns what the end and the start of a longer word mean."""
        if word not in self._parts:
            found = [*_labels_of(self.nouns, _endings(word), "AS")]
            found += _labels_of(self.nouns, _starts(word), "AP")
            self._parts[word] = ([token for token, _ in found], [label for _, label in found])
        tokens, labels = self._parts[word]
        for label in labels:
            said.setdefault(label, word)
        return tokens


def read_lexicon() -> Lexicon:
    """Reads the nouns that ship with the package: by hand, OpenStreetMap's and WordNet's."""
    tables = load_taxonomy_tables()
    written = [(each.alias, each.hierarchical_label) for each in tables.aliases]
    written += [
        (row["name"], row["hierarchical_label"])
        for row in read_distilled(DISTILLED / "openstreetmap.csv")
    ]
    nouns = [
        (row["noun"], row["hierarchical_label"])
        for row in read_distilled(DISTILLED / "wordnet.csv")
    ]
    found: defaultdict[_Words, dict[str, None]] = defaultdict(dict)
    for text, label in written + nouns:
        found[folded_words(folded(text))][label] = None
    found.pop((), None)
    return Lexicon(
        reader=LabelReader(tables),
        nouns={words: tuple(labels) for words, labels in found.items()},
        examples=list(dict.fromkeys(written)),
    )


def _labels_of(
    nouns: dict[_Words, tuple[str, ...]], parts: Iterable[str], kind: str
) -> Iterator[tuple[str, str]]:
    """Yields a token for each super-category of the first part that is a noun, and that."""
    labels = next((found for part in parts if (found := nouns.get((part,)))), ())
    yield from ((f"{kind}:{label}", label) for label in labels)


def _endings(word: str) -> Iterator[str]:
    return (word[start:] for start in range(1, len(word) - _SHORTEST_PART + 1))


def _starts(word: str) -> Iterator[str]:
    return (word[:end] for end in range(len(word) - 1, _SHORTEST_PART - 1, -1))


def _shape(main: str, title: str) -> Iterator[str]:
    """Yields the words at the ends of a name and of its head, its scripts and its length."""
    text = folded(main)
    words = folded_words(text)
    if words:
        head = head_of(text)
        yield from (f"F:{words[0]}", f"L:{words[-1]}", f"H:{head[-1]}", f"H1:{head[0]}")
    yield from sorted(
        {f"S:{unicodedata.name(letter, '?').split()[0]}" for letter in title if letter.isalpha()}
    )
    yield f"N:{min(len(words), _MOST_WORDS)}"
    if re.search(r"\d", title):
        yield "DIGIT"
