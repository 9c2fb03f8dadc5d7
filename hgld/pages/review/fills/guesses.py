"""The guesses of `hgld fill` by category: what each is guessed to be, with parents and pictures."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.pages.review.landmarks import LandmarkIndex, landmark_keys
from hgld.pages.review.pictures import PictureIndex, read_picture_index
from hgld.pages.review.views import LandmarkLink, Thumbnail
from hgld.pages.serving.finding import fold_text
from hgld.pages.serving.wikimedia import category_url, landmark_name
from hgld.tables import CATEGORIES, FILLS, PARENTS

logger = logging.getLogger(__name__)

OTHERS = "*"
"""The key of the group of names that share no word."""

_MOST_PICTURES = 2
_DIGITS = 6  # a float32 has no more
_SHORTEST = 3  # letters of a word that names a group: neither `de` nor `St`
_LITTLE = frozenset({"the", "der", "die", "das", "les", "los", "las", "and", "und", "von", "van"})


class WordGroup(NamedTuple):
    """Names that begin or end with the same word."""

    key: str
    """The word, folded; or OTHERS."""
    title: str
    """`Kirche …`, `… Tower` or `Others`."""


class Guess(NamedTuple):
    """What a category is guessed to be."""

    category: str
    name: str
    group: WordGroup
    hierarchical_label: str
    natural_or_human_made: str
    confidence: float
    evidence: str
    landmarks: tuple[tuple[str, int], ...]
    """Split and number of each landmark of the category, none of which has a label."""

    @property
    def url(self) -> str:
        """Where the category stands."""
        return category_url(self.category)


@dataclass(slots=True, kw_only=True)
class Guesses:
    """All guesses of a build."""

    rows: Sequence[Guess] = ()
    """The surest first."""
    parents: dict[str, list[str]] = field(default_factory=dict)
    """Of categories, on Commons; as far as they were fetched."""
    pictures: dict[str, list[Thumbnail]] = field(default_factory=dict)
    """Of categories; `read_pictures` fills it in."""
    unguessed: int = 0
    """Landmarks without a guess, or without a category."""


def read_guesses(workspace: Workspace) -> Guesses:
    """Reads the guesses of a build; if landmarks of one category differ, the surest counts.

    Raises:
        MissingInputError: `hgld fill` has not run.
        DamagedError: the table is not as it was written.
    """
    table = workspace.read(FILLS)
    guessed = table.filter(pc.field("category").is_valid() & pc.field("best_guess").is_valid())
    guessed = guessed.sort_by([("confidence", "descending")])
    landmarks: dict[str, list[tuple[str, int]]] = defaultdict(list)
    surest: dict[str, dict[str, Any]] = {}
    for row in guessed.to_pylist():
        landmarks[row["category"]].append((row["split"], row["landmark_id"]))
        surest.setdefault(row["category"], row)
    names = {category: landmark_name(category) for category in surest}
    by_label: dict[str, list[str]] = defaultdict(list)
    for category, row in surest.items():
        by_label[row["best_guess"]].append(category)
    groups: dict[str, WordGroup] = {}
    for ones in by_label.values():
        groups.update(zip(ones, group_names([names[one] for one in ones]), strict=True))
    rows = [
        Guess(
            category=category,
            name=names[category],
            group=groups[category],
            hierarchical_label=row["best_guess"],
            natural_or_human_made=row["best_guess_side"],
            confidence=round(row["confidence"], _DIGITS),
            evidence=row["evidence"],
            landmarks=tuple(sorted(landmarks[category])),
        )
        for category, row in surest.items()
    ]
    return Guesses(
        rows=sorted(rows, key=lambda one: (-one.confidence, one.name)),
        parents=_read_parents(workspace, names),
        unguessed=len(table) - len(guessed),
    )


def group_names(names: Sequence[str]) -> list[WordGroup]:
    """Returns the group of each name: its first or last word, which of them more names share.

    What stands behind a comma or in brackets says where a place is, not what. Words that say
    nothing are passed over, and one that no other name begins or ends with makes no group.

    Example:
        >>> [one.title for one in group_names(["Kirche Au", "Kirche (Rain)", "St. Kirche Ems"])]
        ['Kirche …', 'Kirche …', 'Kirche …']
    """
    words = [_end_words(name) for name in names]
    folded = [tuple(map(fold_text, ends)) for ends in words]
    counts = Counter(word for ends in folded for word in set(ends))
    keys = [max(ends, key=counts.__getitem__, default=OTHERS) for ends in folded]
    sizes = Counter(keys)
    keys = [key if sizes[key] > 1 else OTHERS for key in keys]
    titles: dict[str, Counter[str]] = defaultdict(Counter)
    for key, told, ends in zip(keys, words, folded, strict=True):
        if key != OTHERS:
            titles[key][f"{told[0]} …" if ends[0] == key else f"… {told[-1]}"] += 1
    titles[OTHERS] = Counter(["Others"])
    return [WordGroup(key, titles[key].most_common(1)[0][0]) for key in keys]


def _end_words(name: str) -> tuple[str, ...]:
    """Returns the first and the last word of a name that say something; nothing if none does."""
    told = re.split(r"[,(]", name, maxsplit=1)[0]
    words = [one.strip('.;:!?"“”') for one in told.split()]
    words = [one for one in words if len(one) >= _SHORTEST and fold_text(one) not in _LITTLE]
    return (words[0], words[-1]) if words else ()


def _read_parents(workspace: Workspace, names: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns the parents of categories; also of a run in which some could not be fetched.

    Args:
        workspace: the build.
        names: category to its name.
    """
    found: dict[str, list[str]] = {}
    try:
        for path in workspace.shards(PARENTS):
            rows = pq.read_table(path, columns=["page_title", "parents"], partitioning=None)
            found.update(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        known = workspace.read(CATEGORIES, ["category", "page_title"]).to_pylist()
    except (pa.ArrowInvalid, OSError, MissingInputError, DamagedError) as error:
        logger.warning("review: no parents of guesses are shown: %s", error)
        return {}
    titles = {row["category"]: row["page_title"] for row in known}
    pages = {one: titles.get(one, f"Category:{name}") for one, name in names.items()}
    return {category: found[title] for category, title in pages.items() if title in found}


def read_pictures(workspace: Workspace, guesses: Guesses) -> PictureIndex:
    """Fills in the pictures of guesses; returns where they lie."""
    owners = {landmark: guess for guess in guesses.rows for landmark in guess.landmarks}
    splits = pa.chunked_array([[split for split, _ in owners]], pa.string())
    numbers = pa.chunked_array([[number for _, number in owners]], pa.int64())
    keys, none = landmark_keys(splits, numbers).to_numpy(), np.zeros(0, dtype=np.int64)
    landmarks = LandmarkIndex(
        keys=keys, of_class=none, class_starts=none, classes=none, starts=none, categories=None
    )
    try:
        index = read_picture_index(workspace, landmarks)
    except DamagedError as error:
        logger.warning("review: no pictures of guesses are shown: %s", error)
        return PictureIndex(of_landmark=none)
    found: dict[str, list[Thumbnail]] = defaultdict(list)
    for (landmark, guess), place in zip(owners.items(), index.of_landmark.tolist(), strict=True):
        if place >= 0 and len(found[guess.category]) < _MOST_PICTURES:
            link = LandmarkLink(guess.name, guess.url, *landmark)
            found[guess.category].append(index.thumbnail(link, place))
    guesses.pictures = found
    return index
