"""The guesses of `hgld fill` by category: what each is guessed to be, with parents and pictures."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.errors import DamagedError, MissingInputError
from hgld.pages.review.landmarks import landmark_keys
from hgld.pages.review.pictures import PictureIndex, read_picture_index
from hgld.pages.review.views import LandmarkLink, Thumbnail
from hgld.pages.serving.wikimedia import category_url, landmark_name
from hgld.review.log.events import label_key
from hgld.review.log.history import FillRuling, Standing, category_rulings, name_now
from hgld.tables import CATEGORIES, FILLS, PARENTS

logger = logging.getLogger(__name__)

OTHERS = "Others"
"""The group of names that share no word."""

_MOST_PICTURES = 2
_DIGITS = 6  # a float32 has no more
_SHORTEST = 3  # letters of a word that names a group: neither `de` nor `St`
_LITTLE = frozenset({"the", "der", "die", "das", "les", "los", "las", "and", "und", "von", "van"})


class Guess(NamedTuple):
    """What a category is guessed to be."""

    category: str
    name: str
    url: str
    """Where the category stands."""
    group: str
    """`Kirche …`, `… Tower` or OTHERS: see `group_titles`."""
    hierarchical_label: str
    natural_or_human_made: str
    confidence: float
    evidence: str
    landmarks: Sequence[tuple[str, int]]
    """Split and number of each landmark of the category, none of which has a label."""


class GuessRow(NamedTuple):
    """A guess, and what is ruled on it."""

    guess: Guess
    ruling: FillRuling | None
    """None: it is open."""

    @property
    def action(self) -> str | None:
        """`accept` or `refuse`; None while it is open."""
        return self.ruling and self.ruling.action


class GuessGroup(NamedTuple):
    """Guesses of a super-category whose names share a word."""

    hierarchical_label: str
    """As it is called now."""
    natural_or_human_made: str
    title: str
    confidence: float
    """Of the guess in its middle."""
    rows: Sequence[GuessRow]
    """Open ones first, then ruled ones; of each the surest first."""
    open: int

    @property
    def place(self) -> dict[str, str]:
        """The fields of its address."""
        return {"name": self.hierarchical_label, "group": self.title}


class Guesses(NamedTuple):
    """All guesses of a build."""

    made: str
    """Fingerprint of the run of `hgld fill`."""
    rows: Sequence[Guess]
    """The surest first."""
    unguessed: int
    """Landmarks without a guess, or without a category."""
    parents: Mapping[str, Sequence[str]]
    """Of categories, on Commons; as far as they were fetched."""
    pictures: Mapping[str, Sequence[Thumbnail]]
    """Of categories."""
    picture_index: PictureIndex
    """Where the pictures lie."""


def read_guesses(workspace: Workspace) -> Guesses:
    """Reads the guesses of a build; if landmarks of one category differ, the surest counts.

    Raises:
        MissingInputError: `hgld fill` has not run.
        DamagedError: the table is not as it was written.
    """
    table = workspace.read(FILLS)
    guessed = table.filter(pc.field("category").is_valid() & pc.field("best_guess").is_valid())
    firsts = ("best_guess", "best_guess_side", "confidence", "evidence")
    categories = (
        guessed.sort_by([("confidence", "descending"), ("category", "ascending")])
        .group_by("category", use_threads=False)
        .aggregate(
            [*((name, "first") for name in firsts), ("split", "list"), ("landmark_id", "list")]
        )
        .to_pylist()
    )
    names = [landmark_name(row["category"]) for row in categories]
    titles = group_titles(names, [row["best_guess_first"] for row in categories])
    rows = [
        Guess(
            category=row["category"],
            name=name,
            url=category_url(row["category"]),
            group=title,
            hierarchical_label=row["best_guess_first"],
            natural_or_human_made=row["best_guess_side_first"],
            confidence=round(row["confidence_first"], _DIGITS),
            evidence=row["evidence_first"],
            landmarks=tuple(zip(row["split_list"], row["landmark_id_list"], strict=True)),
        )
        for row, name, title in zip(categories, names, titles, strict=True)
    ]
    pictures, index = _read_pictures(workspace, rows)
    return Guesses(
        made=workspace.finished(FILLS).fingerprint,
        rows=rows,
        unguessed=len(table) - len(guessed),
        parents=_read_parents(workspace),
        pictures=pictures,
        picture_index=index,
    )


def groups_of(guesses: Iterable[Guess], standing: Standing) -> list[GuessGroup]:
    """Returns the groups of guesses, those of the super-category with most guesses first.

    Of a super-category those with open guesses come first, and of these the surest. A guess is
    where its super-category is, under the name that this has now.
    """
    found: dict[tuple[str, str], list[GuessRow]] = defaultdict(list)
    for guess in guesses:
        name = standing.current_name(guess.hierarchical_label)
        ruling = ruling_on(standing, guess) if guess.category in standing.fills else None
        found[name, guess.group].append(GuessRow(guess, ruling))
    sizes: Counter[str] = Counter()
    groups = []
    for (name, title), rows in found.items():
        sizes[name] += len(rows)
        named = name_now(standing, name, rows[0].guess.natural_or_human_made)
        middle = rows[len(rows) // 2].guess.confidence
        rows.sort(key=lambda row: row.ruling is not None)
        still = sum(row.ruling is None for row in rows)
        groups.append(GuessGroup(*named, title, middle, rows, still))

    def rank(group: GuessGroup) -> tuple[int, str, bool, bool, float]:
        name, others = group.hierarchical_label, group.title == OTHERS
        return -sizes[name], name, not group.open, others, -group.confidence

    return sorted(groups, key=rank)


def ruling_on(standing: Standing, guess: Guess) -> FillRuling | None:
    """Returns what is ruled on a guess; not what on another super-category of its category."""
    name = label_key(standing.current_name(guess.hierarchical_label))
    rulings = category_rulings(standing, guess.category)
    return next((one for one in rulings if label_key(one.hierarchical_label) == name), None)


def group_titles(names: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Returns the group of each name: those that begin, or end, with the same word as most others.

    Only names that are guessed to be the same stand together. What stands behind a comma or in
    brackets says where a place is, not what. Words that say nothing are passed over, and a word of
    one name alone makes no group.

    Args:
        names: of categories.
        labels: the super-category that each is guessed to be.

    Example:
        >>> group_titles(["Kirche Au", "Kirche (Rain)", "St. Kirche Ems"], ["church"] * 3)
        ['Kirche …', 'Kirche …', 'Kirche …']
    """
    ends = [
        [(label, title) for title in _end_titles(name)]
        for name, label in zip(names, labels, strict=True)
    ]
    counts = Counter(one for own in ends for one in own)
    chosen = [max(own, key=counts.__getitem__, default=("", OTHERS)) for own in ends]
    sizes = Counter(chosen)
    return [one[1] if sizes[one] > 1 else OTHERS for one in chosen]


def _end_titles(name: str) -> Sequence[str]:
    """Returns the groups of the first and the last word that say something; none if none does."""
    told = re.split(r"[,(]", name, maxsplit=1)[0]
    words = [one.strip('.;:!?"“”') for one in told.split()]
    words = [one for one in words if len(one) >= _SHORTEST and one.lower() not in _LITTLE]
    return (f"{words[0]} …", f"… {words[-1]}") if words else ()


def _read_parents(workspace: Workspace) -> Mapping[str, Sequence[str]]:
    """Returns the parents of categories; also of a run in which some could not be fetched."""
    above: dict[str, list[str]] = {}
    try:
        for path in workspace.shards(PARENTS):
            rows = pq.read_table(path, columns=["page_title", "parents"], partitioning=None)
            above.update(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        pages = workspace.read(CATEGORIES, ["category", "page_title"]).to_pylist()
    except (pa.ArrowInvalid, OSError, MissingInputError, DamagedError) as error:
        logger.warning("review: no parents of guesses are shown: %s", error)
        return {}
    titles = {row["category"]: row["page_title"] for row in pages}
    return {category: above[title] for category, title in titles.items() if title in above}


def _read_pictures(
    workspace: Workspace, guesses: Sequence[Guess]
) -> tuple[Mapping[str, Sequence[Thumbnail]], PictureIndex]:
    owners = {landmark: guess for guess in guesses for landmark in guess.landmarks}
    splits = pa.chunked_array([[split for split, _ in owners]], pa.string())
    numbers = pa.chunked_array([[number for _, number in owners]], pa.int64())
    keys = landmark_keys(splits, numbers).to_numpy()
    found: dict[str, list[Thumbnail]] = defaultdict(list)
    try:
        index = read_picture_index(workspace, keys)
    except DamagedError as error:
        logger.warning("review: no pictures of guesses are shown: %s", error)
        return found, PictureIndex()
    for (landmark, guess), key in zip(owners.items(), keys.tolist(), strict=True):
        if key in index.image_of and len(found[guess.category]) < _MOST_PICTURES:
            link = LandmarkLink(guess.name, guess.url, *landmark)
            found[guess.category].append(index.thumbnail(link, key))
    return found, index
