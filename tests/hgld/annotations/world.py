"""Seven landmarks of five classes and their images, as the stages before `annotate` leave them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hgld.engine.workspace import Workspace
from hgld.tables import ANNOTATIONS, LANDMARK_LABELS
from tests.worlds.builders import class_rows, write_metadata, write_scrape, write_taxonomy

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


def landmark_labels(workspace: Workspace) -> list[dict[str, Any]]:
    """Returns the rows of LANDMARK_LABELS."""
    return list(workspace.read(LANDMARK_LABELS).to_pylist())
