"""Small data sets for tests, written as their stages would write them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hgld.engine.dataset import Dataset
from hgld.engine.files import file_digest
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.labels.embedding.stage import unique_classes
from hgld.tables import (
    ATTRIBUTIONS,
    CATEGORIES,
    CLASSES,
    IMAGES,
    LANDMARKS,
    PROPOSALS,
    SUPERCLASSES,
    TAXONOMY,
)

Rows = Iterable[Mapping[str, object]]


def write_stage(workspace: Workspace, tables: Sequence[tuple[Dataset, pa.Table]]) -> StageReport:
    """Writes data sets of one stage, one shard each, as a finished run of it.

    Args:
        workspace: the build.
        tables: data set and rows, all of the same stage.

    Returns:
        The stage's report; other rows make another fingerprint, as another fetch would.
    """

    def produce(writer: StageWriter) -> None:
        for dataset, table in tables:
            # Shards of a release are numbered, and `hgld.load` counts them.
            writer.write(dataset, "00000-of-00001" if "*" in dataset.path else "rows", table)

    outputs = tuple(dataset for dataset, _ in tables)
    stage = Stage(name=outputs[0].stage, version=1, outputs=outputs)
    text = repr([table.to_pylist() for _, table in tables])
    return run_stage(workspace, stage, {"rows": hashlib.sha256(text.encode()).hexdigest()}, produce)


def table_of(dataset: Dataset, rows: Rows) -> pa.Table:
    """Returns rows as a table of the data set; what a row lacks is null, or without an element."""
    empty: dict[str, object] = {
        field.name: None if field.nullable else [] if pa.types.is_list(field.type) else {}
        for field in dataset.schema
        if field.nullable or pa.types.is_nested(field.type)
    }
    filled = [empty | dict(row) for row in rows]
    return pa.Table.from_pylist(filled, schema=dataset.schema)


def class_rows(classes: Mapping[tuple[str, int], Sequence[tuple[str, str]]]) -> pa.Table:
    """Returns CLASSES rows.

    Args:
        classes: (split, landmark_id) to its classes as (class_qid, class_label).
    """
    return table_of(
        CLASSES,
        (
            {
                "split": split,
                "landmark_id": landmark_id,
                "qid": f"Q{1000 + landmark_id}",
                "class_qid": qid,
                "class_label": label,
                "label_language": "en",
                "rank": "normal",
            }
            for (split, landmark_id), pairs in classes.items()
            for qid, label in pairs
        ),
    )


def picture_row(workspace: Workspace, image_id: str, relative: str) -> dict[str, object]:
    """Returns the row of IMAGE_FILES of a picture that lies in the build."""
    content = workspace.path(relative).read_bytes()
    return {
        "image_id": image_id,
        "tar": "a.tar",
        "status": "ok",
        "path": relative,
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def write_scrape(workspace: Workspace, classes: pa.Table, categories: Rows = ()) -> StageReport:
    """Writes CATEGORIES, CLASSES and no SUPERCLASSES; `categories` may lack columns."""
    tables = [
        (CATEGORIES, table_of(CATEGORIES, categories)),
        (CLASSES, classes),
        (SUPERCLASSES, table_of(SUPERCLASSES, ())),
    ]
    return write_stage(workspace, tables)


def write_metadata(
    workspace: Workspace, landmarks: Rows, images: Rows, attributions: Rows = ()
) -> StageReport:
    """Writes LANDMARKS, IMAGES and ATTRIBUTIONS."""
    tables = {LANDMARKS.path: landmarks, IMAGES.path: images, ATTRIBUTIONS.path: attributions}
    datasets = (LANDMARKS, IMAGES, ATTRIBUTIONS)
    return write_stage(workspace, [(one, table_of(one, tables[one.path])) for one in datasets])


def write_taxonomy(
    workspace: Workspace, classes: pa.Table, decisions: Mapping[str, tuple[str, str, str]]
) -> StageReport:
    """Writes TAXONOMY.

    Args:
        workspace: the build.
        classes: rows of CLASSES, from which labels and landmark counts come.
        decisions: class_qid to decision, hierarchical_label and natural_or_human_made; a class
            that is not there is ignored.
    """
    rows = []
    for row in unique_classes(classes).drop_columns(["label_language"]).to_pylist():
        decision, label, side = decisions.get(row["class_qid"], ("ignored", None, None))
        decided = {
            "decision": decision,
            "hierarchical_label": label,
            "natural_or_human_made": side,
            "reviewer": None if decision == "proposed" else "ann",
        }
        rows.append(row | decided)
    return write_stage(workspace, [(TAXONOMY, table_of(TAXONOMY, rows))])


def write_proposals(workspace: Workspace, rows: Rows) -> StageReport:
    """Writes PROPOSALS; a row may leave out all but class_qid and class_label."""
    default = {
        "landmarks": 1,
        "cluster_id": 0,
        "similarity": 1.0,
        "proposed_label": "church building",
        "proposed_natural_or_human_made": "human-made",
        "proposed_action": "accept",
        "confidence": 0.875,
        "tier": "likely",
        "evidence": "the head noun is church",
        "runner_up_confidence": 0.0,
    }
    table = table_of(PROPOSALS, [default | dict(row) for row in rows])
    return write_stage(workspace, [(PROPOSALS, table)])


def write_sums(folder: Path) -> None:
    """Writes SHA256SUMS of all files of a folder, as a release has it."""
    sums = folder / "SHA256SUMS"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != sums)
    lines = [f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    sums.write_text("".join(lines), encoding="utf-8")


class TrigramEncoder:
    """A text encoder of no model: texts that share letter triples are near each other."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], on_batch: object = None) -> NDArray[np.float32]:
        del on_batch
        self.encoded += texts
        vectors = np.zeros((len(texts), 64), dtype=np.float32)
        for row, text in enumerate(texts):
            for start in range(len(text) + 1):
                triple = f"^{text}$"[start : start + 3]
                digest = hashlib.sha256(triple.encode()).digest()
                vectors[row, digest[0] % 64] += 1 if digest[1] % 2 else -1
        vectors[:, 0] += 0.5  # no text is at zero
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
