"""Search by words: in labels, names of landmarks, and what a taxonomy calls its kinds."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hgld.labels.taxonomy.rows import TaxonomyTables
from hgld.pages.review.board import Board
from hgld.pages.review.landmarks import LandmarkIndex
from hgld.pages.review.views import Found, LandmarkLink
from hgld.pages.serving.finding import TextLines, fold_text
from hgld.pages.serving.wikimedia import landmark_name
from hgld.review.names import typos

_FOUND = 12  # of a kind
_LONG = 4  # letters; a shorter word is not taken for a misspelt one


class Finder:
    """Finds classes by words in any language that the taxonomy knows, and landmarks by name."""

    def __init__(self, board: Board, landmarks: LandmarkIndex, tables: TaxonomyTables) -> None:
        """Takes what is searched; `read_names` adds the landmarks."""
        self._board, self._landmarks = board, landmarks
        self._aliases: dict[str, set[str]] = defaultdict(set)
        for alias in tables.aliases:
            self._aliases[fold_text(alias.alias)].add(alias.hierarchical_label)
        labels = board.classes.folded
        self._words = sorted({*self._aliases, *" ".join(labels).split()})
        self._order = np.argsort(-board.classes.landmarks, kind="stable").tolist()
        self._classes = TextLines(labels[row] for row in self._order)
        self._names = TextLines(())

    def read_names(self) -> None:
        """Reads the names of all landmarks: 0.5 s for 200,000."""
        self._names = TextLines(
            fold_text(landmark_name(category or ""))
            for category in self._landmarks.categories.to_pylist()
        )

    def matching(self, query: str) -> tuple[NDArray[np.bool_], str]:
        """Returns the classes whose label, Q-id or super-category has all words of a query.

        A super-category has all nouns that the taxonomy knows for it, in any language. Words that
        select nothing are read as the known words that are one letter away.

        Returns:
            Of each class whether it is selected; and the words that were looked for, where those of
            the query select nothing, or empty.

        Example: `kirche`, `kirhce` and `church` all select what is a church.
        """
        words = fold_text(query).split()
        found = self._having(words)
        if found.any():
            return found, ""
        near = [self._one_letter_away(word) for word in words]
        return self._having(near), " ".join(near) if near != words else ""

    def go_to(self, query: str) -> list[Found]:
        """Returns classes and landmarks to go to: an exact name first, then what begins so."""
        wanted = " ".join(fold_text(query).split())
        if not wanted:
            return []
        links = self._landmarks
        found = [
            *(self._found(self._order[one]) for one in self._classes.first(wanted, _FOUND)),
            *(
                self._found(links.first_class(one), links.link(one))
                for one in self._names.first(wanted, _FOUND)
            ),
        ]
        # What is called just so comes first.
        return sorted(
            found, key=lambda one: wanted not in (fold_text(one.title), fold_text(one.class_qid))
        )

    def _having(self, words: Iterable[str]) -> NDArray[np.bool_]:
        board = self._board
        found = np.ones(len(board.classes), np.bool_)
        for word in words:
            labels = (board.names.now(number)[0] for number in range(len(board.names)))
            known = self._aliases.get(word, ())
            is_named = np.array([word in fold_text(label) or label in known for label in labels])
            told = np.fromiter((word in text for text in board.classes.folded), np.bool_)
            found &= told | is_named[board.answer]
        return found

    def _one_letter_away(self, word: str) -> str:
        """Returns a known word that is one letter away; the same where there is none."""
        known = self._words if len(word) >= _LONG else ()
        return next((one for one in known if typos(word, one, 1) == 1), word)

    def _found(self, row: int, landmark: LandmarkLink | None = None) -> Found:
        board, label = self._board, self._board.classes.labels[row]
        title, about = label, board.names.words(board.answer_of(row))
        if landmark:
            title, about = landmark.name, f"landmark, {label}"
        return Found(title, about, board.group_of(row), board.classes.qids[row])
