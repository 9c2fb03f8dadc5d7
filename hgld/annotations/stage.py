"""Stage `annotate`: every image with the label of its landmark, as parquet and as published.

Which class of a landmark decides on its label is `hgld.annotations.rule` and nothing else. Where
no class gives it one, it may have been filled from its pictures, if that is asked for. Every image
of GLDv2 is in one of three tables: with its label, excluded for a reason, or bad. Everything here
is a join of columns: no Python loop runs over images.
"""

import logging
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from hgld.annotations.credits import credit_tables
from hgld.annotations.csv_files import LABEL_FORMATS, write_label_csv
from hgld.annotations.hierarchy import hierarchy_rows
from hgld.annotations.images import annotated_rows, divide_images
from hgld.annotations.landmarks import landmark_rows
from hgld.annotations.rule import deciding_classes
from hgld.engine.config import check_settings, row_settings, setting
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
    FILLS,
    HIERARCHY,
    IMAGES,
    LANDMARK_LABELS,
    LANDMARKS,
    TAXONOMY,
)

logger = logging.getLogger(__name__)

_CSV_FILES = {
    f"annotations/{space}_{file_format}.csv": (space, file_format)
    for file_format in LABEL_FORMATS
    for space in ("train", "index")
}
_LABEL_COLUMNS = ["hierarchical_label", "natural_or_human_made"]
# The label space of each split: the landmark of a test image is one of the index.
_LANDMARKS_OF = {"train": "train", "index": "index", "test": "index"}

STAGE = Stage(
    name="annotate",
    version=5,
    inputs=(LANDMARKS, IMAGES, ATTRIBUTIONS, CATEGORIES, CLASSES, TAXONOMY),
    outputs=(
        *ANNOTATIONS.values(),
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
        "Whether a landmark that no class gives a label takes the one that `hgld fill` found in "
        "its pictures, if any.",
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
            its labels are to be taken.
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
    for name, (space, file_format) in _CSV_FILES.items():
        with writer.file(name) as path:
            write_label_csv(path, landmarks[space], file_format)
    excluded, bad, labels = [], [], {}
    for split, space in _LANDMARKS_OF.items():
        divided = divide_images(
            _of_split(workspace.read(IMAGES), split),
            landmarks[space],
            _bad_images(workspace, config, split),
            clean_only=split == "train" and config.train == "clean",
        )
        excluded.append(divided.excluded)
        bad.append(divided.bad)
        labels[split] = landmarks[space].select(_LABEL_COLUMNS).take(divided.labelled["row"])
        _write_images(writer, config, split, divided.labelled, landmarks[space])
    writer.write(EXCLUDED, "", pa.concat_tables(excluded))
    writer.write(BAD_ANNOTATIONS, "", pa.concat_tables(bad))
    writer.write(HIERARCHY, "", hierarchy_rows(pa.concat_tables(landmarks.values()), labels))


def _bad_images(workspace: Workspace, config: AnnotateConfig, split: str) -> pa.Table:
    dataset = BAD_IMAGES[split]
    return workspace.read(dataset) if config.pictures else dataset.schema.empty_table()


def _write_images(
    writer: StageWriter, config: AnnotateConfig, split: str, images: pa.Table, landmarks: pa.Table
) -> None:
    """Writes the images of a split that have a label, and of train images who made them."""
    names = _shard_names(len(images), config.images_per_shard)
    for number, name in enumerate(names):
        if not writer.has(ANNOTATIONS[split], name):
            here = images.slice(number * config.images_per_shard, config.images_per_shard)
            writer.write(ANNOTATIONS[split], name, annotated_rows(here, landmarks))
    if split != "train" or not len(images) or all(writer.has(CREDITS, name) for name in names):
        return
    attributions = writer.workspace.read(ATTRIBUTIONS)
    if not len(attributions):
        logger.warning("annotate: GLDv2's file of credits is not there, so that none are written")
        return
    tables = credit_tables(images["image_id"], attributions, config.images_per_shard)
    for name, table in zip(names, tables, strict=True):
        writer.write(CREDITS, name, table)


def _shard_names(rows: int, rows_per_shard: int) -> list[str]:
    count = -(-rows // rows_per_shard)
    return [f"{number:05d}-of-{count:05d}" for number in range(count)]


def _of_split(table: pa.Table, split: str) -> pa.Table:
    return table.filter(pc.equal(table["split"], split))
