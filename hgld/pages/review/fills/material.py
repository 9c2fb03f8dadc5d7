"""The guesses of a build by category, with the parents and pictures of each."""

import logging
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.pages.review.fills.heads import HeadWords, head_words
from hgld.pages.review.landmarks import LandmarkIndex, landmark_keys
from hgld.pages.review.pictures import PictureIndex, read_picture_index
from hgld.pages.review.views import LandmarkLink, Thumbnail
from hgld.pages.serving.wikimedia import category_url, landmark_name
from hgld.tables import CATEGORIES, FILLS, PARENTS

logger = logging.getLogger(__name__)

_COLUMNS = [
    *("split", "landmark_id", "category", "best_guess", "best_guess_side", "confidence"),
    "evidence",
]
_MOST_PICTURES = 2
_DIGITS = 6  # a float32 has no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a category is guessed to be."""

    category: str
    name: str
    heads: HeadWords
    hierarchical_label: str
    natural_or_human_made: str
    confidence: float
    evidence: str
    landmarks: tuple[tuple[str, int], ...]
    """Split and number of each of the category, where none has a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessMaterial:
    """All guesses of a build."""

    guesses: dict[str, Guess] = field(default_factory=dict)
    """By category."""
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By category."""
    unguessed: int = 0
    """Landmarks without a guess, or without a category."""
    problem: str = ""
    """Why there are none."""


def read_guesses(workspace: Workspace) -> GuessMaterial:
    """Reads the guesses of a build; where several landmarks have one category, the surest counts.

    Raises:
        DamagedError: the table is not as it was written.
    """
    try:
        table = workspace.read(FILLS, _COLUMNS)
    except MissingInputError as error:
        return GuessMaterial(problem=str(error))
    found: dict[str, Guess] = {}
    landmarks: dict[str, list[tuple[str, int]]] = defaultdict(list)
    unguessed = 0
    for row in table.to_pylist():
        category = row["category"]
        if category is None or row["best_guess"] is None or row["best_guess_side"] is None:
            unguessed += 1
            continue
        landmarks[category].append((row["split"], row["landmark_id"]))
        guess, known = _guess(row), found.get(category)
        if known is None or guess.confidence > known.confidence:
            found[category] = guess
    guesses = {
        category: replace(guess, landmarks=tuple(landmarks[category]))
        for category, guess in found.items()
    }
    return GuessMaterial(
        guesses=guesses,
        parents=_parents(workspace, guesses),
        unguessed=unguessed,
    )


def _guess(row: dict[str, Any]) -> Guess:
    name = landmark_name(row["category"])
    return Guess(
        category=row["category"],
        name=name,
        heads=head_words(name),
        hierarchical_label=row["best_guess"],
        natural_or_human_made=row["best_guess_side"],
        confidence=round(row["confidence"] or 0.0, _DIGITS),
        evidence=row["evidence"],
        landmarks=(),
    )


def _parents(workspace: Workspace, guesses: dict[str, Guess]) -> dict[str, tuple[str, ...]]:
    """Returns the parents of categories, as far as they were fetched: also of what is no whole."""
    found = _read_parents(workspace.path(PARENTS.path))
    if not found:
        return {}
    try:
        rows = workspace.read(CATEGORIES, ["category", "page_title"]).to_pylist()
    except (MissingInputError, DamagedError):
        rows = []
    titles = {row["category"]: row["page_title"] for row in rows if row["page_title"]}
    named = {
        one: found.get(titles.get(one) or f"Category:{guess.name}")
        for one, guess in guesses.items()
    }
    return {category: parents for category, parents in named.items() if parents}


def _read_parents(folder: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.glob("*.parquet")):
        try:
            rows = pq.read_table(path, columns=["page_title", "parents"], partitioning=None)
        except (pa.ArrowException, OSError, ValueError) as error:  # its stage makes it again
            logger.warning("review: no parents are shown: %s: %s", path, error)
            return {}
        found |= {row["page_title"]: tuple(row["parents"]) for row in rows.to_pylist()}
    return found


class GuessPictures:
    """Pictures of the landmarks of guesses."""

    def __init__(self, workspace: Workspace, guesses: dict[str, Guess]) -> None:
        """Reads which landmark has which picture; none where the build has none."""
        self._landmarks = sorted({one for guess in guesses.values() for one in guess.landmarks})
        index = _landmark_index(self._landmarks)
        self._row = {int(key): row for row, key in enumerate(index.keys)}
        try:
            self.index = read_picture_index(workspace, index)
        except DamagedError as error:
            logger.warning("review: no pictures are shown of guesses: %s", error)
            self.index = PictureIndex(of_landmark=np.full(len(index), -1))

    def of(self, guess: Guess) -> tuple[Thumbnail, ...]:
        """Returns a picture of each of the first landmarks that have one."""
        keys = _keys(list(guess.landmarks))
        found = []
        for (split, number), key in zip(guess.landmarks, keys.tolist(), strict=True):
            row = self._row.get(key)
            place = -1 if row is None else int(self.index.of_landmark[row])
            if place >= 0:
                link = LandmarkLink(guess.name, category_url(guess.category), split, number)
                found.append(self.index.thumbnail(link, place))
        return tuple(found[:_MOST_PICTURES])


def _landmark_index(landmarks: list[tuple[str, int]]) -> LandmarkIndex:
    """Returns landmarks without classes, as pictures are looked up for them."""
    nothing = np.zeros(0, dtype=np.int64)
    return LandmarkIndex(
        keys=np.sort(_keys(landmarks)),
        of_class=nothing,
        class_starts=np.zeros(1, dtype=np.int64),
        classes=nothing,
        starts=nothing,
        categories=pa.nulls(len(landmarks), pa.string()),
    )


def _keys(landmarks: list[tuple[str, int]]) -> Any:  # noqa: ANN401 - an array of whole numbers
    splits = pa.chunked_array([pa.array([one[0] for one in landmarks], pa.string())])
    numbers = pa.chunked_array([pa.array([one[1] for one in landmarks], pa.int64())])
    return landmark_keys(splits, numbers).to_numpy()
