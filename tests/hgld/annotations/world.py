"""Seven landmarks of five classes and their images, as the stages before `annotate` leave them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq

from hgld.engine.workspace import Workspace
from hgld.tables import (
    ANNOTATIONS,
    BAD_IMAGES,
    FILLED,
    FILLS,
    LANDMARK_LABELS,
    PLACE_MISSING,
    PLACES,
    TAXONOMY,
)
from tests.worlds import builders
from tests.worlds.builders import Rows, class_rows, table_of, write_stage

Row = dict[str, object]

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
LANDMARKS: list[Row] = [
    *(Row(split="train", landmark_id=n, category=f"c/{n}") for n in (3, 1, 2, 4, 5)),
    {"split": "index", "landmark_id": 1, "category": 'c/Lake_"x",_y'},
    {"split": "index", "landmark_id": 2, "category": "c/é"},
]
CATEGORIES: list[Row] = [
    *(
        {"split": split, "landmark_id": number, "category": "", "status": "ok", "qid": f"Q{number}"}
        | {"revision_id": 10 + number, "fetched_at": datetime(2025, 1, 1, tzinfo=UTC)}
        for split, number in SCRAPED
    ),
    {"split": "train", "landmark_id": 4, "category": "", "status": "no_item"},
]
IMAGES: list[Row] = [
    *(
        {"split": "train", "image_id": name, "landmark_id": number, "in_clean": name != "a1"}
        for name, number in (("a0", 1), ("a1", 1), ("a2", 3), ("a3", 4), ("a4", 5), ("a5", 6))
    ),
    {"split": "index", "image_id": "b0", "landmark_id": 1},
    {"split": "index", "image_id": "b1", "landmark_id": 2},
    {"split": "test", "image_id": "c0", "landmark_id": 1, "usage": "Public"},
    {"split": "test", "image_id": "c1", "usage": "Ignored"},
]
_TERMS = "https://creativecommons.org/licenses"
ATTRIBUTIONS: list[Row] = [
    dict(zip(("image_id", "title", "author", "license", "url"), values, strict=True))
    for values in (
        ("a1", "File:Nave.jpg", "Ann", f"{_TERMS}/by/2.0", "https://c.example/1"),
        ("zz", "File:Of another image.jpg", None, None, None),
        ("a0", 'File:Tower, "old".jpg', "Zo\u00eb & Co", f"{_TERMS}/by-sa/3.0/de/deed.de", None),
    )
]


# What `fill` says of each landmark that no class gives a label, and of one that has another by now.
FILL_ROWS: list[Row] = [
    *(
        {"split": split, "landmark_id": number, "status": "ok", "hierarchical_label": label}
        | {"natural_or_human_made": "natural", "best_guess": label, "confidence": sure}
        | {"evidence": f"looks like a {label}", "method": method, "reviewer": reviewer}
        for split, number, label, sure, method, reviewer in (
            ("train", 1, "lake", 0.75, "words", None),
            ("train", 3, "park", 0.75, "words+parents", None),
            ("train", 4, "hill", 1.0, "reviewed", "eve"),
            ("index", 4, "cave", 0.75, "words", None),  # another landmark than that of train
        )
    ),
    *(
        {"split": split, "landmark_id": number, "status": "unsure", "best_guess": guess}
        | {"evidence": f"named a {guess}; not sure enough", "confidence": sure, "method": "words"}
        for split, number, guess, sure in (("train", 5, "cave", 0.5), ("index", 1, "hill", 0.25))
    ),
]


def write_fills(workspace: Workspace, rows: Rows = FILL_ROWS) -> None:
    """Writes what `annotate` reads where it takes fills."""
    write_stage(workspace, [(FILLS, table_of(FILLS, rows))])


def write_places(workspace: Workspace) -> None:
    """Writes where two landmarks are; it is unknown of the first which country that is."""
    missing = dict.fromkeys(field.name for field in PLACE_MISSING)
    rows = [
        {"split": split, "landmark_id": 1, "qid": "Q1", "status": "ok", "latitude": latitude}
        | {"longitude": 9.0}
        | {"places": [place], "place_names": ["Paris"], "styles": [], "style_names": []}
        | {"part_of": []}
        | {"countries": countries, "place_missing": missing | {"country": why}}
        for split, latitude, countries, place, why in (
            ("train", 45.5, [], "Q1", "unknown"),
            ("index", -3.0, ["Q38"], "Q2", None),
        )
    ]
    rows[1] |= {"country": "Italy", "continent": "Europe"}
    rows[1] |= {"inception_year": -431, "inception_precision": "year"}
    rows[1] |= {"styles": ["Q3"], "style_names": ["Gothic"]}
    path = workspace.path(f"{PLACES.path}/00000.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table_of(PLACES, rows), path)


def write_bad(workspace: Workspace, names: Mapping[str, Sequence[str]]) -> None:
    """Writes which pictures of each split were found to be bad."""
    for split, dataset in BAD_IMAGES.items():
        rows = [{"image_id": name, "tar": "t", "reason": "truncated"} for name in names[split]]
        write_stage(workspace, [(dataset, table_of(dataset, rows))])


def write_inputs(
    workspace: Workspace,
    images: Rows = IMAGES,
    *,
    landmarks: Rows = LANDMARKS,
    attributions: Rows = ATTRIBUTIONS,
    scraped: Mapping[tuple[str, int], Sequence[tuple[str, str]]] = SCRAPED,
    categories: Rows = CATEGORIES,
) -> None:
    """Writes what `annotate` reads."""
    builders.write_metadata(workspace, landmarks, images, attributions)
    builders.write_scrape(workspace, class_rows(scraped), categories)
    builders.write_taxonomy(workspace, class_rows(scraped), DECISIONS)


def change_taxonomy(workspace: Workspace, changes: Mapping[str, Mapping[str, object]]) -> None:
    """Changes what the taxonomy says of some classes."""
    rows = workspace.read(TAXONOMY).to_pylist()
    changed = [row | dict(changes.get(row["class_qid"], {})) for row in rows]
    write_stage(workspace, [(TAXONOMY, table_of(TAXONOMY, changed))])


def annotations(workspace: Workspace, split: str) -> dict[str, dict[str, Any]]:
    """Returns the rows of ANNOTATIONS of a split, by image."""
    return {row["image_id"]: row for row in workspace.read(ANNOTATIONS[split]).to_pylist()}


def filled(workspace: Workspace, split: str) -> dict[str, dict[str, Any]]:
    """Returns the rows of FILLED of a split, by image."""
    return {row["image_id"]: row for row in workspace.read(FILLED[split]).to_pylist()}


def landmark_labels(workspace: Workspace) -> dict[tuple[str, int], dict[str, Any]]:
    """Returns the rows of LANDMARK_LABELS, by label space and landmark."""
    rows = workspace.read(LANDMARK_LABELS).to_pylist()
    return {(row["split"], row["landmark_id"]): row for row in rows}
