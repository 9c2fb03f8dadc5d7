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

from hgld.annotations.images import annotated_shards, credit_shards, divide_images
from hgld.annotations.landmarks import (
    LABEL_COLUMNS,
    hierarchy_rows,
    landmark_guesses,
    landmark_rows,
    of_split,
    with_class_labels,
    with_row,
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
from hgld.tables.csv_files import escape_cell

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
    return run_stage(
        workspace,
        annotate_stage(config),
        row_settings(config),
        lambda writer: _annotate(_read_inputs(workspace, config), config, writer),
    )


def _read_inputs(workspace: Workspace, config: AnnotateConfig) -> dict[Dataset, pa.Table]:
    """Returns every table that the stage reads; one that the settings leave out has no rows."""
    tables = {one: one.schema.empty_table() for one in (FILLS, *BAD_IMAGES.values())}
    return tables | {one: workspace.read(one) for one in annotate_stage(config).inputs}


def _annotate(tables: dict[Dataset, pa.Table], config: AnnotateConfig, writer: StageWriter) -> None:
    fills, attributions, size = tables[FILLS], tables[ATTRIBUTIONS], config.images_per_shard
    deciding = deciding_classes(tables[CLASSES], tables[TAXONOMY])
    scraped = tables[CATEGORIES], tables[CLASSES]
    landmarks = landmark_rows(tables[LANDMARKS], *scraped, deciding, fills)
    published, guesses = with_class_labels(landmarks), landmark_guesses(landmarks, fills)
    images, clean_only = {}, config.train == "clean"
    for split, bad in BAD_IMAGES.items():
        rows = with_row(of_split(tables[IMAGES], split), landmarks)
        images[split] = divide_images(rows, landmarks, guesses, tables[bad], clean_only=clean_only)
    labels = published.select(LABEL_COLUMNS)
    hierarchy = hierarchy_rows(
        published, {split: labels.take(one.labelled["row"]) for split, one in images.items()}
    )
    tables.clear()  # IMAGES takes a quarter of a gigabyte

    writer.write(LANDMARK_LABELS, "", landmarks)
    writer.write(HIERARCHY, "", hierarchy)
    writer.write(EXCLUDED, "", pa.concat_tables(one.excluded for one in images.values()))
    writer.write(BAD_ANNOTATIONS, "", pa.concat_tables(one.bad for one in images.values()))
    if len(attributions):
        for shard, rows in credit_shards(images["train"], attributions, size):
            writer.write(CREDITS, shard, rows)
    else:
        logger.warning("annotate: GLDv2's file of credits is not there, so that none are written")
    del attributions  # which takes the most
    for split, one in images.items():
        for dataset, labelled in ((ANNOTATIONS, one.labelled), (FILLED, one.filled)):
            for shard, rows in annotated_shards(labelled, landmarks, size):
                writer.write(dataset[split], shard, rows)
    for name, (space, columns) in _CSV_FILES.items():
        with writer.file(name) as path:
            _write_csv(path, of_split(published, space), columns)


def _write_csv(path: Path, landmarks: pa.Table, columns: Mapping[str, str]) -> None:
    """Writes landmarks with their labels, blank where they have none.

    A text that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    rows = landmarks.select(list(columns.values())).to_pylist()
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(columns)
        for row in rows:
            sheet.writerow(escape_cell(v) if isinstance(v, str) else v for v in row.values())
