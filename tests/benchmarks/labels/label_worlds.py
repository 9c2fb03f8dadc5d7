"""Small label files, and a build whose labels they can be compared with."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from hgld.annotations.stage import AnnotateConfig, run_annotate
from hgld.benchmarks.labels.label_files import (
    ComparedLandmark,
    LabelRow,
    LabelRows,
    read_label_files,
    side_by_side,
)
from hgld.engine.workspace import Workspace
from tests.worlds.builders import class_rows, write_metadata, write_scrape, write_taxonomy

NATURAL = {"lake", "ocean area", "ocean area "}
BUILT = {"church", "museum", "boat"}
# The deciding class and the label we give it; Q4 is ignored.
CLASSES = {
    "Q1": ("lake", "lake"),
    "Q2": ("bay", "ocean area"),
    "Q3": ("museum", "museum"),
    "Q4": ("tourist attraction", None),
    "Q5": ("ship", "boat"),
}


def side_of(label: str | None) -> str:
    return "natural" if label in NATURAL else "human-made" if label in BUILT else ""


def category_of(landmark_id: int) -> str:
    return f"http://commons.wikimedia.org/wiki/Category:Place_{landmark_id}"


def write_labels(
    path: Path, labels: Mapping[int, str | None], *, texts: Mapping[int, str] | None = None
) -> Path:
    """Writes a file in the published format, and returns where.

    Args:
        path: of the file.
        labels: landmark to hierarchical_label; None: blank. The other level follows from it.
        texts: landmark to supercategory, blank by default.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(["landmark_id", *LabelRow._fields])
        for id_, label in labels.items():
            text = (texts or {}).get(id_, "")
            sheet.writerow([id_, category_of(id_), text, label or "", side_of(label)])
    return path


def compared(
    folder: Path, official: Mapping[int, str | None], ours: Mapping[int, str | None]
) -> tuple[list[ComparedLandmark], tuple[LabelRows, LabelRows]]:
    """Returns train landmarks side by side, and the rows of either file."""
    first, second = (
        read_label_files({"train": write_labels(folder / f"{name}.csv", labels)})
        for name, labels in (("official", official), ("ours", ours))
    )
    return side_by_side(first, second), (first, second)


def write_labelled_build(workspace: Workspace, classes: Mapping[int, Sequence[str]]) -> None:
    """Writes a build as far as its annotations.

    Args:
        workspace: an empty build.
        classes: train landmark to Q-ids of `CLASSES`.
    """
    rows = class_rows(
        {("train", id_): [(qid, CLASSES[qid][0]) for qid in qids] for id_, qids in classes.items()}
    )
    landmarks = [
        {"split": "train", "landmark_id": id_, "category": category_of(id_)} for id_ in classes
    ]
    write_metadata(workspace, landmarks, [{"split": "test", "image_id": "0" * 16}])
    write_scrape(workspace, rows, [row | {"status": "ok", "qid": "Q9"} for row in landmarks])
    decisions = {
        qid: ("assigned", label, side_of(label)) for qid, (_, label) in CLASSES.items() if label
    }
    write_taxonomy(workspace, rows, decisions)
    run_annotate(workspace, AnnotateConfig())
