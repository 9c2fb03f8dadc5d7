"""Search by words: in labels, names of landmarks, and what a taxonomy calls its kinds."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hgld.labels.taxonomy.rows import TaxonomyTables
from hgld.pages.review.board import Board
from hgld.pages.review.landmarks import LandmarkIndex
from hgld.pages.review.views import Found
from hgld.pages.serving.finding import TextLines, fold_text
from hgld.pages.serving.wikimedia import landmark_name
from hgld.review.names import typos

_FOUND = 12  # of a kind
_LONG = 4  # letters; a shorter word is not taken for a misspelt one


class Matching(NamedTuple):
    """The classes that words select."""

    rows: NDArray[np.bool_]
    read_as: str
    """The words that were looked for, where those that were typed select nothing; or empty."""


class Finder:
    """Finds classes by words in any language that the taxonomy knows, and landmarks by name."""

    def __init__(self, board: Board, landmarks: LandmarkIndex, tables: TaxonomyTables) -> None:
        """Takes what is searched; `read_names` adds the landmarks."""
        self._board, self._landmarks = board, landmarks
        self._aliases: dict[str, set[str]] = defaultdict(set)
        for alias in tables.aliases:
            self._aliases[fold_text(alias.alias)].add(alias.hierarchical_label)
        labels = (word for text in board.classes.folded for word in text.split())
        self._words = sorted({*labels, *self._aliases})
        self._names = TextLines(())

    def read_names(self) -> None:
        """Reads the names of all landmarks: 0.5 s for 200,000."""
        self._names = TextLines(
            fold_text(landmark_name(category)) if category else ""
            for category in self._landmarks.categories.to_pylist()
        )

    def matching(self, query: str) -> Matching:
        """Returns the classes whose label, Q-id or super-category has all words of a query.

        A super-category has all nouns that the taxonomy knows for it, in any language. Words that
        select nothing are read as the known words that are one letter away.

        Example: `kirche`, `kirhce` and `church` all select what is a church.
        """
        words = fold_text(query).split()
        found = self._having(words)
        if found.any() or not words:
            return Matching(found, "")
        near = [next(self._one_letter_away(word), word) for word in words]
        return Matching(self._having(near), " ".join(near) if near != words else "")

    def go_to(self, query: str) -> list[Found]:
        """Returns classes and landmarks to go to: an exact name first, then what begins so."""
        wanted = " ".join(fold_text(query).split())
        if not wanted:
            return []
        board = self._board
        classes = [row for row, text in enumerate(board.classes.folded) if wanted in text]
        classes.sort(key=lambda row: (self._rank(row, wanted), -int(board.classes.landmarks[row])))
        landmarks = self._found_landmarks(wanted)
        exact = [one for one in landmarks if fold_text(one.title) == wanted]
        others = [one for one in landmarks if one not in exact]
        found = [self._found_class(row) for row in classes[:_FOUND]]
        is_exact = bool(classes) and self._rank(classes[0], wanted) == 0
        return [*found, *exact, *others] if is_exact else [*exact, *found, *others]

    def _having(self, words: Iterable[str]) -> NDArray[np.bool_]:
        board = self._board
        found = np.ones(len(board.classes), np.bool_)
        for word in words:
            told = np.fromiter((word in text for text in board.classes.folded), np.bool_)
            found &= told | self._is_named(word)[board.answer]
        return found

    def _is_named(self, word: str) -> NDArray[np.bool_]:
        """Returns of each super-category, by its number, whether it is called so."""
        names, known = self._board.names, self._aliases.get(word, ())
        shown = [names.now(number).hierarchical_label for number in range(len(names))]
        return np.array([word in fold_text(name) or name in known for name in shown])

    def _one_letter_away(self, word: str) -> Iterator[str]:
        if len(word) >= _LONG:
            yield from (known for known in self._words if typos(word, known, 1) == 1)

    def _rank(self, row: int, wanted: str) -> int:
        text = self._board.classes.folded[row]
        if wanted in text.split("\n"):
            return 0
        return 1 if text.startswith(wanted) else 2 if f" {wanted}" in text else 3

    def _found_class(self, row: int) -> Found:
        board = self._board
        return Found(
            board.classes.labels[row],
            board.names.words(board.answer_of(row)),
            board.group_of(row),
            board.classes.qids[row],
        )

    def _found_landmarks(self, wanted: str) -> list[Found]:
        rows: dict[int, None] = {}
        for begin in ("\n", " ", ""):
            for landmark in self._names.hits(begin + wanted, len(begin)):
                rows[landmark] = None
                if len(rows) == _FOUND:
                    break
        board, found = self._board, []
        for landmark in list(rows)[:_FOUND]:
            row = self._landmarks.first_class(landmark)
            name = self._landmarks.link(landmark).name
            about = f"landmark, {board.classes.labels[row]}"
            found.append(Found(name, about, board.group_of(row), board.classes.qids[row]))
        return found
