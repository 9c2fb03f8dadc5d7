"""Stage `annotate`: every image with the label of its landmark, as parquet and as published.

Which class of a landmark decides on its label is `hgld.annotations.rule` and nothing else. Where
no class gives it one, it may have been filled from other evidence, if that is asked for; images
with such a label lie in tables of their own, so that all else means what it means without. Every
image of GLDv2 is in one of four tables: with its label, with a filled one, excluded for a reason,
or bad. Everything here is a join of columns: no Python loop runs over images.
"""

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.images import annotated_rows, credit_tables, divide_images
from hgld.annotations.landmarks import (
    LABEL_COLUMNS,
    hierarchy_rows,
    landmark_guesses,
    landmark_rows,
    with_class_labels,
)
from hgld.annotations.rule import deciding_classes
from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.dataset import Dataset
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.tables import (
    ANNOTATIONS,
    ATTRIBUTIONS,
    BAD_ANNOTATIONS,
    BAD_IMAGES,
    CATEGORIES,
    CLASSES,
    CREDITS,
    EXCLUDED,
    FILLED,
    FILLS,
    HIERARCHY,
    IMAGES,
    LANDMARK_LABELS,
    LANDMARKS,
    TAXONOMY,
)
from hgld.tables.csv_cells import escape_cell

logger = logging.getLogger(__name__)

# Column of a CSV file to the column of LANDMARK_LABELS that it is made of. Google publishes the
# first format; the second one is what the training code of the authors of H-GLDv2 reads.
_SHARED = {name: name for name in ("landmark_id", "category", "supercategory")}
_CSV_FORMATS = {
    "label_to_hierarchical": _SHARED | {name: name for name in LABEL_COLUMNS},
    "label_to_subcategory_with_clusters": _SHARED
    | dict(zip(("cluster", "overall_cluster"), LABEL_COLUMNS, strict=True)),
}
_CSV_FILES = {
    f"annotations/{space}_{name}.csv": (space, columns)
    for name, columns in _CSV_FORMATS.items()
    for space in ("train", "index")
}
# The label space of each split: the landmark of a test image is one of the index.
_LANDMARKS_OF = {"train": "train", "index": "index", "test": "index"}

STAGE = Stage(
    name="annotate",
    version=6,
    inputs=(LANDMARKS, IMAGES, ATTRIBUTIONS, CATEGORIES, CLASSES, TAXONOMY),
    outputs=(
        *ANNOTATIONS.values(),
        *FILLED.values(),
        *(EXCLUDED, BAD_ANNOTATIONS, LANDMARK_LABELS, HIERARCHY, CREDITS),
    ),
    output_files=tuple(_CSV_FILES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateConfig:
    """Settings of the stage."""

    train: Literal["clean", "all"] = setting(
        "clean", "Which train images are annotated: those of train_clean.csv, or all."
    )
    fills: bool = setting(
        False,
        "Whether landmarks that no class gives a label take the one that `hgld fill` found, if any."
        " Their images lie in annotations/filled, beside the others; the published CSV files and "
        "the hierarchy have none of them.",
    )
    pictures: bool = setting(
        False,
        "Whether images whose pictures `hgld images` found to be bad are left out; it has to have "
        "finished for every split.",
    )
    images_per_shard: int = setting(250_000, "Images in a parquet file.")

    def __post_init__(self) -> None:
        """Refuses what no run could use.

        Raises:
            ValueError: unknown train images, or a shard of no images.
        """
        check_settings(self)
        if self.images_per_shard < 1:
            raise ValueError(f"images_per_shard must be 1 or more, got {self.images_per_shard}")


def annotate_stage(config: AnnotateConfig) -> Stage:
    """Returns the stage with the inputs that the settings make it read."""
    fills = (FILLS,) if config.fills else ()
    pictures = tuple(BAD_IMAGES.values()) if config.pictures else ()
    return replace(STAGE, inputs=(*STAGE.inputs, *fills, *pictures))


def run_annotate(workspace: Workspace, config: AnnotateConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `metadata`, `scrape` and `review` have finished, and `fill` where
            its labels are taken.
        config: the settings.

    Returns:
        The report; `rows` counts images, landmarks, labels and credits.

    Raises:
        MissingInputError: one of these has not.
    """
    if not config.fills and workspace.manifest(FILLS.stage):
        logger.info("annotate: %s is there and not taken; --fills does", FILLS.path)
    return run_stage(
        workspace,
        annotate_stage(config),
        row_settings(config),
        lambda writer: _produce(workspace, config, writer),
    )


def _produce(workspace: Workspace, config: AnnotateConfig, writer: StageWriter) -> None:
    deciding = deciding_classes(workspace.read(CLASSES), workspace.read(TAXONOMY))
    fills = workspace.read(FILLS) if config.fills else FILLS.schema.empty_table()
    landmarks = {
        space: landmark_rows(workspace, space, deciding, fills) for space in ("train", "index")
    }
    writer.write(LANDMARK_LABELS, "", pa.concat_tables(landmarks.values()))
    published = {space: with_class_labels(rows) for space, rows in landmarks.items()}
    for name, (space, columns) in _CSV_FILES.items():
        with writer.file(name) as path:
            _write_csv(path, published[space], columns)
    excluded, bad, labels = [], [], {}
    for split, space in _LANDMARKS_OF.items():
        divided = divide_images(
            _of_split(workspace.read(IMAGES), split),
            landmarks[space],
            landmark_guesses(landmarks[space], fills, space),
            _bad_images(workspace, config, split),
            clean_only=split == "train" and config.train == "clean",
        )
        excluded.append(divided.excluded)
        bad.append(divided.bad)
        labels[split] = published[space].select(LABEL_COLUMNS).take(divided.labelled["row"])
        size = config.images_per_shard
        for images, dataset in ((divided.labelled, ANNOTATIONS), (divided.filled, FILLED)):
            _write_images(writer, dataset[split], images, landmarks[space], size)
        if split == "train":
            _write_credits(writer, {"": divided.labelled, "filled-": divided.filled}, size)
    writer.write(EXCLUDED, "", pa.concat_tables(excluded))
    writer.write(BAD_ANNOTATIONS, "", pa.concat_tables(bad))
    writer.write(HIERARCHY, "", hierarchy_rows(pa.concat_tables(published.values()), labels))


def _write_csv(path: Path, landmarks: pa.Table, columns: Mapping[str, str]) -> None:
    """Writes landmarks with their labels, blank where they have none.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(columns)
        for row in landmarks.select(list(columns.values())).to_pylist():
            sheet.writerow(
                escape_cell(one) if isinstance(one, str) else one for one in row.values()
            )


def _bad_images(workspace: Workspace, config: AnnotateConfig, split: str) -> pa.Table:
    dataset = BAD_IMAGES[split]
    return workspace.read(dataset) if config.pictures else dataset.schema.empty_table()


def _write_images(
    writer: StageWriter, dataset: Dataset, images: pa.Table, landmarks: pa.Table, size: int
) -> None:
    """Writes images that have a label, so many in a file."""
    for number, name in enumerate(_shard_names(len(images), size)):
        if not writer.has(dataset, name):
            here = images.slice(number * size, size)
            writer.write(dataset, name, annotated_rows(here, landmarks))


def _write_credits(writer: StageWriter, images: Mapping[str, pa.Table], size: int) -> None:
    """Writes who made train images.

    Args:
        writer: of the stage.
        images: how the names of their files begin, to the images. Files are read in the order of
            their names, and digits come before letters.
        size: images in a file.
    """
    attributions = writer.workspace.read(ATTRIBUTIONS)
    if not len(attributions):
        logger.warning("annotate: GLDv2's file of credits is not there, so that none are written")
        return
    for begin, rows in images.items():
        tables = credit_tables(rows["image_id"], attributions, size)
        for name, table in zip(_shard_names(len(rows), size), tables, strict=True):
            writer.write(CREDITS, f"{begin}{name}", table)


def _shard_names(rows: int, rows_per_shard: int) -> list[str]:
    count = -(-rows // rows_per_shard)
    return [f"{number:05d}-of-{count:05d}" for number in range(count)]


def _of_split(table: pa.Table, split: str) -> pa.Table:
    return table.filter(pc.equal(table["split"], split))
