"""Which landmarks are known and which are asked about, with all that speaks of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.labels.fills.config import PARENTS_FILE, FillConfig
from hgld.labels.fills.guessing.subjects import NONE, KnownLandmarks, PictureVote, Subjects
from hgld.labels.fills.guessing.titles import name_of_category
from hgld.tables import CATEGORIES, CLASSES, FILL_DECISIONS, LANDMARKS, PICTURE_VOTES, TAXONOMY

Key = tuple[str, int]
"""Split and landmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmarks:
    """Some landmarks of a build."""

    keys: Sequence[Key]
    categories: Sequence[str | None]
    subjects: Subjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What persons said of guesses."""

    accepted: Mapping[str, tuple[str, str, str]]
    """Category to its label, the side of that, and who said so."""
    refused: Mapping[str, frozenset[str]]
    """Category to labels that its landmarks do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What is known, and what is asked."""

    known: KnownLandmarks
    known_keys: Sequence[Key]
    """Of the landmarks of `known`; of several that share a category and a label, the first."""
    asked: Landmarks
    sides: Mapping[str, str]
    """Label to natural or human-made."""
    decided: Decided


def read_build(workspace: Workspace, config: FillConfig) -> Build:
    """Reads what fills are made of.

    A landmark is known where all its classes that have a super-category have the same, and where a
    person accepted a guess; it is asked about where none of its classes has one. Where classes
    disagree the annotations' rule decides, and nothing is learned. Of one that is open and had a
    guess refused, it is known what it is not.

    Args:
        workspace: a build with the stage's inputs.
        config: the settings.

    Raises:
        MissingInputError: an input is not there.
    """
    taxonomy = workspace.read(
        TAXONOMY, ["class_qid", "hierarchical_label", "natural_or_human_made"]
    ).drop_null()
    label_of = dict(
        zip(
            taxonomy["class_qid"].to_pylist(),
            taxonomy["hierarchical_label"].to_pylist(),
            strict=True,
        )
    )
    names = taxonomy["hierarchical_label"].to_pylist()
    sides = dict(zip(names, taxonomy["natural_or_human_made"].to_pylist(), strict=True))
    decided = _decided(workspace.read(FILL_DECISIONS).to_pylist())
    sides |= {label: side for label, side, _ in decided.accepted.values()}
    votes = _votes(workspace, label_of)
    landmarks = workspace.read(LANDMARKS, ["split", "landmark_id", "category"])
    rows = list(zip(*(column.to_pylist() for column in landmarks.columns), strict=True))
    truth: dict[tuple[str | None, str], Key] = {}
    open_rows = []
    for split, landmark_id, category in rows:
        found = votes.get((split, landmark_id), set())
        if not found:
            open_rows.append((split, landmark_id, category))
        if category in decided.accepted:
            found = {decided.accepted[category][0]}
        elif not found and category in decided.refused:
            found = {NONE}  # nothing is known of it but what it is not
        if len(found) == 1 and category:
            truth.setdefault((category, *found), (split, landmark_id))
    speaks = _Speaking(
        workspace, config, {*truth.values(), *((row[0], row[1]) for row in open_rows)}
    )
    known = speaks.of([(*key, category) for (category, _), key in truth.items()])
    return Build(
        known=KnownLandmarks(
            subjects=known.subjects,
            truth=[label for _, label in truth],
            labels=sorted(sides),
            refused={
                row: decided.refused[category]
                for row, (category, label) in enumerate(truth)
                if label == NONE and category is not None
            },
        ),
        known_keys=known.keys,
        asked=speaks.of(open_rows),
        sides=sides,
        decided=decided,
    )


class _Speaking:
    """Finds what speaks of landmarks."""

    def __init__(self, workspace: Workspace, config: FillConfig, keys: set[Key]) -> None:
        self._parents = _parents(workspace, keys)
        self._votes = _picture_votes(workspace) if config.pictures else {}

    def of(self, rows: Iterable[tuple[str, int, str | None]]) -> Landmarks:
        """Returns landmarks, given by split, id and category, with all that speaks of them."""
        listed = list(rows)
        keys = [(split, landmark_id) for split, landmark_id, _ in listed]
        subjects = Subjects(
            names=[name_of_category(category or "") for _, _, category in listed],
            parents=[self._parents.get(key, ()) for key in keys] if self._parents else (),
            pictures=[self._votes.get(key) for key in keys] if self._votes else (),
        )
        return Landmarks(
            keys=keys, categories=[category for _, _, category in listed], subjects=subjects
        )


def _votes(workspace: Workspace, label_of: Mapping[str, str]) -> dict[Key, set[str]]:
    """Returns the super-categories that the classes of landmarks have."""
    classes = workspace.read(CLASSES, ["split", "landmark_id", "class_qid"])
    voting = pa.array(list(label_of), pa.string())
    classes = classes.filter(pc.is_in(classes["class_qid"], value_set=voting))
    found: defaultdict[Key, set[str]] = defaultdict(set)
    columns = (column.to_pylist() for column in classes.columns)
    for split, landmark_id, qid in zip(*columns, strict=True):
        found[split, landmark_id].add(label_of[qid])
    return found


def _decided(rows: Iterable[Mapping[str, Any]]) -> Decided:
    accepted, refused = {}, defaultdict(set)
    for row in rows:
        if row["action"] == "accept":
            said = (row["hierarchical_label"], row["natural_or_human_made"], row["reviewer"])
            accepted[row["category"]] = said
        else:
            refused[row["category"]].add(row["hierarchical_label"])
    return Decided(
        accepted=accepted,
        refused={category: frozenset(labels) for category, labels in refused.items()},
    )


def _parents(workspace: Workspace, keys: set[Key]) -> dict[Key, tuple[str, ...]]:
    """Returns the titles above the categories of landmarks; nothing where none were fetched."""
    path = workspace.path(PARENTS_FILE)
    if not path.exists():
        return {}
    rows = pq.read_table(path, columns=["page_title", "parents", "grandparents"]).to_pylist()
    above = {row["page_title"]: (*row["parents"], *row["grandparents"]) for row in rows}
    pages = workspace.read(CATEGORIES, ["split", "landmark_id", "page_title"])
    columns = (column.to_pylist() for column in pages.columns)
    return {
        (split, landmark_id): above[title]
        for split, landmark_id, title in zip(*columns, strict=True)
        if (split, landmark_id) in keys and above.get(title)
    }


def _picture_votes(workspace: Workspace) -> dict[Key, PictureVote]:
    rows = workspace.read(
        PICTURE_VOTES,
        ["split", "landmark_id", "best_guess", "confidence", "share", "evidence"],
    ).to_pylist()
    return {
        (row["split"], row["landmark_id"]): PictureVote(
            row["best_guess"], row["confidence"], row["share"], row["evidence"]
        )
        for row in rows
        if row["best_guess"] is not None
    }
