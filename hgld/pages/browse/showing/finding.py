"""Search: every word of a query begins a word of what is found."""

import re
from collections.abc import Iterator, Sequence

import pyarrow as pa

from hgld.pages.browse.showing.tree import name_of
from hgld.pages.browse.state.landmarks import BrowsedLandmarks
from hgld.pages.browse.views import NodeView
from hgld.pages.serving.finding import TextLines, fold_text

MOST_FOUND = 60
LONGEST_QUERY = 200
_WORD = re.compile(r"[^\W_]+")
_COLUMNS = ("category", "split", "landmark_id", "supercategory", "qid", "class_qid")


def search_words(text: str) -> list[str]:
    """Returns the words of a text, without case and accents.

    Example:
        >>> search_words("Château d'Annecy, Q771")
        ['chateau', 'd', 'annecy', 'q771']
    """
    return _WORD.findall(fold_text(text))


def landmark_texts(table: pa.Table) -> Iterator[tuple[str, str, str]]:
    """Yields of each landmark its name, the text of its class, and its numbers: all are found."""
    columns = (table[name].to_pylist() for name in _COLUMNS)
    for category, split, number, class_label, qid, class_qid in zip(*columns, strict=True):
        numbers = " ".join(filter(None, (str(number), qid, class_qid)))
        yield name_of(category, split, number), class_label or "", numbers


class LandmarkFinder:
    """Finds landmarks by words of their names and classes, Q-ids and numbers."""

    def __init__(self, landmarks: BrowsedLandmarks) -> None:
        """Reads all names: some 3 s for 200,000 landmarks."""
        self._images = landmarks.images.sum(axis=1)
        texts = list(landmark_texts(landmarks.table))
        self._lines = TextLines(" ".join(("", *search_words(" ".join(one)))) for one in texts)
        self._names = [" ".join(search_words(name)) for name, _, _ in texts]

    def rows(self, query: str) -> list[int]:
        """Returns the rows of the landmarks that are found, the best first."""
        words = search_words(query[:LONGEST_QUERY])
        if not words:
            return []
        found = set(self._lines.hits(f" {words[0]}"))
        for word in words[1:]:
            found &= set(self._lines.hits(f" {word}"))
        whole = " ".join(words)

        def rank(row: int) -> tuple[bool, bool, int, int]:
            name = self._names[row]
            return name != whole, not name.startswith(whole), -int(self._images[row]), row

        return sorted(found, key=rank)


def found_nodes(nodes: Sequence[NodeView], query: str) -> tuple[NodeView, ...]:
    """Returns the labels that a query finds."""
    words = search_words(query[:LONGEST_QUERY])
    if not words:
        return ()
    return tuple(
        node
        for node in nodes
        if all(any(one.startswith(word) for one in search_words(node.title)) for word in words)
    )
