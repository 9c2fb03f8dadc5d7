"""Stage `annotate`: every image with the label of its landmark, as parquet and as published.

Which class of a landmark decides on its label is `hgld.annotations.rule` and nothing else. Where
no class gives it one, it may have been filled from its pictures, if that is asked for. Everything
here is a join of columns: no Python loop runs over images.
"""

import csv
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hgld.annotations.rule import deciding_classes
from hgld.engine.config import check_settings, row_settings, setting
from hgld.engine.files import file_digest
from hgld.engine.stage import Stage, StageReport, StageWriter, run_stage
from hgld.engine.workspace import Workspace
from hgld.tables import (
    ANNOTATIONS,
    CATEGORIES,
    CLASSES,
    FILLS,
    IMAGES,
    LANDMARK_LABELS,
    LANDMARKS,
    TAXONOMY,
    qid_numbers,
)

logger = logging.getLogger(__name__)

_CSV_FILES = {
    split: f"annotations/{split}_label_to_hierarchical.csv" for split in ("train", "index")
}
_SUMS = "annotations/SHA256SUMS"
_CSV_COLUMNS = (
    *("landmark_id", "category", "supercategory", "hierarchical_label"),
    "natural_or_human_made",
)
# The label space of each split: the landmark of a test image is one of the index.
_LANDMARKS_OF = {"train": "train", "index": "index", "test": "index"}

STAGE = Stage(
    name="annotate",
    version=3,
    inputs=(LANDMARKS, IMAGES, CATEGORIES, CLASSES, TAXONOMY),
    outputs=(*ANNOTATIONS.values(), LANDMARK_LABELS),
    output_files=(*_CSV_FILES.values(), _SUMS),
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
    return replace(STAGE, inputs=(*STAGE.inputs, FILLS)) if config.fills else STAGE


def run_annotate(workspace: Workspace, config: AnnotateConfig) -> StageReport:
    """Runs the stage.

    Args:
        workspace: a build whose `metadata`, `scrape` and `review` have finished, and `fill` where
            its labels are to be taken.
        config: the settings.

    Returns:
        The report; `rows` counts images and landmarks.

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


def landmark_rows(
    workspace: Workspace, split: str, deciding: pa.Table, fills: pa.Table
) -> pa.Table:
    """Joins all that is known of the landmarks of one label space.

    Args:
        workspace: a build with the stage's inputs.
        split: `train` or `index`.
        deciding: what `deciding_classes` returns.
        fills: rows of FILLS, for landmarks that no class gives a label; may be empty.

    Returns:
        One row for each landmark of LANDMARKS, in its order, with the columns of LANDMARK_LABELS
        but for split.
    """
    landmarks = _of_split(workspace.read(LANDMARKS), split)
    ids = landmarks["landmark_id"]
    scraped = _of_split(workspace.read(CATEGORIES), split)
    scraped = scraped.take(pc.index_in(ids, value_set=scraped["landmark_id"]))
    deciding = _of_split(deciding, split)
    deciding = deciding.take(pc.index_in(ids, value_set=deciding["landmark_id"]))
    fills = _fills_of(fills, split, ids)
    names = ("hierarchical_label", "natural_or_human_made")
    has_class = pc.is_valid(deciding["hierarchical_label"])
    is_filled = pc.and_not(pc.is_valid(fills["hierarchical_label"]), has_class)
    label, side = (pc.if_else(is_filled, fills[name], deciding[name]) for name in names)
    # Of a landmark that was scraped well and has no label, the deciding class says why.
    reason = pc.coalesce(deciding["decision"], scraped["status"], "not_scraped")
    provenance = {
        "status": pc.if_else(pc.is_valid(label), "ok", reason),
        "revision_id": scraped["revision_id"],
        "class_qid": deciding["class_qid"],
        "decision": pc.if_else(is_filled, "filled", deciding["decision"]),
        # Whoever decided on the class did not decide on this label.
        "reviewer": pc.if_else(is_filled, None, deciding["reviewer"]),
        "method": pc.if_else(is_filled, fills["method"], None),
        "confidence": pc.if_else(is_filled, fills["confidence"], deciding["confidence"]),
        "accepted_above": pc.if_else(is_filled, None, deciding["accepted_above"]),
    }
    none = pa.scalar([], deciding["candidates"].type)
    classes = _class_lists(_of_split(workspace.read(CLASSES), split))
    row = pc.index_in(ids, value_set=classes["landmark_id"]).fill_null(len(classes) - 1)
    return pa.table(
        {
            "landmark_id": ids,
            "supercategory": deciding["class_label"],
            "hierarchical_label": label,
            "natural_or_human_made": side,
            "category": landmarks["category"],
            "qid": scraped["qid"],
            "classes": classes["classes"].take(row),
            "provenance": _provenance(provenance),
            "candidates": pc.coalesce(deciding["candidates"], none),
        }
    )


def _produce(workspace: Workspace, config: AnnotateConfig, writer: StageWriter) -> None:
    deciding = deciding_classes(workspace.read(CLASSES), workspace.read(TAXONOMY))
    fills = workspace.read(FILLS) if config.fills else FILLS.schema.empty_table()
    written: list[str] = []
    for space, relative in _CSV_FILES.items():
        landmarks = landmark_rows(workspace, space, deciding, fills)
        writer.write(LANDMARK_LABELS, space, _with_split(landmarks, space))
        written.append(f"{LANDMARK_LABELS.path}/{space}.parquet")
        landmarks = landmarks.drop_columns(["candidates"])
        with writer.file(relative) as path:
            _write_csv(path, landmarks)
        written.append(relative)
        for split in (split for split, name in _LANDMARKS_OF.items() if name == space):
            dataset = ANNOTATIONS[split]
            for number, images in enumerate(_image_shards(workspace, split, config)):
                shard = f"{split}-{number:05d}"
                if not writer.has(dataset, shard):
                    writer.write(dataset, shard, _annotated(images, landmarks))
                written.append(f"{dataset.path}/{shard}.parquet")
    folder = Path(_SUMS).parent
    with writer.file(_SUMS) as path, path.open("w", encoding="utf-8") as sums:
        for relative in sorted(written):
            digest = file_digest(writer.path(relative))
            sums.write(f"{digest}  {Path(relative).relative_to(folder)}\n")


def _fills_of(fills: pa.Table, split: str, ids: pa.ChunkedArray) -> pa.Table:
    """Returns the fill of each landmark, of several methods the most confident; nulls for none."""
    fills = _of_split(fills, split)
    fills = fills.filter(pc.is_valid(fills["hierarchical_label"]))
    fills = fills.sort_by([("confidence", "descending"), ("method", "ascending")])
    return fills.take(pc.index_in(ids, value_set=fills["landmark_id"]))


def _with_split(landmarks: pa.Table, split: str) -> pa.Table:
    return landmarks.append_column("split", pa.repeat(split, len(landmarks)))


def _image_shards(workspace: Workspace, split: str, config: AnnotateConfig) -> Iterator[pa.Table]:
    """Yields the images to annotate, in their order, `images_per_shard` at a time."""
    columns = ["image_id", "landmark_id"]
    waiting = IMAGES.schema.empty_table().select(columns)
    for path in workspace.shards(IMAGES):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=config.images_per_shard):
                images = _of_split(pa.Table.from_batches([batch]).cast(IMAGES.schema), split)
                if split == "train" and config.train == "clean":
                    images = images.filter(images["in_clean"])
                waiting = pa.concat_tables([waiting, images.select(columns)])
                while len(waiting) >= config.images_per_shard:
                    yield waiting.slice(0, config.images_per_shard)
                    waiting = waiting.slice(config.images_per_shard)
    if len(waiting):
        yield waiting


def _annotated(images: pa.Table, landmarks: pa.Table) -> pa.Table:
    """Returns the rows of ANNOTATIONS for some images."""
    row = pc.index_in(images["landmark_id"], value_set=landmarks["landmark_id"])
    table = landmarks.take(row)
    place = table.column_names.index("provenance")
    unknown = {name: pa.nulls(1, field.type) for name, field in _provenance_fields().items()}
    unknown["status"] = pa.array(["no_landmark"])
    choices = pa.chunked_array([*landmarks["provenance"].chunks, _provenance(unknown)])
    provenance = choices.take(row.fill_null(len(landmarks)))
    table = table.set_column(place, "provenance", provenance)
    # An image keeps the landmark that it has, also where no category is known for it.
    place = table.column_names.index("landmark_id")
    table = table.set_column(place, "landmark_id", images["landmark_id"])
    return table.append_column("image_id", images["image_id"])


def _class_lists(classes: pa.Table) -> pa.Table:
    """Gathers the classes of each landmark by Q-id, with an empty list in an extra last row."""
    columns = ["landmark_id", "class_qid", "class_label"]
    rows = classes.select(columns).group_by(columns).aggregate([])
    rows = rows.append_column("number", qid_numbers(rows["class_qid"]))
    rows = rows.sort_by([("landmark_id", "ascending"), ("number", "ascending")])
    # A group-by keeps no order, whatever the threads, so that its groups are sorted like the rows.
    counts = rows.group_by("landmark_id").aggregate([([], "count_all")]).sort_by("landmark_id")
    ends = pc.cumulative_sum(counts["count_all"]).combine_chunks()
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends, pa.array([len(rows)], pa.int64())])
    kind = ANNOTATIONS["train"].schema.field("classes").type
    structs = pa.StructArray.from_arrays(
        [rows[name].combine_chunks() for name in ("class_qid", "class_label")],
        fields=list(kind.value_type),
    )
    lists = pa.ListArray.from_arrays(offsets.cast(pa.int32()), structs, type=kind)
    ids = pa.concat_arrays([counts["landmark_id"].combine_chunks(), pa.nulls(1, pa.int64())])
    return pa.table({"landmark_id": ids, "classes": lists})


def _provenance_fields() -> dict[str, pa.Field]:
    return {field.name: field for field in ANNOTATIONS["train"].schema.field("provenance").type}


def _provenance(columns: dict[str, pa.ChunkedArray | pa.Array]) -> pa.StructArray:
    fields = _provenance_fields()
    arrays = [
        column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        for column in (columns[name] for name in fields)
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(fields.values()))


def _of_split(table: pa.Table, split: str) -> pa.Table:
    return table.filter(pc.equal(table["split"], split)).drop_columns(["split"])


def _write_csv(path: Path, landmarks: pa.Table) -> None:
    """Writes the published format; blank where a landmark has no label."""
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(_CSV_COLUMNS)
        columns = (landmarks[name].to_pylist() for name in _CSV_COLUMNS)
        sheet.writerows(zip(*columns, strict=True))
