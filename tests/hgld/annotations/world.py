"""Seven landmarks of five classes and their images, as the stages before `annotate` leave them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, FILLED, FILLS, LANDMARK_LABELS
from tests.worlds.builders import (
    class_rows,
    table_of,
    write_metadata,
    write_scrape,
    write_stage,
    write_taxonomy,
)

CHURCH, PARISH, MUSEUM, HERITAGE, LAKE = "Q16970", "Q317557", "Q33506", "Q9259", "Q23397"
LABELS = {
    CHURCH: "church building",
    PARISH: "parish church",
    MUSEUM: "museum",
    HERITAGE: "World Heritage Site",
    LAKE: "lake, or pond",
}
DECISIONS = {
    CHURCH: ("assigned", "church", "human-made"),
    PARISH: ("assigned", "church", "human-made"),
    MUSEUM: ("assigned", "museum", "human-made"),
    LAKE: ("proposed", "ocean area ", "natural"),
}
OF_LANDMARKS = {
    ("train", 1): [CHURCH, PARISH, MUSEUM, HERITAGE],
    ("train", 2): [CHURCH],
    ("train", 3): [HERITAGE],
    ("index", 1): [LAKE],
    ("index", 2): [CHURCH, MUSEUM],
}
SCRAPED = {
    landmark: [(qid, LABELS[qid]) for qid in qids] for landmark, qids in OF_LANDMARKS.items()
}
LANDMARKS: list[dict[str, object]] = [
    {"split": "train", "landmark_id": 3, "category": "c/3"},
    {"split": "train", "landmark_id": 1, "category": "c/1"},
    {"split": "train", "landmark_id": 2, "category": "c/2"},
    {"split": "train", "landmark_id": 4, "category": "c/4"},
    {"split": "train", "landmark_id": 5, "category": "c/5"},
    {"split": "index", "landmark_id": 1, "category": 'c/Lake_"x",_y'},
    {"split": "index", "landmark_id": 2, "category": "c/é"},
]
CATEGORIES: list[dict[str, object]] = [
    *[
        {"split": split, "landmark_id": number, "category": "", "status": "ok", "qid": f"Q{number}"}
        | {"revision_id": 10 + number, "fetched_at": datetime(2025, 1, 1, tzinfo=UTC)}
        for split, number in SCRAPED
    ],
    {"split": "train", "landmark_id": 4, "category": "", "status": "no_item"},
]
IMAGES: list[dict[str, object]] = [
    {"split": "train", "image_id": "a0", "landmark_id": 1, "in_clean": True},
    {"split": "train", "image_id": "a1", "landmark_id": 1, "in_clean": False},
    {"split": "train", "image_id": "a2", "landmark_id": 3, "in_clean": True},
    {"split": "train", "image_id": "a3", "landmark_id": 4, "in_clean": True},
    {"split": "train", "image_id": "a4", "landmark_id": 5, "in_clean": True},
    {"split": "train", "image_id": "a5", "landmark_id": 6, "in_clean": True},
    {"split": "index", "image_id": "b0", "landmark_id": 1},
    {"split": "index", "image_id": "b1", "landmark_id": 2},
    {"split": "test", "image_id": "c0", "landmark_id": 1, "usage": "Public"},
    {"split": "test", "image_id": "c1", "usage": "Ignored"},
]
_TERMS = "https://creativecommons.org/licenses"
ATTRIBUTIONS: list[dict[str, object]] = [
    dict(zip(("image_id", "title", "author", "license", "url"), values, strict=True))
    for values in (
        ("a1", "File:Nave.jpg", "Ann", f"{_TERMS}/by/2.0", "https://c.example/1"),
        ("zz", "File:Of another image.jpg", None, None, None),
        ("a0", 'File:Tower, "old".jpg', "Zo\u00eb & Co", f"{_TERMS}/by-sa/3.0/de/deed.de", None),
    )
]


# What `fill` says of each landmark that no class gives a label, and of one that has another by now.
FILL_ROWS: list[dict[str, object]] = [
    *(
        {"split": split, "landmark_id": number, "status": "ok", "hierarchical_label": label}
        | {"natural_or_human_made": "natural", "best_guess": label, "confidence": sure}
        | {"evidence": f"looks like a {label}", "method": method, "reviewer": reviewer}
        for split, number, label, sure, method, reviewer in (
            ("train", 1, "lake", 0.75, "words", None),
            ("train", 3, "park", 0.75, "words+parents", None),
            ("train", 4, "hill", 1.0, "reviewed", "eve"),
        )
    ),
    {"split": "train", "landmark_id": 5, "status": "unsure", "best_guess": "cave"}
    | {"confidence": 0.5, "evidence": "named a cave; not sure enough", "method": "words"},
    {"split": "index", "landmark_id": 1, "status": "unsure", "best_guess": "hill"}
    | {"confidence": 0.25, "evidence": "named a hill; not sure enough", "method": "words"},
    # of the index, where the train landmark 4 is another one
    {"split": "index", "landmark_id": 4, "status": "ok", "hierarchical_label": "cave"}
    | {"natural_or_human_made": "natural", "evidence": "", "method": "words"},
]


def write_fills(
    workspace: Workspace, rows: Sequence[Mapping[str, object]] = tuple(FILL_ROWS)
) -> None:
    """Writes what `annotate` reads where it takes fills."""
    write_stage(workspace, [(FILLS, table_of(FILLS, rows))])


def write_inputs(
    workspace: Workspace, images: Sequence[Mapping[str, object]] = tuple(IMAGES)
) -> None:
    """Writes what `annotate` reads."""
    write_metadata(workspace, LANDMARKS, images, ATTRIBUTIONS)
    write_scrape(workspace, class_rows(SCRAPED), CATEGORIES)
    write_taxonomy(workspace, class_rows(SCRAPED), DECISIONS)


def annotations(workspace: Workspace, split: str) -> dict[str, dict[str, Any]]:
    """Returns the rows of ANNOTATIONS of a split, by image."""
    return {row["image_id"]: row for row in workspace.read(ANNOTATIONS[split]).to_pylist()}


def filled(workspace: Workspace, split: str) -> dict[str, dict[str, Any]]:
    """Returns the rows of FILLED of a split, by image."""
    return {row["image_id"]: row for row in workspace.read(FILLED[split]).to_pylist()}


def landmark_labels(workspace: Workspace) -> list[dict[str, Any]]:
    """Returns the rows of LANDMARK_LABELS."""
    return list(workspace.read(LANDMARK_LABELS).to_pylist())
