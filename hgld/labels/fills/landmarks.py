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
from hgld.labels.fills.guessing import NONE, KnownLandmarks, PictureVote, Subjects
from hgld.labels.fills.lexicon import name_of_category
from hgld.tables import CATEGORIES, CLASSES, FILL_DECISIONS, LANDMARKS, PICTURE_VOTES, TAXONOMY

Key = tuple[str, int]
"""Split and landmark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmarks:
    """Some landmarks of a build."""

    keys: Sequence[Key]
    categories: Sequence[str | None]
    subjects: Subjects

    def rows(self) -> list[dict[str, Any]]:
        """Returns the columns of FILLS that name the landmarks."""
        pairs = zip(self.keys, self.categories, strict=True)
        return [
            {"split": split, "landmark_id": number, "category": category}
            for (split, number), category in pairs
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What is known, and what is asked."""

    known: KnownLandmarks
    known_keys: Sequence[Key]
    """Of the landmarks of `known`; of several that share a category and a label, the first."""
    asked: Landmarks
    sides: Mapping[str, str]
    """Label to natural or human-made."""
    accepted: Mapping[str, tuple[str, str, str]]
    """Category to the label that a person accepted, the side of that, and who said so."""
    refused: Mapping[str, frozenset[str]]
    """Category to labels that, as a person said, its landmarks do not have."""


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
    qids, names, their_sides = (column.to_pylist() for column in taxonomy.columns)
    sides = dict(zip(names, their_sides, strict=True))
    accepted, refused = _decided(workspace)
    sides |= {label: side for label, side, _ in accepted.values()}
    labels_of = _labels_of_landmarks(workspace, dict(zip(qids, names, strict=True)))
    landmarks = workspace.read(LANDMARKS, ["split", "landmark_id", "category"])
    truth: dict[tuple[str | None, str], Key] = {}
    open_rows = []
    columns = (column.to_pylist() for column in landmarks.columns)
    for split, landmark_id, category in zip(*columns, strict=True):
        found = labels_of.get((split, landmark_id), set())
        if not found:
            open_rows.append((split, landmark_id, category))
        if category in accepted:
            found = {accepted[category][0]}
        elif not found and category in refused:
            found = {NONE}  # nothing is known of it but what it is not
        if len(found) == 1 and category:
            truth.setdefault((category, *found), (split, landmark_id))
    parents = _parents(workspace, {*truth.values(), *((row[0], row[1]) for row in open_rows)})
    votes = _picture_votes(workspace) if config.pictures else {}

    def landmarks_of(rows: Iterable[tuple[str, int, str | None]]) -> Landmarks:
        listed = list(rows)
        keys = [(split, landmark_id) for split, landmark_id, _ in listed]
        categories = [category for _, _, category in listed]
        subjects = Subjects(
            names=[name_of_category(category or "") for category in categories],
            parents=[parents.get(key, ()) for key in keys] if parents else (),
            pictures=[votes.get(key) for key in keys] if votes else (),
        )
        return Landmarks(keys=keys, categories=categories, subjects=subjects)

    known = landmarks_of((*key, category) for (category, _), key in truth.items())
    return Build(
        known=KnownLandmarks(
            subjects=known.subjects,
            truth=[label for _, label in truth],
            labels=sorted(sides),
            refused={
                row: refused[category]
                for row, (category, label) in enumerate(truth)
                if label == NONE and category is not None
            },
        ),
        known_keys=known.keys,
        asked=landmarks_of(open_rows),
        sides=sides,
        accepted=accepted,
        refused=refused,
    )


def _labels_of_landmarks(
    workspace: Workspace, label_of: Mapping[str, str]
) -> Mapping[Key, set[str]]:
    """Returns the super-categories that the classes of landmarks have."""
    classes = workspace.read(CLASSES, ["split", "landmark_id", "class_qid"])
    voting = pa.array(list(label_of), pa.string())
    classes = classes.filter(pc.is_in(classes["class_qid"], value_set=voting))
    found: defaultdict[Key, set[str]] = defaultdict(set)
    columns = (column.to_pylist() for column in classes.columns)
    for split, landmark_id, qid in zip(*columns, strict=True):
        found[split, landmark_id].add(label_of[qid])
    return found


def _decided(
    workspace: Workspace,
) -> tuple[dict[str, tuple[str, str, str]], dict[str, frozenset[str]]]:
    """Returns what persons accepted and refused, by category."""
    accepted: dict[str, tuple[str, str, str]] = {}
    refused: dict[str, frozenset[str]] = {}
    for row in workspace.read(FILL_DECISIONS).to_pylist():
        category, label = row["category"], row["hierarchical_label"]
        if row["action"] == "accept":
            accepted[category] = (label, row["natural_or_human_made"], row["reviewer"])
        else:
            refused[category] = refused.get(category, frozenset()) | {label}
    return accepted, refused


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
    columns = ["split", "landmark_id", "best_guess", "confidence", "share", "evidence"]
    table = workspace.read(PICTURE_VOTES, columns)
    return {
        (split, landmark_id): PictureVote(*vote)
        for split, landmark_id, *vote in zip(
            *(table[name].to_pylist() for name in columns), strict=True
        )
        if vote[0] is not None
    }
