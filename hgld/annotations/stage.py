"""Stage `annotate`: gives every image the label of its landmark, as parquet and published CSV.

`hgld.annotations.rule` decides the label of a landmark from its classes. If no class gives a label
and the settings allow it, the label is filled from other evidence; those images are in separate
tables, so that fills do not affect the others. Every image of GLDv2 is in one of four tables:
labelled, filled, excluded for a reason, or bad. Excluded ones with a known landmark are in a fifth
table too, for training on labels as deep as they are known. All work is on columns; no Python loop
runs over images.
"""

import logging
from dataclasses import dataclass, replace
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from hgld.annotations.images import annotated_shards, credit_shards, divide_images
from hgld.annotations.landmarks import (
    LABEL_COLUMNS,
    hierarchy_rows,
    landmark_guesses,
    landmark_rows,
    partial_labels,
    with_class_labels,
    with_row,
)
from hgld.annotations.overlap import overlap_rows
from hgld.annotations.rule import deciding_classes
from hgld.engine.config import Settings, row_settings, setting
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
    OVERLAP,
    PARTIAL,
    PLACES,
    TAXONOMY,
    of_split,
)
from hgld.tables.csv_files import table_text

logger = logging.getLogger(__name__)

# Column of a CSV file to its column in LANDMARK_LABELS. Google publishes the first format; the
# training code by the authors of H-GLDv2 reads the second.
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

_PLACES_FILE = f"{PLACES.path}/00000.parquet"

STAGE = Stage(
    name="annotate",
    version=9,
    inputs=(LANDMARKS, IMAGES, ATTRIBUTIONS, CATEGORIES, CLASSES, TAXONOMY),
    input_files=(_PLACES_FILE,),
    outputs=(
        *ANNOTATIONS.values(),
        *FILLED.values(),
        *PARTIAL.values(),
        *(EXCLUDED, BAD_ANNOTATIONS, LANDMARK_LABELS, HIERARCHY, OVERLAP, CREDITS),
    ),
    output_files=tuple(_CSV_FILES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateConfig(Settings):
    """Settings of the stage."""

    train: Literal["clean", "all"] = setting(
        "clean", "Which train images to annotate and look at: those in train_clean.csv, or all."
    )
    fills: bool = setting(
        False,
        "Whether landmarks without a label from a class take the one that `hgld fill` found, if "
        "any. Their images go to annotations/filled; the published CSV files and the hierarchy do "
        "not include them.",
    )
    pictures: bool = setting(
        False,
        "Whether to leave out images that `hgld images` found to be bad; it must have finished for "
        "every split.",
    )
    images_per_shard: int = setting(250_000, "Number of images per parquet file.", least=1)


def annotate_stage(config: AnnotateConfig) -> Stage:
    """Returns the stage with the inputs that the settings require."""
    fills = (FILLS,) if config.fills else ()
    pictures = tuple(BAD_IMAGES.values()) if config.pictures else ()
    return replace(STAGE, inputs=(*STAGE.inputs, *fills, *pictures))


def run_annotate(workspace: Workspace, config: AnnotateConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `metadata`, `scrape` and `review` have finished, and `fill` and
            `images` if the settings use them.
        config: the settings.

    Returns:
        The report; `rows` counts images, landmarks, labels and credits.

    Raises:
        MissingInputError: one of these stages has not finished.
    """
    return run_stage(
        workspace,
        annotate_stage(config),
        row_settings(config),
        lambda writer: _annotate(_read_inputs(workspace, config), config, writer),
    )


def _read_inputs(workspace: Workspace, config: AnnotateConfig) -> dict[Dataset, pa.Table]:
    """Reads the input tables; those that the settings do not use are empty."""
    tables = {one: one.schema.empty_table() for one in (FILLS, PLACES, *BAD_IMAGES.values())}
    places = workspace.path(_PLACES_FILE)
    if places.exists():
        tables[PLACES] = pq.read_table(places, schema=PLACES.schema, partitioning=None)
    return tables | {one: workspace.read(one) for one in annotate_stage(config).inputs}


def _annotate(tables: dict[Dataset, pa.Table], config: AnnotateConfig, writer: StageWriter) -> None:
    fills, attributions, size = tables[FILLS], tables[ATTRIBUTIONS], config.images_per_shard
    deciding = deciding_classes(tables[CLASSES], tables[TAXONOMY])
    scraped = tables[CATEGORIES], tables[CLASSES]
    landmarks = landmark_rows(tables[LANDMARKS], *scraped, deciding, fills, tables[PLACES])
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
    writer.write(OVERLAP, "", overlap_rows(landmarks))
    writer.write(HIERARCHY, "", hierarchy)
    writer.write(EXCLUDED, "", pa.concat_tables(one.excluded for one in images.values()))
    writer.write(BAD_ANNOTATIONS, "", pa.concat_tables(one.bad for one in images.values()))
    if len(attributions):
        for shard, rows in credit_shards(images["train"], attributions, size):
            writer.write(CREDITS, shard, rows)
    else:
        logger.warning("annotate: GLDv2's file of credits is missing, so no credits are written")
    del attributions  # the largest table
    partly = partial_labels(landmarks, guesses)
    for split, one in images.items():
        for dataset, chosen, known in (
            (ANNOTATIONS[split], one.labelled, landmarks),
            (FILLED[split], one.filled, landmarks),
            (PARTIAL[split], one.partial, partly),
        ):
            for shard, rows in annotated_shards(chosen, known, dataset.schema, size):
                writer.write(dataset, shard, rows)
    for name, (space, columns) in _CSV_FILES.items():
        rows = of_split(published, space).select(list(columns.values()))
        writer.write_text(name, table_text(rows.rename_columns(list(columns))))
